// The data sets of a plan: which of those named can be loaded, what stands in when none can, and each loaded once.
import { type Dataset, type DatasetSource, guardTestLabels, MerclabError, type PluginRegistry } from "@merclab/core";
import stringify from "safe-stable-stringify";
import type { ResolvedPart } from "../store/trial-files.ts";
import type { Assignment, AssignmentValue, Axis } from "./assignments.ts";
import type { Experiment } from "./experiment.ts";
import type { ConfigGroups } from "./groups.ts";
import { resolveDataset } from "./resolve.ts";

/** What plans an experiment: plugins, config groups and data root. */
export interface PlanSite {
  readonly registry: PluginRegistry;
  readonly groups: ConfigGroups;
  readonly dataRoot: string | undefined;
  /** Where trials may be stored already; `auto` keeps the engine that they ran on. */
  readonly runsFolder?: string;
}

export interface DatasetName {
  readonly name: string;
  readonly where: string;
}

/** One combination of the axes. */
export interface Cell {
  readonly combination: readonly Assignment[];
  /** Weakest first. */
  readonly layers: readonly (readonly Assignment[])[];
}

export interface LoadedPart {
  /** The name of its choice. */
  readonly name: string;
  readonly dataset: Dataset;
  readonly folder: string | undefined;
}

const FALLBACK_DATASET = "synthetic";

export async function chooseDatasets(
  experiment: Experiment,
  override: Axis | undefined,
  cellsOf: (dataset: DatasetName) => readonly Cell[],
  site: PlanSite,
) {
  const wanted: readonly DatasetName[] =
    override === undefined
      ? experiment.datasets
      : flattenOnce(override.values).map((value) => ({
          name: String(value),
          where: override.where ?? "command line",
        }));
  if (wanted.length === 0) {
    throw new MerclabError("config", "datasets names none", { where: override?.where, hint: "datasets=meld,iemocap" });
  }
  const found: DatasetName[] = [];
  const missing: string[] = [];
  for (const each of wanted) {
    const lacking = await missingFolder(each, cellsOf(each), site);
    if (lacking === undefined) {
      found.push(each);
    } else if (override !== undefined) {
      throw new MerclabError("data", `data set "${each.name}" was not found`, {
        where: lacking.folder ?? each.where,
        hint: 'Give the folder that holds the data sets with --data DIR; "exp ls datasets" shows what is found.',
      });
    } else {
      missing.push(each.name);
    }
  }
  const isFallback = found.length === 0;
  const notices =
    missing.length === 0
      ? []
      : [
          `not found${isFallback ? "" : ", left out"}: ${missing.join(", ")}${isFallback ? "; synthetic data instead" : ""}`,
        ];
  return { names: isFallback ? [{ name: FALLBACK_DATASET, where: experiment.file }] : found, notices, isFallback };
}

/** The first folder that a data set lacks; undefined when it can be loaded, or must be since its path was given. */
async function missingFolder(
  dataset: DatasetName,
  cells: readonly Cell[],
  site: PlanSite,
): Promise<{ folder: string | undefined } | undefined> {
  const seen = new Set<ResolvedPart>();
  for (const { layers } of cells) {
    const part = await resolveDataset(dataset, layers, site.groups, site.registry);
    if (seen.has(part)) {
      continue;
    }
    seen.add(part);
    const source = createSource(part, site);
    if (!source.exists() && part.options.path === undefined) {
      return { folder: source.folder };
    }
  }
  return undefined;
}

function createSource(part: ResolvedPart, { registry, dataRoot }: PlanSite): DatasetSource {
  const plugin = registry.get("dataset", part.name);
  return plugin.create(plugin.options.parse(part.options), { dataRoot });
}

/** What an option for real data means when there are none. */
export function tellFallback(error: unknown, { datasets }: Experiment): unknown {
  if (!(error instanceof MerclabError) || !error.message.startsWith(`dataset ${FALLBACK_DATASET}`)) {
    return error;
  }
  const names = datasets.map(({ name }) => name).join(", ");
  return new MerclabError(error.code, error.message, {
    where: error.where,
    hint: `Synthetic data stand in, since none of ${names} was found: give --data DIR, or leave this option out.`,
    cause: error,
  });
}

export async function loadOnce(
  name: string,
  part: ResolvedPart,
  loaded: Map<string, LoadedPart>,
  site: PlanSite,
): Promise<LoadedPart> {
  const id = `${name} ${textOf(part)}`;
  const known = loaded.get(id);
  if (known !== undefined) {
    return known;
  }
  const source = createSource(part, site);
  const { dataset } = guardTestLabels(await source.load());
  const fresh = { name, dataset, folder: source.folder };
  loaded.set(id, fresh);
  return fresh;
}

/** Cells that agree on a data set have the same object. */
const texts = new WeakMap<ResolvedPart, string>();

function textOf(part: ResolvedPart): string {
  const text = texts.get(part) ?? (stringify(part) as string);
  texts.set(part, text);
  return text;
}

/** `a,b` and `[a, b]` are the same list. */
export function flattenOnce(values: readonly AssignmentValue[]): AssignmentValue[] {
  return values.flatMap((value): readonly AssignmentValue[] =>
    Array.isArray(value) ? (value as AssignmentValue[]) : [value],
  );
}
