// The composition root: every plugin is bound by kind and name in one container, and nothing else owns one.
import {
  corePlugins,
  MerclabError,
  PLUGIN_KINDS,
  type Plugin,
  type PluginKind,
  type PluginRegistry,
  suggestName,
} from "@merclab/core";
import { plugins as dataPlugins } from "@merclab/data";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as onnxPlugins } from "@merclab/engine-onnx";
import { plugins as ada2iPlugins } from "@merclab/fusion-ada2i";
import { plugins as baselinePlugins } from "@merclab/fusion-baselines";
import { plugins as cmathPlugins } from "@merclab/fusion-cmath";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { Container } from "inversify";

const KIND_TOKENS = Object.fromEntries(PLUGIN_KINDS.map((kind) => [kind, Symbol.for(`merclab.${kind}`)])) as Readonly<
  Record<PluginKind, symbol>
>;

/** All plugins that come with merclab. */
export const SHIPPED: readonly Plugin[] = [
  ...corePlugins,
  ...onnxPlugins,
  ...dataPlugins,
  ...encoderPlugins,
  ...sdtPlugins,
  ...lmamPlugins,
  ...ada2iPlugins,
  ...cmathPlugins,
  ...baselinePlugins,
];

/** @throws Error when two plugins share kind and name */
export function createRegistry(plugins: readonly Plugin[] = SHIPPED): PluginRegistry {
  const container = new Container();
  const bound = new Map<PluginKind, string[]>(PLUGIN_KINDS.map((kind) => [kind, []]));
  for (const plugin of plugins) {
    const names = bound.get(plugin.kind) ?? [];
    if (names.includes(plugin.name)) {
      throw new Error(`two plugins are ${plugin.kind} "${plugin.name}"`);
    }
    container.bind<Plugin>(KIND_TOKENS[plugin.kind]).toConstantValue(plugin).whenNamed(plugin.name);
    names.push(plugin.name);
  }
  return {
    names: (kind) => bound.get(kind) ?? [],
    get: <K extends PluginKind>(kind: K, name: string) => {
      const names = bound.get(kind) ?? [];
      if (!names.includes(name)) {
        throw new MerclabError("config", `unknown ${kind} "${name}"`, { hint: suggestName(name, names) });
      }
      return container.get<Plugin<K>>(KIND_TOKENS[kind], { name });
    },
  };
}
