// A plugin by `kind/name`, or by its name where only one kind has it.
import {
  MerclabError,
  PLUGIN_KINDS,
  type Plugin,
  type PluginKind,
  type PluginRegistry,
  suggestName,
} from "@merclab/core";

/** @throws MerclabError `config` for what there is not, or is twice */
export function findPlugin(registry: PluginRegistry, what: string): Plugin {
  const [first = "", name] = what.split("/");
  if (name !== undefined) {
    return registry.get(checkKind(first), name);
  }
  const kinds = PLUGIN_KINDS.filter((kind) => registry.names(kind).includes(what));
  const [kind] = kinds;
  if (kind === undefined) {
    const all = PLUGIN_KINDS.flatMap((each) => registry.names(each).map((known) => `${each}/${known}`));
    const near = suggestName(what, new Set(all.map((each) => each.split("/")[1] ?? "")));
    throw new MerclabError("config", `unknown plugin "${what}"`, { hint: near });
  }
  if (kinds.length > 1) {
    throw new MerclabError("config", `"${what}" is ${kinds.length} plugins`, {
      hint: `Say which: ${kinds.map((each) => `${each}/${what}`).join(", ")}.`,
    });
  }
  return registry.get(kind, what);
}

/** @throws MerclabError `config` with the nearest kind */
export function checkKind(name: string): PluginKind {
  const kind = PLUGIN_KINDS.find((each) => each === name);
  if (kind === undefined) {
    throw new MerclabError("config", `unknown kind of plugin "${name}"`, { hint: suggestName(name, PLUGIN_KINDS) });
  }
  return kind;
}
