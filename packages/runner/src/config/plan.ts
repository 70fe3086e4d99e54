// An experiment to its trials: datasets × matrix × seeds, every config resolved, every data set loaded and every
// model assembled, so that whatever is wrong is told before anything trains.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Dataset, MerclabError, type PluginRegistry } from "@merclab/core";
import { createModel } from "@merclab/trainer";
import stringify from "safe-stable-stringify";
import { TRIAL_FILES, trialFolder } from "../store/experiment-store.ts";
import type { ResolvedConfig, ResolvedPart, TrialSpec } from "../store/trial-files.ts";
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
import {
  chooseAutoEngine,
  createEngineProber,
  type EngineChoice,
  type EngineProber,
  enginesByRank,
  requireEngine,
} from "./engines.ts";
import { type Experiment, MAX_SEEDS, parseKey, seedList } from "./experiment.ts";
import type { ConfigGroups } from "./groups.ts";
import { trialId } from "./identity.ts";
import { type ResolvedCell, resolveConfig } from "./resolve.ts";

export interface StudyPlan {
  readonly experiment: Experiment;
  /** The overrides but for seeds, in one order: plans of one variant follow one another, others stand beside it. */
  readonly variant: string;
  /** Whether the command line changed what the file says: then it may be a part of a study. */
  readonly isOverridden: boolean;
  readonly trials: readonly TrialSpec[];
  /** What the reader must know before the first number: synthetic data, data sets that were not found. */
  readonly notices: readonly string[];
  /** The data sets in use, by the name of their choice. */
  readonly datasets: readonly LoadedPart[];
  /** The engines of the trials, and why each was chosen. */
  readonly engines: readonly EngineChoice[];
}

/** A trial before its model is assembled. */
interface Draft {
  readonly cell: ResolvedCell;
  readonly combination: readonly Assignment[];
  readonly data: Dataset;
  readonly identity: Pick<TrialSpec, "config" | "seed" | "data">;
  readonly id: string;
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
  const overridden = new Map(own.map((axis) => [axis.key, axis]));
  const swept = new Set(experiment.matrix.map(({ key }) => key));
  // An axis of the file stays one when it is narrowed, so that its trials are the same ones to the letter.
  const fixed: Assignment[] = own
    .filter(({ key, values }) => values.length === 1 && !swept.has(key))
    .map(({ key, values, where }) => ({ key, value: values[0] ?? null, where }));
  const axes = [
    ...experiment.matrix.map((axis) => overridden.get(axis.key) ?? axis),
    ...own.filter(({ key, values }) => values.length > 1 && !swept.has(key)),
  ];
  const seeds = chooseSeeds(experiment, seedOverride);
  await checkWhen(experiment, site.groups);
  const allCombinations = combinations(axes);
  const cellsOf = (dataset: DatasetName): Cell[] => {
    const when = experiment.when.filter(({ datasets }) => datasets.includes(dataset.name)).flatMap(({ set }) => set);
    return allCombinations.map((combination) => ({
      combination,
      layers: [experiment.base, when, combination, fixed],
    }));
  };
  const { names, notices, isFallback } = await chooseDatasets(experiment, datasetOverride, cellsOf, site);
  const loaded = new Map<string, LoadedPart>();
  const draft = async (autoEngine: string): Promise<Draft[]> => {
    const drafts: Draft[] = [];
    for (const dataset of names) {
      for (const { combination, layers } of cellsOf(dataset)) {
        const load = (part: ResolvedPart) => loadOnce(dataset.name, part, loaded, site);
        const taskOf = async (part: ResolvedPart) => (await load(part)).dataset.task;
        const resolving = resolveConfig(dataset, layers, site.groups, site.registry, autoEngine, taskOf);
        const cell = await resolving.catch((error: unknown) => {
          throw isFallback ? tellFallback(error, experiment) : error;
        });
        const { config } = cell;
        const { dataset: found } = await load(config.dataset);
        const data = { fingerprint: found.fingerprint, source: found.source };
        for (const seed of seeds) {
          const identity = { config, seed, data };
          drafts.push({ cell, combination, data: found, identity, id: trialId(identity) });
        }
      }
    }
    return drafts;
  };
  const { drafts, engines } = await chooseEngines(draft, experiment, site);
  const datasets = [...loaded.values()];
  return {
    experiment,
    variant: variantOf([...own, ...(datasetOverride === undefined ? [] : [{ ...datasetOverride, key: "datasets" }])]),
    isOverridden: overrides.length > 0,
    trials: interleaveSeeds(assembleTrials(drafts, experiment, site)),
    notices: [...notices, ...syntheticNotice(datasets)],
    datasets,
    engines,
  };
}

