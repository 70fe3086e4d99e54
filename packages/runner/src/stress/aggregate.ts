// Stress tests of an experiment: trials that differ by their seed alone make one group.
import stringify from "safe-stable-stringify";
import { mean, sampleStandardDeviation } from "simple-statistics";
import type { Scores, TrialSpec } from "../store/trial-files.ts";
import type { Condition } from "./perturb.ts";
import type { StressFile } from "./stress-file.ts";

export interface StressedTrial {
  readonly spec: TrialSpec;
  readonly stress: StressFile;
}

/** A number over seeds. */
export interface OverSeeds {
  readonly mean: number;
  /** Sample standard deviation; null with one seed. */
  readonly sd: number | null;
}

export interface StressGroup {
  readonly cell: TrialSpec["cell"];
  readonly seeds: readonly number[];
  readonly source: TrialSpec["data"]["source"];
  readonly modalities: readonly string[];
  readonly metric: string;
  /** Of each condition, the means over draws, by metric. */
  readonly conditions: readonly (Condition & { readonly scores: Readonly<Record<string, OverSeeds>> })[];
  /** null where some seed's model is no better than a constant prediction. */
  readonly robustness: OverSeeds | null;
  readonly auilc: OverSeeds;
  readonly clean: OverSeeds;
  readonly floor: OverSeeds;
}

/** Groups in the order of the trials. The trials must have been stressed with the same options. */
export function aggregateStress(trials: readonly StressedTrial[]): StressGroup[] {
  const groups = new Map<string, StressedTrial[]>();
  for (const trial of trials) {
    const key = stringify(trial.spec.cell) as string;
    groups.set(key, [...(groups.get(key) ?? []), trial]);
  }
  return [...groups.values()].map((members) => {
    const [first] = members as [StressedTrial, ...StressedTrial[]];
    const summary = (name: "auilc" | "clean" | "floor") => overSeeds(members.map(({ stress }) => stress.summary[name]));
    const kept = members.map(({ stress }) => stress.summary.value);
    return {
      cell: first.spec.cell,
      seeds: members.map(({ spec }) => spec.seed),
      source: first.spec.data.source,
      modalities: first.stress.modalities,
      metric: first.stress.metric,
      conditions: first.stress.conditions.map(({ n: _, mean: scores, sd: __, ...condition }, at) => ({
        ...condition,
        scores: scoresOverSeeds(
          Object.keys(scores),
          members.map(({ stress }) => stress.conditions[at]?.mean ?? {}),
        ),
      })),
      robustness: kept.includes(null) ? null : overSeeds(kept as number[]),
      auilc: summary("auilc"),
      clean: summary("clean"),
      floor: summary("floor"),
    };
  });
}

/** Metrics that every seed has. */
function scoresOverSeeds(names: readonly string[], scores: readonly Scores[]): Record<string, OverSeeds> {
  return Object.fromEntries(
    names
      .filter((name) => scores.every((each) => each[name] !== undefined))
      .map((name) => [name, overSeeds(scores.map((each) => each[name] ?? Number.NaN))]),
  );
}

function overSeeds(values: number[]): OverSeeds {
  return { mean: mean(values), sd: values.length > 1 ? sampleStandardDeviation(values) : null };
}
