// What most commands need: places, plugins and config groups.
import { createRequire } from "node:module";
import type { PluginRegistry } from "@merclab/core";
import { type ConfigGroups, createConfigGroups, type ResolvedPart } from "@merclab/runner";
import { createRegistry, SHIPPED } from "./container.ts";
import { findPlaces, type PlaceOptions, type Places } from "./places.ts";
import { loadUserPlugins, type UserPlugins } from "./user-plugins/load.ts";

export interface Site {
  readonly places: Places;
  readonly registry: PluginRegistry;
  readonly groups: ConfigGroups;
  /** Plugins of the working folder's merclab.yaml, which are in the registry too. */
  readonly own: readonly UserPlugins[];
}

/** @throws MerclabError `config` for plugins that cannot be loaded */
export async function openSite(options: PlaceOptions): Promise<Site> {
  const places = findPlaces(options);
  return siteWith(places, await loadUserPlugins(process.cwd()));
}

/** A site with these plugins beside those that come with merclab. */
export function siteWith(places: Places, own: readonly UserPlugins[]): Site {
  const registry = createRegistry([...SHIPPED, ...own.flatMap(({ plugins }) => plugins)]);
  return { places, registry, groups: createConfigGroups(places.configs, registry), own };
}

/** An engine with its default options. @throws MerclabError `config` for an unknown one */
export function engineNamed(name: string, registry: PluginRegistry): ResolvedPart {
  return { name, options: registry.get("engine", name).options.parse({}) as ResolvedPart["options"] };
}

/** Versions that go with every result. */
export function versions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const versionOf = (file: string) => (require(file) as { version: string }).version;
  return {
    merclab: versionOf("../package.json"),
    node: process.versions.node,
    tfjs: versionOf("@tensorflow/tfjs-core/package.json"),
  };
}
