// An experiment to its trials: datasets × matrix × seeds, every config resolved, every data set loaded and every
// model assembled, so that whatever is wrong is told before anything trains.
import { createHash } from "node:crypto";
import { type Dataset, MerclabError, type PluginRegistry } from "@merclab/core";
import { createModel } from "@merclab/trainer";
import stringify from "safe-stable-stringify";
import type { ResolvedConfig, ResolvedPart, TrialSpec } from "../store/trial-files.ts";
import type { Assignment, AssignmentValue, Axis } from "./assignments.ts";
import { type Experiment, parseKey, seedList } from "./experiment.ts";
import type { ConfigGroups, Group } from "./groups.ts";
import { resolveConfig } from "./resolve.ts";

/** What plans an experiment: plugins, config groups and data root. */
export interface PlanSite {
  readonly registry: PluginRegistry;
  readonly groups: ConfigGroups;
  readonly dataRoot: string | undefined;
}

export interface StudyPlan {
  readonly experiment: Experiment;
  readonly trials: readonly TrialSpec[];
  /** What the reader must know before the first number: synthetic data, data sets that were not found. */
  readonly notices: readonly string[];
  /** The data sets in use, by the name of their choice. */
  readonly datasets: readonly { readonly name: string; readonly dataset: Dataset }[];
}

const FALLBACK_DATASET = "synthetic";

/**
 * @param overrides command-line assignments; several values make an axis; `datasets` and `seeds` replace the file's
 */
export async function planStudy(
  experiment: Experiment,
  overrides: readonly Axis[],
  site: PlanSite,
): Promise<StudyPlan> {
  const own = overrides.filter(({ key }) => key !== "datasets" && key !== "seeds");
  own.forEach(parseKey);
  experiment.matrix.forEach(parseKey);
  const fixed: Assignment[] = own
    .filter(({ values }) => values.length === 1)
    .map(({ key, values, where }) => ({ key, value: values[0] ?? null, where }));
  const overridden = new Set(own.map(({ key }) => key));
  const axes = [
    ...experiment.matrix.filter(({ key }) => !overridden.has(key)),
    ...own.filter(({ values }) => values.length > 1),
  ];
  const { datasets, notices } = await chooseDatasets(experiment, overrides, site);
  const seeds = chooseSeeds(experiment, overrides);
  const loaded = new Map<string, Dataset>();
  const trials = new Map<string, TrialSpec>();
  for (const dataset of datasets) {
    const when = experiment.when
      .filter(({ datasets: named }) => named.includes(dataset.name))
      .flatMap(({ set }) => set);
    for (const combination of combinations(axes)) {
      const layers = [experiment.base, when, combination, fixed];
      const { config, choices } = await resolveConfig(dataset, layers, site.groups, site.registry);
      const data = await loadOnce(config.dataset, loaded, site);
      const { count } = createModel(modelParts(config, site.registry), data);
      const cell = await describeCell(combination, choices, site.groups);
      for (const seed of seeds) {
        const spec = { config, seed, data: { fingerprint: data.fingerprint, source: data.source } };
        const id = trialId(spec);
        if (!trials.has(id)) {
          trials.set(id, {
            schema: 1,
            id,
            experiment: experiment.name,
            title: experiment.title,
            cell,
            ...spec,
            parameters: count,
          });
        }
      }
    }
  }
  return {
    experiment,
    trials: interleaveSeeds([...trials.values()]),
    notices: [...notices, ...syntheticNotice([...loaded.values()])],
    datasets: datasets.map(({ name }) => ({ name, dataset: datasetNamed(name, [...trials.values()], loaded) })),
  };
}

/** Plugins and validated options of a resolved config's model. */
export function modelParts(config: ResolvedConfig, registry: PluginRegistry) {
  const part = <K extends "encoder" | "fusion" | "objective">(kind: K) => {
    const plugin = registry.get(kind, config[kind].name);
    return { plugin, options: plugin.options.parse(config[kind].options) };
  };
  return { encoder: part("encoder"), fusion: part("fusion"), objective: part("objective") };
}

/** Hash of everything that changes a number. */
function trialId(spec: Pick<TrialSpec, "config" | "seed" | "data">): string {
  return createHash("sha256").update(stringify(spec)).digest("hex").slice(0, 12);
}

