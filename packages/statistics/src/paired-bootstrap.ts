// Two methods on the same test utterances: a paired bootstrap that resamples dialogues and seeds together, since the
// utterances of a dialogue are not independent and a seed is a sample of all seeds. The pigeonhole bootstrap of crossed
// factors (Owen 2007), which errs on the careful side.
import { foldKey, type Key } from "@merclab/core";
import { mean, sampleStandardDeviation } from "simple-statistics";
import { studentCdf, studentQuantile, twoSidedStudent } from "./distributions.ts";
import type { Interval } from "./intervals.ts";
import { drawCounts, drawResamples } from "./resample.ts";
import { checkSample, checkShare } from "./samples.ts";

export interface PairedBootstrap {
  /** Mean over seeds with every dialogue once. */
  readonly difference: number;
  /** Of the difference, over dialogues and seeds. */
  readonly standardError: number;
  readonly interval: Interval;
  /** Two-sided. */
  readonly p: number;
  /** Of two one-sided tests that the difference lies within ±margin; present where a margin was given. */
  readonly equivalence?: number;
}

/** `[resamples][dialogues]`: how often each dialogue was drawn. Two methods need the same draws. */
export function drawDialogues(key: Key, dialogues: number, resamples = 1000): Float64Array[] {
  if (dialogues < 2) {
    throw new RangeError(`drawDialogues: expected 2 dialogues or more, got ${dialogues}`);
  }
  return Array.from({ length: resamples }, (_, resample) =>
    drawCounts(foldKey(key, "dialogues", resample), dialogues, dialogues),
  );
}

/**
 * One of n seeds less is drawn (McCarthy and Snowden 1985), which makes the variance of a mean over few seeds right, and
 * the error is held against Student's t with n - 1 degrees of freedom: percentiles would find one difference in six
 * between equal methods with five seeds.
 *
 * @param observed `[seeds]`, at least 2: score of the first method minus that of the second, every dialogue once
 * @param drawn `[seeds][resamples]`: the same on the dialogues of `drawDialogues`, seeds in any order
 */
export function pairedBootstrap(
  observed: readonly number[],
  drawn: readonly ArrayLike<number>[],
  key: Key,
  { level = 0.95, margin }: { readonly level?: number; readonly margin?: number | undefined } = {},
): PairedBootstrap {
  checkSample("pairedBootstrap: differences", observed, 2);
  checkShare("pairedBootstrap: level", level);
  const resamples = drawn[0]?.length ?? 0;
  if (drawn.length !== observed.length || resamples < 2 || drawn.some(({ length }) => length !== resamples)) {
    throw new RangeError(`pairedBootstrap: expected the same draws of ${observed.length} seeds, 2 or more`);
  }
  // Which seed is drawn must not depend on the order in which they are given.
  const seeds = observed.length;
  const order = observed
    .map((_, seed) => seed)
    .sort((a, b) => (observed[a] as number) - (observed[b] as number) || compareRows(drawn[a], drawn[b]));
  const ordered = order.map((seed) => drawn[seed] as ArrayLike<number>);
  const draws = drawResamples(drawCounts, foldKey(key, "seeds"), seeds, seeds - 1, resamples);
  const means = draws.map((counts, resample) => {
    let sum = 0;
    for (let place = 0; place < seeds; place += 1) {
      sum += (counts[place] as number) * (ordered[place]?.[resample] as number);
    }
    return sum / (seeds - 1);
  });
  const standardError = sampleStandardDeviation(means);
  const difference = mean(order.map((seed) => observed[seed] as number));
  const half = studentQuantile((1 + level) / 2, seeds - 1) * standardError;
  return {
    difference,
    standardError,
    interval: { low: difference - half, high: difference + half },
    p: standardError > 0 ? twoSidedStudent(difference / standardError, seeds - 1) : difference === 0 ? 1 : 0,
    ...(margin === undefined ? {} : { equivalence: equivalenceOf(difference, standardError, margin, seeds) }),
  };
}

function equivalenceOf(difference: number, standardError: number, margin: number, seeds: number): number {
  const excess = Math.abs(difference) - margin;
  return standardError > 0 ? studentCdf(excess / standardError, seeds - 1) : excess < 0 ? 0 : 1;
}

function compareRows(a: ArrayLike<number> = [], b: ArrayLike<number> = []): number {
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] !== b[i]) {
      return (a[i] as number) - (b[i] as number);
    }
  }
  return 0;
}
