// Two methods over the same seeds: Student's paired t test, and the test that their difference is small.
import { mean, sampleStandardDeviation } from "simple-statistics";
import { studentCdf, studentQuantile, twoSidedStudent } from "./distributions.ts";
import type { Interval } from "./intervals.ts";
import { checkSample, checkShare, pairedDifferences } from "./samples.ts";

export interface PairedTest {
  /** Number of pairs. */
  readonly n: number;
  /** Mean of `a[i] - b[i]`. */
  readonly difference: number;
  /** Sample standard deviation of the differences. */
  readonly sd: number;
  /** Of the difference. */
  readonly interval: Interval;
  /** Two-sided. */
  readonly p: number;
  /** Difference in standard deviations of the differences (Cohen's d_z). Absent where these do not vary. */
  readonly effect?: number;
}

/**
 * @param a one value per seed
 * @param b of the same seeds, in the same order
 * @returns p is 1 where all pairs are equal, and 0 where they all differ by the same: nothing varies then, and what
 *   that is worth is for the caller to say
 * @throws RangeError for fewer than two pairs, or no pairs at all
 */
export function pairedTTest(a: readonly number[], b: readonly number[], level = 0.95): PairedTest {
  const { n, difference, sd, error } = describePairs("pairedTTest", a, b);
  checkShare("pairedTTest: level", level);
  const half = studentQuantile((1 + level) / 2, n - 1) * error;
  const interval = { low: difference - half, high: difference + half };
  const p = error > 0 ? twoSidedStudent(difference / error, n - 1) : difference === 0 ? 1 : 0;
  return { n, difference, sd, interval, p, ...(sd > 0 ? { effect: difference / sd } : {}) };
}

/**
 * Whether p of `pairedTTest` is above a bound: told sooner than p itself, which needs the distribution. False as well
 * where only `pairedTTest` can say: differences that hardly vary, and what it refuses.
 */
export function isPairedPAbove(bound: number, a: readonly number[], b: readonly number[]): boolean {
  checkShare("isPairedPAbove: bound", bound);
  const n = Math.min(a.length, b.length);
  let [sum, largest] = [0, 0];
  for (let i = 0; i < n; i += 1) {
    sum += (a[i] as number) - (b[i] as number);
    largest = Math.max(largest, Math.abs(a[i] as number), Math.abs(b[i] as number));
  }
  const difference = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i += 1) {
    squares += ((a[i] as number) - (b[i] as number) - difference) ** 2;
  }
  const sd = Math.sqrt(squares / (n - 1));
  const isVaried = n > 1 && a.length === b.length && sd > 1e-9 * largest;
  return isVaried && (Math.abs(difference) * Math.sqrt(n)) / sd < studentQuantile(1 - bound / 2, n - 1);
}

/**
 * Two one-sided tests (Schuirmann 1987) that the mean difference lies within ±margin.
 *
 * @param margin in the unit of the values
 * @returns p, the larger of the two: small where the methods are equivalent
 */
export function pairedEquivalence(a: readonly number[], b: readonly number[], margin: number): number {
  const { n, difference, error } = describePairs("pairedEquivalence", a, b);
  if (!(margin > 0)) {
    throw new RangeError(`pairedEquivalence: expected a positive margin, got ${margin}`);
  }
  if (error === 0) {
    return Math.abs(difference) < margin ? 0 : 1;
  }
  return studentCdf((Math.abs(difference) - margin) / error, n - 1);
}

/** The order of the pairs changes nothing, not even a last bit. */
function describePairs(what: string, a: readonly number[], b: readonly number[]) {
  checkSample(what, a, 2);
  checkSample(what, b, 2);
  const differences = pairedDifferences(what, a, b).sort((x, y) => x - y);
  const difference = mean(differences);
  const spread = sampleStandardDeviation(differences);
  // What rounding leaves of differences that are the same is no spread.
  const sd = spread <= 8 * Number.EPSILON * Math.max(largestSize(a), largestSize(b)) ? 0 : spread;
  return { n: differences.length, difference, sd, error: sd / Math.sqrt(differences.length) };
}

function largestSize(values: readonly number[]): number {
  let largest = 0;
  for (const value of values) {
    largest = Math.max(largest, Math.abs(value));
  }
  return largest;
}