async function chooseDatasets(experiment: Experiment, overrides: readonly Axis[], site: PlanSite) {
  const override = overrides.find(({ key }) => key === "datasets");
  const wanted =
    override === undefined
      ? experiment.datasets
      : override.values.map((value) => ({ name: String(value), where: override.where ?? "command line" }));
  const found: (typeof wanted)[number][] = [];
  const missing: string[] = [];
  for (const each of wanted) {
    const source = await datasetSource(each, site);
    if (source.exists()) {
      found.push(each);
    } else if (override !== undefined) {
      throw new MerclabError("data", `data set "${each.name}" was not found`, {
        where: source.folder ?? each.where,
        hint: 'Give the folder that holds the data sets with --data DIR; "exp ls datasets" shows what is found.',
      });
    } else {
      missing.push(each.name);
    }
  }
  const notices = missing.length > 0 && found.length > 0 ? [`not found, left out: ${missing.join(", ")}`] : [];
  const datasets = found.length > 0 ? found : [{ name: FALLBACK_DATASET, where: experiment.file }];
  return { datasets, notices };
}

async function datasetSource(dataset: { readonly name: string; readonly where: string }, site: PlanSite) {
  const choice = await site.groups.choice("dataset", dataset.name, dataset.where);
  const plugin = site.registry.get("dataset", choice.plugin ?? dataset.name);
  const options = Object.fromEntries(
    choice.options.map(({ key, value }) => [key.split(".").slice(1).join("."), value]),
  );
  return plugin.create(plugin.options.parse(options), { dataRoot: site.dataRoot });
}

function chooseSeeds(experiment: Experiment, overrides: readonly Axis[]): readonly number[] {
  const override = overrides.find(({ key }) => key === "seeds");
  if (override === undefined) {
    return experiment.seeds;
  }
  const values = override.values.flatMap((value) => (Array.isArray(value) ? value : [value])) as AssignmentValue[];
  const [first] = values;
  const isCount = override.values.length === 1 && !Array.isArray(override.values[0]);
  const seeds = isCount && Number.isSafeInteger(first) ? seedList(Number(first)) : values.map(Number);
  if (seeds.length === 0 || seeds.some((seed) => !Number.isSafeInteger(seed) || seed < 0)) {
    throw new MerclabError("config", "seeds must be a positive number of seeds or a list of whole numbers from 0", {
      where: override.where,
      hint: "seeds=5 trains seeds 0 to 4; seeds=3,7 or seeds=[3] trains those.",
    });
  }
  return seeds;
}

async function loadOnce(part: ResolvedPart, loaded: Map<string, Dataset>, site: PlanSite): Promise<Dataset> {
  const id = stringify(part);
  const known = loaded.get(id);
  if (known !== undefined) {
    return known;
  }
  const plugin = site.registry.get("dataset", part.name);
  const source = plugin.create(plugin.options.parse(part.options), { dataRoot: site.dataRoot });
  const { dataset } = await source.load();
  loaded.set(id, dataset);
  return dataset;
}

function datasetNamed(name: string, trials: readonly TrialSpec[], loaded: ReadonlyMap<string, Dataset>): Dataset {
  const spec = trials.find(({ cell }) => cell.dataset === name);
  const dataset = spec === undefined ? undefined : loaded.get(stringify(spec.config.dataset));
  if (dataset === undefined) {
    throw new Error(`data set ${name} has no trial`);
  }
  return dataset;
}

/** Every combination of the axes' values, the first axis changing slowest. */
function combinations(axes: readonly Axis[]): Assignment[][] {
  return axes.reduce<Assignment[][]>(
    (sofar, { key, values, where }) => sofar.flatMap((list) => values.map((value) => [...list, { key, value, where }])),
    [[]],
  );
}

/** The axis values that matter in this cell: `fusion.lmam.rank` says nothing where fusion is sdt. */
async function describeCell(
  combination: readonly Assignment[],
  choices: Readonly<Record<Group, string>>,
  groups: ConfigGroups,
): Promise<TrialSpec["cell"]> {
  const cell: Record<string, string | number | boolean | null> = { dataset: choices.dataset };
  for (const { key, value, where } of combination) {
    const { group, rest } = parseKey({ key, where });
    const [choice = ""] = rest;
    const conditional = rest.length > 1 && (await groups.names(group)).includes(choice);
    if (!conditional || choices[group] === choice) {
      cell[key] = typeof value === "object" && value !== null ? stringify(value) : value;
    }
  }
  return cell;
}

/** Seed by seed, so that every configuration has one result early. */
function interleaveSeeds(trials: readonly TrialSpec[]): TrialSpec[] {
  return [...trials].sort((a, b) => a.seed - b.seed);
}

function syntheticNotice(datasets: readonly Dataset[]): string[] {
  return datasets.some(({ source }) => source === "synthetic")
    ? ["SYNTHETIC DATA: these numbers say nothing about any real corpus. Give real features with --data DIR."]
    : [];
}
