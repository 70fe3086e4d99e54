// Holm's step-down correction (1979): the chance of any false finding among all tests stays below the level, whatever
// their dependence.

/**
 * Corrected p-values in the order given: compare them with the level as they are.
 *
 * @param tests how many were made, where some are left out whose p is at least 1 divided by their number: these are
 *   corrected to 1, and change no other
 */
export function holmCorrection(pValues: readonly number[], tests = pValues.length): number[] {
  const stray = pValues.find((p) => !(p >= 0 && p <= 1));
  if (stray !== undefined) {
    throw new RangeError(`holmCorrection: expected p-values in [0, 1], got ${stray}`);
  }
  const ascending = Float64Array.from(pValues).sort();
  let largest = 0;
  const corrected = ascending.map((p, rank) => {
    largest = Math.max(largest, Math.min(1, p * (tests - rank)));
    return largest;
  });
  // Equal p-values share what the first of them gets: further ranks multiply by less.
  return pValues.map((p) => corrected[firstRank(ascending, p)] as number);
}

/** The place of the first of the values that equal one, which is among them. */
function firstRank(ascending: Float64Array, value: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
