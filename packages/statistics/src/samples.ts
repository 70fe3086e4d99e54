// What every statistic asks of its numbers.

/** @throws RangeError for NaN, an infinity, or fewer than `least` values */
export function checkSample(what: string, values: readonly number[], least: number): void {
  const stray = values.find((value) => !Number.isFinite(value));
  if (stray !== undefined) {
    throw new RangeError(`${what}: expected finite values, got ${stray}`);
  }
  if (values.length < least) {
    throw new RangeError(`${what}: expected at least ${least} values, got ${values.length}`);
  }
}

/** @throws RangeError for what is no probability strictly between 0 and 1 */
export function checkShare(what: string, value: number): void {
  if (!(value > 0 && value < 1)) {
    throw new RangeError(`${what}: expected a number between 0 and 1, got ${value}`);
  }
}

/**
 * `a[i] - b[i]`, rounding removed: two numbers that are equal on paper differ by their last bits, and so do differences.
 *
 * @throws RangeError for lengths that differ
 */
export function pairedDifferences(what: string, a: readonly number[], b: readonly number[]): number[] {
  if (a.length !== b.length) {
    throw new RangeError(`${what}: expected pairs, got ${a.length} and ${b.length} values`);
  }
  return a.map((value, i) => {
    const other = b[i] as number;
    const difference = value - other;
    return Math.abs(difference) <= 4 * Number.EPSILON * Math.max(Math.abs(value), Math.abs(other)) ? 0 : difference;
  });
}
