// How far numbers are from what they should be.

/** Where numbers differ most, relative to what is expected where that is above 1; NaN is infinitely far. */
export interface Difference {
  readonly largest: number;
  /** Row of the largest difference. */
  readonly row: number;
}

export function differenceOfRows(
  actual: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): Difference {
  let worst: Difference = { largest: actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY, row: 0 };
  expected.forEach((wanted, row) => {
    wanted.forEach((value, k) => {
      const difference = Math.abs((actual[row]?.[k] ?? Number.NaN) - value) / Math.max(1, Math.abs(value));
      if (!(difference <= worst.largest)) {
        worst = { largest: Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference, row };
      }
    });
  });
  return worst;
}

/** Three significant digits: "1.2e-7", "0.03". */
export function short(value: number): string {
  return value === 0 || !Number.isFinite(value) ? String(value) : Number(value.toPrecision(2)).toString();
}
