// An experiment to its trials: datasets × matrix × seeds, every config resolved, every data set loaded and every
// model assembled, so that whatever is wrong is told before anything trains.
import { createHash } from "node:crypto";
import { type Dataset, MerclabError, type PluginRegistry } from "@merclab/core";
import { createModel } from "@merclab/trainer";
import stringify from "safe-stable-stringify";
import type { ResolvedConfig, TrialSpec } from "../store/trial-files.ts";
import type { Assignment, Axis } from "./assignments.ts";
import {
  type Cell,
  chooseDatasets,
  type DatasetName,
  flattenOnce,
  type LoadedPart,
  loadOnce,
  type PlanSite,
  tellFallback,
} from "./datasets.ts";
import { type Experiment, MAX_SEEDS, parseKey, seedList } from "./experiment.ts";
import type { ConfigGroups } from "./groups.ts";
import { type ResolvedCell, resolveConfig } from "./resolve.ts";

export interface StudyPlan {
  readonly experiment: Experiment;
  readonly trials: readonly TrialSpec[];
  /** What the reader must know before the first number: synthetic data, data sets that were not found. */
  readonly notices: readonly string[];
  /** The data sets in use, by the name of their choice. */
  readonly datasets: readonly LoadedPart[];
}

/**
 * @param overrides command-line assignments; several values make an axis; `datasets` and `seeds` replace the file's
 */
export async function planStudy(
  experiment: Experiment,
  overrides: readonly Axis[],
  site: PlanSite,
): Promise<StudyPlan> {
  const { own, datasetOverride, seedOverride } = sortOverrides(overrides);
  for (const override of own) {
    parseKey(override, ["datasets", "seeds"]);
  }
  for (const assignment of [...experiment.matrix, ...experiment.when.flatMap(({ set }) => set)]) {
    parseKey(assignment);
  }
  const fixed: Assignment[] = own
    .filter(({ values }) => values.length === 1)
    .map(({ key, values, where }) => ({ key, value: values[0] ?? null, where }));
  const overridden = new Set(own.map(({ key }) => key));
  const axes = [
    ...experiment.matrix.filter(({ key }) => !overridden.has(key)),
    ...own.filter(({ values }) => values.length > 1),
  ];
  const seeds = chooseSeeds(experiment, seedOverride);
  await checkWhen(experiment, site.groups);
  const cellsOf = (dataset: DatasetName): Cell[] => {
    const when = experiment.when.filter(({ datasets }) => datasets.includes(dataset.name)).flatMap(({ set }) => set);
    return combinations(axes).map((combination) => ({
      combination,
      layers: [experiment.base, when, combination, fixed],
    }));
  };
  const { names, notices, isFallback } = await chooseDatasets(experiment, datasetOverride, cellsOf, site);
  const loaded = new Map<string, LoadedPart>();
  const trials = new Map<string, TrialSpec>();
  for (const dataset of names) {
    for (const { combination, layers } of cellsOf(dataset)) {
      const cell = await resolveConfig(dataset, layers, site.groups, site.registry).catch((error: unknown) => {
        throw isFallback ? tellFallback(error, experiment) : error;
      });
      const { config } = cell;
      const { dataset: data } = await loadOnce(dataset.name, config.dataset, loaded, site);
      const label = describeCell(combination, cell);
      const { count } = createModelAt(cell, label, data, site, experiment);
      for (const seed of seeds) {
        const spec = { config, seed, data: { fingerprint: data.fingerprint, source: data.source } };
        const id = trialId(spec);
        if (!trials.has(id)) {
          trials.set(id, {
            schema: 1,
            id,
            experiment: experiment.name,
            title: experiment.title,
            cell: label,
            ...spec,
            parameters: count,
          });
        }
      }
    }
  }
  const datasets = [...loaded.values()];
  return {
    experiment,
    trials: interleaveSeeds([...trials.values()]),
    notices: [...notices, ...syntheticNotice(datasets)],
    datasets,
  };
}

/** Plugins and validated options of a resolved config's model. */
export function modelParts(config: ResolvedConfig, registry: PluginRegistry) {
  const part = <K extends "encoder" | "fusion" | "objective" | "balancer">(kind: K) => {
    const plugin = registry.get(kind, config[kind].name);
    return { plugin, options: plugin.options.parse(config[kind].options) };
  };
  return {
    encoder: part("encoder"),
    fusion: part("fusion"),
    objective: part("objective"),
    balancer: part("balancer"),
  };
}

