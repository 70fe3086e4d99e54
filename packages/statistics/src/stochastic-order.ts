// Almost stochastic order over seeds (del Barrio et al. 2018; Dror, Shlomov and Reichart 2019): how far one method is
// from being better at every quantile of its scores, and an upper bound of that.
import { foldKey, type Key } from "@merclab/core";
import { sampleStandardDeviation } from "simple-statistics";
import { normalQuantile } from "./distributions.ts";
import { drawIndices, drawResamples } from "./resample.ts";
import { checkSample, checkShare } from "./samples.ts";

/**
 * The share of the squared distance between two distributions where the first has the lower quantile: 0 where the first
 * is better everywhere, 1 where the second is, 1/2 where they are equal.
 *
 * @param first scores, more is better
 */
export function violationRatio(first: readonly number[], second: readonly number[]): number {
  checkSample("violationRatio", first, 1);
  checkSample("violationRatio", second, 1);
  const [a, b] = [first, second].map((values) => [...values].sort((x, y) => x - y)) as [number[], number[]];
  let violated = 0;
  let total = 0;
  // Quantile functions are steps: walk along the edges of both, in units of 1 / (a.length · b.length).
  for (let i = 0, j = 0, at = 0; i < a.length && j < b.length; ) {
    const end = Math.min((i + 1) * b.length, (j + 1) * a.length);
    const gap = (a[i] as number) - (b[j] as number);
    total += (end - at) * gap * gap;
    violated += gap < 0 ? (end - at) * gap * gap : 0;
    at = end;
    i += end === (i + 1) * b.length ? 1 : 0;
    j += end === (j + 1) * a.length ? 1 : 0;
  }
  return total === 0 ? 0.5 : violated / total;
}

/**
 * The smallest ε for which the first method is almost stochastically better at the confidence asked for: below 1/2 it is,
 * and the papers above advise 0.2.
 */
export function almostStochasticOrder(
  first: readonly number[],
  second: readonly number[],
  key: Key,
  { confidence = 0.95, resamples = 1000 }: { readonly confidence?: number; readonly resamples?: number } = {},
): number {
  checkSample("almostStochasticOrder", first, 2);
  checkSample("almostStochasticOrder", second, 2);
  checkShare("almostStochasticOrder: confidence", confidence);
  const observed = violationRatio(first, second);
  const drawsOf = ({ length }: readonly number[], name: string) =>
    drawResamples(drawIndices, foldKey(key, name), length, length, resamples);
  const [a, b] = [first, second].map((values) => [...values].sort((x, y) => x - y)) as [number[], number[]];
  const [ofFirst, ofSecond] = [drawsOf(a, "first"), drawsOf(b, "second")];
  const drawn = ofFirst.map((indices, resample) =>
    violationRatio(pick(a, indices), pick(b, ofSecond[resample] as Int32Array)),
  );
  const bound = observed + sampleStandardDeviation(drawn) * normalQuantile(confidence, 0, 1);
  return Math.min(1, Math.max(0, bound));
}

function pick(values: readonly number[], indices: Int32Array): number[] {
  return Array.from(indices, (index) => values[index] as number);
}
