// What a cell says of one number over seeds. The spread is the sample standard deviation (n - 1), as NumPy's
// `std(ddof=1)`: a study's seeds are a sample of all seeds.
import { keyFromSeed } from "@merclab/core";
import { bootstrapInterval, type Interval, studentInterval } from "@merclab/statistics";
import { max, mean, min, sampleStandardDeviation } from "simple-statistics";

/** In the unit of the values. */
export interface Statistics {
  readonly n: number;
  /** Absent without values. */
  readonly mean?: number;
  /** Sample standard deviation; absent for fewer than two values, which have none. */
  readonly sd?: number;
  /** 95 % interval of the mean over all seeds; absent for fewer than two values. */
  readonly interval?: Interval;
  readonly min?: number;
  readonly max?: number;
}

/** Every table draws the same. */
const KEY = keyFromSeed(0);
const RESAMPLES = 2000;

/**
 * @param interval Student's without it, which is right for few values
 * @param values finite; their order may change the last bit, so give them in one that does not depend on chance
 * @throws RangeError for NaN or an infinity, which would spread silently
 */
export function describeValues(values: readonly number[], interval: "student" | "bootstrap" = "student"): Statistics {
  const stray = values.find((value) => !Number.isFinite(value));
  if (stray !== undefined) {
    throw new RangeError(`describeValues: expected finite values, got ${stray}`);
  }
  if (values.length === 0) {
    return { n: 0 };
  }
  const copy = [...values];
  const intervalOf = (sample: number[]) =>
    interval === "student" ? studentInterval(sample) : bootstrapInterval(sample, KEY, { resamples: RESAMPLES });
  return {
    n: copy.length,
    mean: mean(copy),
    ...(copy.length > 1 ? { sd: sampleStandardDeviation(copy), interval: intervalOf(copy) } : {}),
    min: min(copy),
    max: max(copy),
  };
}
