// Confidence intervals of a mean over seeds.
import type { Key } from "@merclab/core";
import { mean, quantileSorted, sampleStandardDeviation } from "simple-statistics";
import { studentQuantile } from "./distributions.ts";
import { drawIndices, drawResamples } from "./resample.ts";
import { checkSample, checkShare } from "./samples.ts";

/** In the unit of the values. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Student's interval of a mean: exact for normal values, and right at three or five seeds, where the percentile bootstrap
 * is far too narrow.
 *
 * @param level e.g. 0.95
 * @throws RangeError for fewer than two values
 */
export function studentInterval(values: readonly number[], level = 0.95): Interval {
  checkSample("studentInterval", values, 2);
  checkShare("studentInterval: level", level);
  const copy = [...values].sort((a, b) => a - b);
  const half =
    (studentQuantile((1 + level) / 2, copy.length - 1) * sampleStandardDeviation(copy)) / Math.sqrt(copy.length);
  const centre = mean(copy);
  return { low: centre - half, high: centre + half };
}

/**
 * Percentile bootstrap of the mean (Efron 1979). With n values it behaves as if their variance were (n - 1)/n of what it
 * is and their mean normal: use it from about 20 values on.
 *
 * @param resamples how many times the values are drawn with replacement
 * @throws RangeError for fewer than two values
 */
export function bootstrapInterval(
  values: readonly number[],
  key: Key,
  { level = 0.95, resamples = 10_000 }: { readonly level?: number; readonly resamples?: number } = {},
): Interval {
  checkSample("bootstrapInterval", values, 2);
  checkShare("bootstrapInterval: level", level);
  const sorted = [...values].sort((a, b) => a - b);
  const means = new Float64Array(resamples);
  for (const [resample, indices] of drawResamples(
    drawIndices,
    key,
    sorted.length,
    sorted.length,
    resamples,
  ).entries()) {
    let sum = 0;
    for (let i = 0; i < indices.length; i += 1) {
      sum += sorted[indices[i] as number] as number;
    }
    means[resample] = sum / sorted.length;
  }
  const ordered = Array.from(means.sort());
  return { low: quantileSorted(ordered, (1 - level) / 2), high: quantileSorted(ordered, (1 + level) / 2) };
}
