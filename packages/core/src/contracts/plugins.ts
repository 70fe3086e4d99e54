// A plugin is a name, a schema of options and a factory. The composition root binds plugins by kind and name;
// nothing else knows which ones exist.
import type { z } from "zod";
import type { Balancer, BalancerSite } from "./balancer.ts";
import type { LoadedDataset } from "./dataset.ts";
import type { Engine, EngineSite, EngineTraits } from "./engine.ts";
import type { Encoder, EncoderSite, Fusion, FusionSite, Objective, ObjectiveSite } from "./modules.ts";
import type { Optimizer, OptimizerSite } from "./optimizer.ts";
import type { TaskType } from "./task.ts";

/** What a dataset's factory is told. */
export interface DatasetSite {
  /** Folder with one sub-folder per dataset; undefined when none was given or found. */
  readonly dataRoot: string | undefined;
}

/** Finds and loads one dataset. */
export interface DatasetSource {
  /** The folder it would be read from; undefined for generated data. */
  readonly folder: string | undefined;
  /** False when nothing is there to be loaded (it may still be faulty). */
  exists(): boolean;
  /** @throws MerclabError `data` that names file, row or key */
  load(): Promise<LoadedDataset>;
}

/** What an objective or a balancer says of the tasks that it has a meaning for. */
export interface TaskTraits {
  /** Single-label only where absent. */
  readonly tasks?: readonly TaskType[];
}

/** Kinds of plugins: what a factory is told, what it makes, and what a plugin of the kind says of itself besides. */
export interface PluginKinds {
  dataset: { site: DatasetSite; product: DatasetSource; traits: unknown };
  encoder: { site: EncoderSite; product: Encoder; traits: unknown };
  fusion: { site: FusionSite; product: Fusion; traits: unknown };
  objective: { site: ObjectiveSite; product: Objective; traits: TaskTraits };
  balancer: { site: BalancerSite; product: Balancer; traits: TaskTraits };
  optimizer: { site: OptimizerSite; product: Optimizer; traits: unknown };
  engine: { site: EngineSite; product: Engine; traits: EngineTraits };
}

export type PluginKind = keyof PluginKinds;

export const PLUGIN_KINDS = ["dataset", "encoder", "fusion", "objective", "balancer", "optimizer", "engine"] as const;

/** A named factory from validated options to one product of its kind. */
export type Plugin<K extends PluginKind = PluginKind, S extends z.ZodType = z.ZodType> = PluginKinds[K]["traits"] & {
  readonly kind: K;
  readonly name: string;
  /** One line for `exp ls plugins`. */
  readonly summary: string;
  /** Hash of the code of a plugin that did not come with merclab, set where it is loaded; part of a trial's identity. */
  readonly code?: string;
  /** A strict object with every default in it. */
  readonly options: S;
  create(options: z.output<S>, site: PluginKinds[K]["site"]): PluginKinds[K]["product"];
};

/** Keeps the type of the options between schema and factory. */
export function definePlugin<K extends PluginKind, S extends z.ZodType>(plugin: Plugin<K, S>): Plugin<K, S> {
  return plugin;
}

/** Looks plugins up by kind and name. */
export interface PluginRegistry {
  names(kind: PluginKind): readonly string[];
  /** @throws MerclabError `config` with the nearest known name */
  get<K extends PluginKind>(kind: K, name: string): Plugin<K>;
}
