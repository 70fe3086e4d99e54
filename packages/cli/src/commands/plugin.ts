// `exp plugin`: which plugins there are, what one takes, and whether one obeys the laws of the contract.
import { PLUGIN_KINDS, type Plugin } from "@merclab/core";
import { Command } from "commander";
import pc from "picocolors";
import { checkKind, findPlugin } from "../find-plugin.ts";
import { columns, printJson, printText } from "../output.ts";
import { type OptionRow, optionRows } from "../plugin-options.ts";
import { openSite, type Site } from "../site.ts";
import { pluginTestCommand } from "./plugin-test.ts";

export function pluginCommand(): Command {
  const ls = new Command("ls")
    .description("List plugins with their options: those of merclab and those of this folder's merclab.yaml")
    .argument("[kind]", `one of ${PLUGIN_KINDS.join(", ")}`)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp plugin ls\n  $ exp plugin ls fusion --json")
    .action(async (kind: string | undefined, options: { json?: boolean }) => {
      const site = await openSite({});
      const kinds = kind === undefined ? PLUGIN_KINDS : [checkKind(kind)];
      const plugins = kinds.flatMap((each) => site.registry.names(each).map((name) => site.registry.get(each, name)));
      const described = plugins.map((plugin) => describe(plugin, site));
      if (options.json === true) {
        printJson(described);
      } else {
        printText(described.map(blockText).join("\n\n"));
      }
    });
  const show = new Command("show")
    .description("Show one plugin: what it is, where it comes from, its options")
    .argument("<plugin>", "KIND/NAME, or NAME where it is the only one of that name")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp plugin show fusion/lmam\n  $ exp plugin show lmf --json")
    .action(async (what: string, options: { json?: boolean }) => {
      const site = await openSite({});
      const described = describe(findPlugin(site.registry, what), site);
      if (options.json === true) {
        printJson(described);
      } else {
        printText(blockText(described));
      }
    });
  return new Command("plugin")
    .description("List, show and test plugins")
    .addCommand(ls)
    .addCommand(show)
    .addCommand(pluginTestCommand());
}

interface Described {
  readonly kind: string;
  readonly name: string;
  readonly summary: string;
  /** `merclab`, or the entry of merclab.yaml. */
  readonly from: string;
  readonly file?: string;
  readonly code?: string;
  readonly options: readonly OptionRow[];
}

function describe(plugin: Plugin, { own }: Site): Described {
  const { kind, name, summary, code } = plugin;
  const source = own.find(({ plugins }) => plugins.includes(plugin));
  return {
    kind,
    name,
    summary,
    from: source?.entry ?? "merclab",
    ...(source === undefined ? {} : { file: source.file }),
    ...(code === undefined ? {} : { code }),
    options: optionRows(plugin),
  };
}

function blockText({ kind, name, summary, from, code, options }: Described): string {
  const source = code === undefined ? "" : pc.dim(`  (${from}, ${code})`);
  const rows = options.map((option) => [
    `  ${kind}.${name}.${option.name}`,
    option.type,
    option.default ?? "–",
    option.meaning ?? "",
  ]);
  const table = rows.length === 0 ? "  no options" : columns([["  option", "type", "default", "meaning"], ...rows]);
  return `${pc.bold(`${kind}/${name}`)}  ${summary}${source}\n${table}`;
}