/** Drafts with a concrete engine each, all of which work here or have nothing left to train. */
async function chooseEngines(
  draft: (autoEngine: string) => Promise<Draft[]>,
  experiment: Experiment,
  site: PlanSite,
): Promise<{ drafts: Draft[]; engines: EngineChoice[] }> {
  const { registry, runsFolder } = site;
  const isStored = ({ id }: Draft): boolean =>
    runsFolder !== undefined && existsSync(join(trialFolder(runsFolder, experiment.name, id), TRIAL_FILES.result));
  const [first = ""] = enginesByRank(registry);
  let drafts = await draft(first);
  const probe = createEngineProber(registry);
  const auto = drafts.some(({ cell }) => cell.isAutoEngine)
    ? await chooseAutoEngine(registry, probe, async (engine) => {
        // An engine that refuses the options of this study has no trial of it.
        const candidates = (engine === first ? drafts : await draft(engine).catch(() => [])).filter(
          ({ cell }) => cell.isAutoEngine,
        );
        return { stored: candidates.filter(isStored).length, of: candidates.length };
      })
    : undefined;
  if (auto !== undefined && auto.name !== first) {
    drafts = await draft(auto.name);
  }
  const named = await requireNamed(
    drafts.filter(({ cell }) => !cell.isAutoEngine),
    isStored,
    probe,
  );
  return { drafts, engines: auto === undefined ? named : [auto, ...named.filter(({ name }) => name !== auto.name)] };
}

/** The engines that were asked for by name. @throws MerclabError `engine` when one is needed and does not work */
async function requireNamed(
  drafts: readonly Draft[],
  isStored: (draft: Draft) => boolean,
  probe: EngineProber,
): Promise<EngineChoice[]> {
  const engineOf = ({ identity }: Draft) => identity.config.engine.name;
  return Promise.all(
    [...new Set(drafts.map(engineOf))].map((name) => {
      const members = drafts.filter((each) => engineOf(each) === name);
      const where = members[0]?.cell.places.engine;
      return members.every(isStored)
        ? { name, why: where ?? "asked for", found: undefined }
        : requireEngine(name, where, probe);
    }),
  );
}

/** Assembles each cell's model, so that what cannot be combined is told now; equal trials become one. */
function assembleTrials(drafts: readonly Draft[], experiment: Experiment, site: PlanSite): TrialSpec[] {
  const trials = new Map<string, TrialSpec>();
  const counts = new Map<Dataset, Map<string, TrialSpec["parameters"]>>();
  const assembled = new Map<ResolvedCell, Pick<TrialSpec, "cell" | "parameters" | "features" | "task">>();
  const assemble = ({ cell, combination, data }: Draft) => {
    const label = describeCell(combination, cell);
    const key = modelText(cell.config);
    const known = counts.get(data) ?? new Map<string, TrialSpec["parameters"]>();
    const parameters = known.get(key) ?? createModelAt(cell, label, data, site, experiment).count;
    counts.set(data, known.set(key, parameters));
    const features = Object.fromEntries(data.modalities.map((modality) => [modality.name, modality.dim]));
    return { cell: label, parameters, features, task: data.task };
  };
  const { name, title } = experiment;
  for (const draft of drafts) {
    const { cell, identity, id } = draft;
    const known = assembled.get(cell) ?? assemble(draft);
    assembled.set(cell, known);
    if (!trials.has(id)) {
      const { cell: label, ...others } = known;
      trials.set(id, { schema: 1, id, experiment: name, title, cell: label, ...identity, ...others });
    }
  }
  return [...trials.values()];
}

/** Everything but the data that a model is made of: cells that differ in how it is trained have one model. */
function modelText({ encoder, fusion, objective, balancer }: ResolvedConfig): string {
  return stringify([encoder, fusion, objective, balancer]) as string;
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

/** The last override of a key wins; `dataset=x` and `datasets=x` are one key. */
function sortOverrides(overrides: readonly Axis[]) {
  const byKey = new Map(overrides.map((axis) => [axis.key === "dataset" ? "datasets" : axis.key, axis]));
  const datasetOverride = byKey.get("datasets");
  const seedOverride = byKey.get("seeds");
  const own = [...byKey.values()].filter((axis) => axis !== datasetOverride && axis !== seedOverride);
  return { own, datasetOverride, seedOverride };
}

function variantOf(overrides: readonly Axis[]): string {
  return overrides
    .map(({ key, values }) => `${key}=${values.map((value) => stringify(value)).join(",")}`)
    .sort()
    .join(" ");
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
    (sofar, { key, values, where }) => {
      // The same objects in all combinations: what follows from one is found once.
      const assignments = values.map((value) => ({ key, value, where }));
      return sofar.flatMap((list) => assignments.map((each) => [...list, each]));
    },
    [[]],
  );
}

/** The axis values that matter in this cell: `fusion.lmam.rank` says nothing where fusion is sdt. */
function describeCell(combination: readonly Assignment[], { choices, effective }: ResolvedCell): TrialSpec["cell"] {
  const cell: Record<string, string | number | boolean | null> = { dataset: choices.dataset };
  for (const assignment of combination) {
    if (effective.has(assignment)) {
      const { key, value } = assignment;
      // An engine by the name of what `auto` stands for.
      cell[key] = key === "engine" ? choices.engine : cellValue(value);
    }
  }
  return cell;
}

/** What a table shows of an option: lists of names or numbers as `text+audio`, other objects as JSON. */
export function cellValue(value: unknown): string | number | boolean | null {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  const isPlainList =
    Array.isArray(value) && value.every((each) => typeof each === "string" || typeof each === "number");
  return isPlainList && value.length > 0 ? value.join("+") : (stringify(value) as string);
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
