// Holm's step-down correction (1979): the chance of any false finding among all tests stays below the level, whatever
// their dependence.

/** Corrected p-values in the order given: compare them with the level as they are. */
export function holmCorrection(pValues: readonly number[]): number[] {
  const stray = pValues.find((p) => !(p >= 0 && p <= 1));
  if (stray !== undefined) {
    throw new RangeError(`holmCorrection: expected p-values in [0, 1], got ${stray}`);
  }
  const corrected = new Array<number>(pValues.length);
  let largest = 0;
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  order.forEach(({ p, index }, rank) => {
    largest = Math.max(largest, Math.min(1, p * (pValues.length - rank)));
    corrected[index] = largest;
  });
  return corrected;
}
