// Medians of interleaved times, and how sure their ratio is.
import { drawUniform, keyFromSeed } from "@merclab/core";

/** Milliseconds of one side, `[round][batch]`. */
export type Times = readonly (readonly number[])[];

const RESAMPLES = 2000;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** The median of every batch over rounds. */
export function batchMedians(times: Times): number[] {
  return (times[0] ?? []).map((_, batch) => median(times.map((round) => round[batch] ?? Number.NaN)));
}

export function sumOfMedians(times: Times): number {
  return batchMedians(times).reduce((sum, ms) => sum + ms, 0);
}

/**
 * The middle 95 % of the ratio of two sides' sums of medians when rounds are drawn anew with replacement (bootstrap,
 * Efron 1979). A round of one side stays with the same round of the other, since noise hits both.
 */
export function bootstrapRatio(first: Times, second: Times): readonly [low: number, high: number] {
  const rounds = first.length;
  const places = drawUniform(keyFromSeed(0), RESAMPLES * rounds, 0, rounds);
  const ratios = Array.from({ length: RESAMPLES }, (_, i) => {
    const drawn = [...places.subarray(i * rounds, (i + 1) * rounds)].map(Math.floor);
    const pick = (times: Times) => drawn.map((round) => times[round] ?? []);
    return sumOfMedians(pick(first)) / sumOfMedians(pick(second));
  }).sort((a, b) => a - b);
  const at = (share: number) => ratios[Math.round(share * (RESAMPLES - 1))] ?? Number.NaN;
  return [at(0.025), at(0.975)];
}
