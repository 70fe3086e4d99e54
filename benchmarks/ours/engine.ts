// Engines by name, as the cli finds them.
import type { Engine, PluginRegistry } from "@merclab/core";

export interface NamedEngine {
  readonly engine: Engine;
  /** Threads that it works with; 1 where it takes no such option. */
  readonly threads: number;
}

/** @throws MerclabError `config` with the nearest known name */
export function createNamedEngine(name: string, threads: number, registry: PluginRegistry): NamedEngine {
  const plugin = registry.get("engine", name);
  const used = plugin.threads === "one" ? 1 : threads;
  return { engine: plugin.create(plugin.options.parse({}), { threads: used }), threads: used };
}
