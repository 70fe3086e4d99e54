// What a stored spec names, made again: data set, engine, and the trial that is trained with them.
import { availableParallelism } from "node:os";
import {
  type Dataset,
  type Engine,
  guardTestLabels,
  type LoadedDataset,
  MerclabError,
  PLUGIN_KINDS,
  type PluginKind,
  type PluginRegistry,
} from "@merclab/core";
import { createModel, type Trial, trainerOptions } from "@merclab/trainer";
import { modelParts } from "../config/plan.ts";
import type { ResolvedConfig, ResolvedPart, TrialSpec } from "../store/trial-files.ts";

export interface PartsSite {
  readonly registry: PluginRegistry;
  readonly dataRoot: string | undefined;
  /** Threads of the trial; undefined: one per core, or one where its engine uses one. */
  readonly threads: number | undefined;
}

/** The data set of a config, and its folder where it has one. */
export async function loadData(
  { dataset }: Pick<ResolvedConfig, "dataset">,
  { registry, dataRoot }: PartsSite,
): Promise<{ readonly loaded: LoadedDataset; readonly folder: string | undefined }> {
  const plugin = registry.get("dataset", dataset.name);
  const source = plugin.create(plugin.options.parse(dataset.options), { dataRoot });
  return { loaded: guardTestLabels(await source.load()), folder: source.folder };
}

/** @throws MerclabError `data` when the data are not those that the trial was planned with */
export async function loadPlannedData(spec: TrialSpec, site: PartsSite): Promise<LoadedDataset> {
  const { loaded, folder } = await loadData(spec.config, site);
  if (loaded.dataset.fingerprint !== spec.data.fingerprint) {
    throw new MerclabError("data", "the data changed since the trial was planned", {
      where: folder,
      hint: 'Run the experiment again: changed data make new trials ("exp plan" shows them).',
    });
  }
  return loaded;
}

/** Plugins whose code is not what it was when the trial was planned. */
export function changedCode(config: ResolvedConfig, registry: PluginRegistry): PluginKind[] {
  return PLUGIN_KINDS.filter((kind) => registry.get(kind, config[kind].name).code !== config[kind].code);
}

/** A worker loads plugins itself: what a user saved since the plan was made would train under the old trial's name. */
export function refuseChangedCode(config: ResolvedConfig, registry: PluginRegistry): void {
  for (const kind of changedCode(config, registry)) {
    throw new MerclabError("config", `the code of ${kind} ${config[kind].name} changed since the trial was planned`, {
      hint: 'Run the experiment again: changed code makes new trials ("exp plan" shows them).',
    });
  }
}

/** An engine that has started. @param cacheFolder where compiled graphs are kept, if anywhere */
export async function startEngine(
  { name, options }: ResolvedPart,
  { registry, threads: asked }: PartsSite,
  cacheFolder?: string,
) {
  const plugin = registry.get("engine", name);
  const threads = asked ?? (plugin.threads === "one" ? 1 : availableParallelism());
  if (threads > 1 && plugin.threads === "one") {
    throw new MerclabError("config", `engine ${plugin.name} runs a trial on one thread, not on ${threads}`);
  }
  const engine = plugin.create(plugin.options.parse(options), {
    threads,
    ...(cacheFolder === undefined ? {} : { cacheFolder }),
  });
  await engine.start();
  return { engine, plugin, threads };
}

/** The trial of a spec; counting and checking its model makes no tensor. */
export function createTrial(
  { config, seed }: Pick<TrialSpec, "config" | "seed">,
  dataset: Dataset,
  engine: Engine,
  registry: PluginRegistry,
): Trial {
  const plugin = registry.get("optimizer", config.optimizer.name);
  const options = trainerOptions.parse(config.trainer.options);
  return {
    model: createModel(modelParts(config, registry), dataset),
    optimizer: plugin.create(plugin.options.parse(config.optimizer.options), {
      epochs: options.epochs,
      stepsPerEpoch: Math.ceil(dataset.splits.train.length / options.batchSize),
    }),
    engine,
    dataset,
    options,
    seed,
  };
}
