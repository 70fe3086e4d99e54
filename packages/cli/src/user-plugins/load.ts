// Loads the plugins that a folder's merclab.yaml names. Every process of a study does: the command and its workers.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MerclabError, PLUGIN_KINDS, type Plugin, suggestName } from "@merclab/core";
import { SHIPPED } from "../container.ts";
import { SHIPPED_CONFIGS } from "../places.ts";
import { type PluginEntry, readPluginEntries, SETTINGS_FILE } from "./settings.ts";
import { findSource } from "./source.ts";

export { SETTINGS_FILE };

/** The plugins of one entry. */
export interface UserPlugins extends PluginEntry {
  readonly file: string;
  readonly plugins: readonly Plugin[];
}

const EXPORT_HINT = "A plugin file ends in: export default definePlugin({ kind, name, summary, options, create }).";

/** @throws MerclabError `config` that names file and line of what is wrong */
export async function loadUserPlugins(folder: string): Promise<UserPlugins[]> {
  const loaded: UserPlugins[] = [];
  for (const entry of await readPluginEntries(folder)) {
    const { file, code } = await findSource(entry, folder);
    const exported = pluginsOf(await importFile(file, entry), file, entry.entry);
    const plugins = exported.map((plugin) => ({ ...plugin, code }));
    for (const plugin of plugins) {
      refuseTaken(plugin, file, loaded);
    }
    loaded.push({ ...entry, file, plugins });
  }
  return loaded;
}

async function importFile(file: string, { entry }: PluginEntry): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new MerclabError("config", `the plugin ${entry} failed while it was loaded: ${message}`, {
      where: lineIn(file, cause) ?? file,
      hint: "Correct the code there, or take the plugin out of merclab.yaml.",
      cause,
    });
  }
}

/** The first line of a stack that lies in the file. */
function lineIn(file: string, error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const at = stack.indexOf(`${file}:`);
  return at < 0 ? undefined : /^.*?:\d+(:\d+)?/.exec(stack.slice(at))?.[0];
}

/** Default export, list `plugins` and single exports; helpers may be exported beside them. */
function pluginsOf(module: Readonly<Record<string, unknown>>, file: string, entry: string): Plugin[] {
  const { default: main, ...named } = module;
  const candidates = new Set([main, ...Object.values(named)].flat().filter(looksLikePlugin));
  const isWrongDefault = main !== undefined && ![main].flat().some(looksLikePlugin);
  if (candidates.size === 0 || isWrongDefault) {
    const names = Object.keys(module).sort();
    const given = names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`;
    const problem = isWrongDefault ? "its default export is no plugin" : given;
    throw new MerclabError("config", `${entry} gives no plugin: ${problem}`, { where: file, hint: EXPORT_HINT });
  }
  const plugins = [...candidates] as Plugin[];
  for (const plugin of plugins) {
    const problem = problemOf(plugin);
    if (problem !== undefined) {
      throw new MerclabError("config", `${entry}: ${problem}`, { where: file, hint: EXPORT_HINT });
    }
  }
  return plugins;
}

function looksLikePlugin(value: unknown): boolean {
  return typeof value === "object" && value !== null && "kind" in value && "name" in value;
}

function problemOf(plugin: Plugin): string | undefined {
  const { kind, name, summary, options, create } = plugin as { [K in keyof Plugin]?: unknown };
  if (typeof name !== "string" || !/^[a-z][\w.-]*$/.test(name)) {
    return `the name ${JSON.stringify(name)} must begin with a small letter and hold letters, digits, - and _ only`;
  }
  if (!(PLUGIN_KINDS as readonly unknown[]).includes(kind)) {
    return `plugin ${name} is of the unknown kind ${JSON.stringify(kind)}. ${suggestName(String(kind), PLUGIN_KINDS)}`;
  }
  const isSchema = typeof options === "object" && options !== null && "safeParse" in options && "_zod" in options;
  const lacking = [
    ...(typeof summary === "string" ? [] : ["a summary of one line"]),
    ...(isSchema ? [] : ["options, a schema of zod 4, e.g. z.strictObject({})"]),
    ...(typeof create === "function" ? [] : ["a function create(options, site)"]),
    ...(kind !== "engine" || "probe" in plugin ? [] : ["rank, threads, memory and probe, as engines have"]),
  ];
  return lacking.length === 0 ? undefined : `${String(kind)} ${name} lacks ${lacking.join(", ")}`;
}

function refuseTaken({ kind, name }: Plugin, file: string, loaded: readonly UserPlugins[]): void {
  const same = (other: Plugin) => other.kind === kind && other.name === name;
  const other = loaded.find(({ plugins }) => plugins.some(same));
  const isShipped = SHIPPED.some(same) || existsSync(join(SHIPPED_CONFIGS, kind, `${name}.yaml`));
  const owner = isShipped ? "merclab itself" : other?.entry;
  if (owner !== undefined) {
    throw new MerclabError("config", `the name of ${kind} "${name}" is taken: ${owner} has one`, {
      where: file,
      hint: `Give it another name, e.g. "my-${name}".`,
    });
  }
}
