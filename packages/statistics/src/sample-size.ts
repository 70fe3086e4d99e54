// How many seeds a paired t test needs, and what it can find with those at hand.
import { chiSquarePdf, normalCdf, studentQuantile } from "./distributions.ts";
import { checkShare } from "./samples.ts";

export interface Design {
  /** Two-sided chance of a false finding; divide by the number of comparisons for Holm's hardest step. */
  readonly alpha?: number;
  /** Chance of finding what is there. */
  readonly power?: number;
}

/**
 * The chance that a two-sided paired t test finds a mean difference: the tails of the noncentral t distribution, by
 * integrating the normal one over what the sample standard deviation may be.
 *
 * @param effect difference in standard deviations of the differences
 * @param seeds pairs, at least 2
 */
export function pairedPower(effect: number, seeds: number, alpha = 0.05): number {
  if (!Number.isSafeInteger(seeds) || seeds < 2) {
    throw new RangeError(`pairedPower: expected at least 2 seeds, got ${seeds}`);
  }
  checkShare("pairedPower: alpha", alpha);
  const degrees = seeds - 1;
  const critical = studentQuantile(1 - alpha / 2, degrees);
  const shift = Math.abs(effect) * Math.sqrt(seeds);
  // `ratio` is sample over true standard deviation; degrees · ratio² follows chi square.
  const reach = 12 / Math.sqrt(2 * degrees);
  const from = Math.max(1e-12, 1 - reach);
  // Above the second bound nothing is found: the normal tail beyond 10 is below 1e-23.
  const to = Math.min(1 + reach, (shift + 10) / critical);
  const step = Math.max(0, to - from) / INTERVALS;
  let total = 0;
  for (let i = 0; i <= INTERVALS; i++) {
    const ratio = from + i * step;
    const density = 2 * degrees * ratio * chiSquarePdf(degrees * ratio * ratio, degrees);
    const found = normalCdf(shift - critical * ratio, 0, 1) + normalCdf(-shift - critical * ratio, 0, 1);
    total += density * found * (i === 0 || i === INTERVALS ? 1 : i % 2 === 1 ? 4 : 2);
  }
  return Math.min(1, (total * step) / 3);
}

/** Of Simpson's rule; an even number. */
const INTERVALS = 2000;

/** No study has more seeds; what needs more is not worth finding. */
export const MOST_SEEDS = 1_000_000;

/**
 * The smallest number of seeds per method that finds a difference.
 *
 * @param difference and `sd`, that of the differences between two methods over seeds, in one unit
 * @returns at least 2; Infinity above `MOST_SEEDS`
 */
export function seedsNeeded(difference: number, sd: number, { alpha = 0.05, power = 0.8 }: Design = {}): number {
  if (!(difference > 0) || !(sd >= 0)) {
    throw new RangeError(`seedsNeeded: expected a positive difference and a spread, got ${difference} and ${sd}`);
  }
  checkShare("seedsNeeded: power", power);
  const enough = (seeds: number) => sd === 0 || pairedPower(difference / sd, seeds, alpha) >= power;
  let high = 2;
  while (!enough(high)) {
    high *= 2;
    if (high > MOST_SEEDS) {
      return Number.POSITIVE_INFINITY;
    }
  }
  let low = high === 2 ? 1 : high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (enough(middle)) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high;
}

/** The smallest difference, in the unit of `sd`, that this number of seeds finds. */
export function detectableDifference(seeds: number, sd: number, { alpha = 0.05, power = 0.8 }: Design = {}): number {
  checkShare("detectableDifference: power", power);
  let high = 1;
  while (pairedPower(high, seeds, alpha) < power) {
    high *= 2;
  }
  let low = 0;
  while (high - low > 1e-6 * high) {
    const middle = (low + high) / 2;
    if (pairedPower(middle, seeds, alpha) < power) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return high * sd;
}
