// Two methods on the same test utterances: a paired bootstrap that resamples dialogues and seeds together, since the
// utterances of a dialogue are not independent and a seed is a sample of all seeds. The pigeonhole bootstrap of crossed
// factors (Owen 2007), which errs on the careful side.
import { foldKey, type Key } from "@merclab/core";
import { mean, sampleStandardDeviation } from "simple-statistics";
import { studentQuantile, twoSidedStudent } from "./distributions.ts";
import type { Interval } from "./intervals.ts";
import { drawCounts } from "./resample.ts";
import { checkSample, checkShare } from "./samples.ts";

export interface PairedBootstrap {
  /** Mean over seeds with every dialogue once. */
  readonly difference: number;
  /** Of the difference, over dialogues and seeds. */
  readonly standardError: number;
  readonly interval: Interval;
  /** Two-sided. */
  readonly p: number;
}

/**
 * One of n seeds less is drawn (McCarthy and Snowden 1985), which makes the variance of a mean over few seeds right, and
 * the error is held against Student's t with n - 1 degrees of freedom: percentiles would find one difference in six
 * between equal methods with five seeds.
 *
 * @param difference score of the first method minus that of the second, of one seed, with `weights` `[dialogues]`: how
 *   often each dialogue was drawn
 * @param sizes number of seeds, at least 2, and of dialogues, at least 2
 */
export function pairedBootstrap(
  difference: (seed: number, weights: Float64Array) => number,
  sizes: { readonly seeds: number; readonly dialogues: number },
  key: Key,
  { level = 0.95, resamples = 1000 }: { readonly level?: number; readonly resamples?: number } = {},
): PairedBootstrap {
  const { seeds, dialogues } = sizes;
  if (seeds < 2 || dialogues < 2) {
    throw new RangeError(`pairedBootstrap: expected 2 seeds and dialogues or more, got ${seeds} and ${dialogues}`);
  }
  checkShare("pairedBootstrap: level", level);
  const once = new Float64Array(dialogues).fill(1);
  const observed = Array.from({ length: seeds }, (_, seed) => difference(seed, once));
  checkSample("pairedBootstrap: differences", observed, 2);
  const drawn = Array.from({ length: resamples }, (_, resample) => {
    const weights = drawCounts(foldKey(key, "dialogues", resample), dialogues, dialogues);
    const counts = drawCounts(foldKey(key, "seeds", resample), seeds, seeds - 1);
    return counts.reduce((sum, count, seed) => (count === 0 ? sum : sum + count * difference(seed, weights)), 0);
  });
  const standardError = sampleStandardDeviation(drawn) / (seeds - 1);
  const centre = mean(observed);
  const half = studentQuantile((1 + level) / 2, seeds - 1) * standardError;
  return {
    difference: centre,
    standardError,
    interval: { low: centre - half, high: centre + half },
    p: standardError > 0 ? twoSidedStudent(centre / standardError, seeds - 1) : centre === 0 ? 1 : 0,
  };
}
