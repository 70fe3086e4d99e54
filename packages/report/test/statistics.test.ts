import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeValues } from "../src/index.ts";

// Printed by NumPy 2.4.6: float64 `mean()` and `std(ddof=1)`.
const NUMPY: readonly [readonly number[], number, number][] = [
  [[0.7408, 0.7353, 0.7461, 0.7399, 0.7377], 0.73996, 0.004038316480911327],
  [[1000000001, 1000000002, 1000000004], 1000000002.3333334, 1.5275252316519474],
  [[0.1, 0.2], 0.15000000000000002, 0.07071067811865477],
];

describe("describeValues", () => {
  it.each(NUMPY)("equals NumPy's mean and std(ddof=1) on %j", (values, mean, sd) => {
    const result = describeValues(values);
    expect(result.mean).toBeCloseTo(mean, 12);
    expect(Math.abs((result.sd ?? Number.NaN) - sd)).toBeLessThanOrEqual(1e-12 * Math.max(1, sd));
    expect(result).toMatchObject({ n: values.length, min: Math.min(...values), max: Math.max(...values) });
  });

  it("has no standard deviation for one value", () => {
    expect(describeValues([0.5])).toStrictEqual({ n: 1, mean: 0.5, min: 0.5, max: 0.5 });
  });

  it("has nothing to tell of no values", () => {
    expect(describeValues([])).toStrictEqual({ n: 0 });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %d", (value) => {
    expect(() => describeValues([1, value])).toThrow(RangeError);
  });

  it("lies between the smallest and the largest value", () => {
    const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
        const { mean = Number.NaN, min = 0, max = 0 } = describeValues(values);
        expect(mean).toBeGreaterThanOrEqual(min - 1e-9 * Math.abs(min));
        expect(mean).toBeLessThanOrEqual(max + 1e-9 * Math.abs(max));
      }),
    );
  });
});