/** Hash of everything that changes a number. */
export function trialId(spec: Pick<TrialSpec, "config" | "seed" | "data">): string {
  return createHash("sha256").update(stringify(spec)).digest("hex").slice(0, 12);
}

/** The last override of a key wins; `dataset=x` and `datasets=x` are one key. */
function sortOverrides(overrides: readonly Axis[]) {
  const byKey = new Map(overrides.map((axis) => [axis.key === "dataset" ? "datasets" : axis.key, axis]));
  const datasetOverride = byKey.get("datasets");
  const seedOverride = byKey.get("seeds");
  const own = [...byKey.values()].filter((axis) => axis !== datasetOverride && axis !== seedOverride);
  return { own, datasetOverride, seedOverride };
}

/** A `when` for a misspelt data set would never hold, silently. */
async function checkWhen(experiment: Experiment, groups: ConfigGroups): Promise<void> {
  for (const { datasets, where } of experiment.when) {
    for (const name of datasets) {
      await groups.choice("dataset", name, where);
    }
  }
}

function chooseSeeds(experiment: Experiment, override: Axis | undefined): readonly number[] {
  if (override === undefined) {
    return experiment.seeds;
  }
  const [first] = override.values;
  const isCount = override.values.length === 1 && !Array.isArray(first);
  const values = flattenOnce(override.values);
  const seeds = isCount && isSeed(first) && first <= MAX_SEEDS ? seedList(first) : isCount ? [] : values;
  if (seeds.length === 0 || !seeds.every(isSeed)) {
    throw new MerclabError("config", "seeds must be a positive number of seeds or a list of whole numbers from 0", {
      where: override.where,
      hint: `seeds=5 trains seeds 0 to 4 (at most ${MAX_SEEDS}); seeds=3,7 or seeds=[3] trains those.`,
    });
  }
  return [...new Set(seeds)];
}

function isSeed(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Assembles the model of a cell; what cannot be combined is told with the place where it was chosen, or its cell. */
function createModelAt(
  { config, places }: ResolvedCell,
  label: TrialSpec["cell"],
  data: Dataset,
  site: PlanSite,
  experiment: Experiment,
) {
  try {
    return createModel(modelParts(config, site.registry), data);
  } catch (error) {
    if (!(error instanceof MerclabError) || error.where !== undefined) {
      throw error;
    }
    const { code, message, hint } = error;
    const group = (["objective", "balancer"] as const).find((name) => message.startsWith(`${name} `));
    const place = group === undefined ? undefined : places[group];
    const axes = Object.entries(label).map(([key, value]) => `${key} ${String(value)}`);
    const where = place ?? `${experiment.file} (${axes.join(", ")})`;
    throw new MerclabError(code, message, { where, hint, cause: error });
  }
}

/** Every combination of the axes' values, the first axis changing slowest. */
function combinations(axes: readonly Axis[]): Assignment[][] {
  return axes.reduce<Assignment[][]>(
    (sofar, { key, values, where }) => sofar.flatMap((list) => values.map((value) => [...list, { key, value, where }])),
    [[]],
  );
}

/** The axis values that matter in this cell: `fusion.lmam.rank` says nothing where fusion is sdt. */
function describeCell(combination: readonly Assignment[], { choices, effective }: ResolvedCell): TrialSpec["cell"] {
  const cell: Record<string, string | number | boolean | null> = { dataset: choices.dataset };
  for (const assignment of combination) {
    if (effective.has(assignment)) {
      const { key, value } = assignment;
      cell[key] = typeof value === "object" && value !== null ? stringify(value) : value;
    }
  }
  return cell;
}

/** Seed by seed, so that every configuration has one result early. */
export function interleaveSeeds<T extends Pick<TrialSpec, "seed">>(trials: readonly T[]): T[] {
  return [...trials].sort((a, b) => a.seed - b.seed);
}

function syntheticNotice(datasets: readonly LoadedPart[]): string[] {
  return datasets.some(({ dataset }) => dataset.source === "synthetic")
    ? ["SYNTHETIC DATA: these numbers say nothing about any real corpus. Give real features with --data DIR."]
    : [];
}
