// The conditions of a stress test, in the order in which they are told.
import type { Condition } from "./perturb.ts";

export const STRESS_DEFAULTS = {
  /** Of every random condition. */
  draws: 5,
  seed: 0,
  noiseLevels: [0.25, 0.5, 1, 2, 4],
  /** Evenly from 0 to 1, both of which are measured: the area is taken over all of it. */
  missingRates: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
} as const;

export interface StressOptions {
  readonly draws: number;
  /** Of the draws: the same for every trial, so that models meet the same masks and the same noise. */
  readonly seed: number;
  readonly noiseLevels: readonly number[];
  readonly missingRates: readonly number[];
}

/** Beyond this many modalities subsets are those of one, and those that lack one. */
const MOST_FOR_ALL_SUBSETS = 5;

export function stressConditions(
  modalities: readonly string[],
  { noiseLevels, missingRates }: StressOptions,
): Condition[] {
  const noisy = [modalities, ...(modalities.length > 1 ? modalities.map((name) => [name]) : [])];
  return [
    ...subsets(modalities).map((each) => ({ kind: "subset", modalities: each }) as const),
    ...missingRates.map((rate) => ({ kind: "missing", rate }) as const),
    ...noisy.flatMap((each) => noiseLevels.map((level) => ({ kind: "noise", modalities: each, level }) as const)),
    ...modalities.map((modality) => ({ kind: "shuffled", modality }) as const),
  ];
}

/** All but the empty one, large ones first. */
export function subsets(names: readonly string[]): string[][] {
  if (names.length > MOST_FOR_ALL_SUBSETS) {
    return [[...names], ...names.map((left) => names.filter((name) => name !== left)), ...names.map((name) => [name])];
  }
  const all = Array.from({ length: 2 ** names.length - 1 }, (_, i) => names.filter((_name, at) => ((i + 1) >> at) & 1));
  return all.sort((a, b) => b.length - a.length);
}
