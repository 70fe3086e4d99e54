// What most commands need: places, plugins and config groups.
import { createRequire } from "node:module";
import type { PluginRegistry } from "@merclab/core";
import { type ConfigGroups, createConfigGroups } from "@merclab/runner";
import { createRegistry } from "./container.ts";
import { findPlaces, type PlaceOptions, type Places } from "./places.ts";

export interface Site {
  readonly places: Places;
  readonly registry: PluginRegistry;
  readonly groups: ConfigGroups;
}

export function openSite(options: PlaceOptions): Site {
  const places = findPlaces(options);
  const registry = createRegistry();
  return { places, registry, groups: createConfigGroups(places.configs, registry) };
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
