import { drawMasksInto, fillDropoutMask, foldKey, keyFromSeed } from "@merclab/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dropoutOracle } from "./support/dropout-oracle.ts";

const seeds = fc.nat(2 ** 31 - 1);
const rates = fc.oneof(fc.constantFrom(0, 0.5, 0.25, 0.375, 0.3, 0.1), fc.double({ min: 0, max: 0.99, noNaN: true }));
const size = fc.integer({ min: 1, max: 9 });
const columns = fc.oneof(size, fc.constantFrom(31, 32, 33, 63, 64, 65, 130));

function draw(seed: number, shape: readonly number[], rate: number): Float32Array {
  const out = new Float32Array(shape.reduce((count, dim) => count * dim, 1));
  fillDropoutMask(keyFromSeed(seed), shape, rate, out);
  return out;
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

describe("dropout masks", () => {
  it("are what the definition says, in arrays of any memory", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    drawMasksInto(memory);
    fc.assert(
      fc.property(seeds, size, size, columns, rates, (seed, lead, rows, width, rate) => {
        const expected = dropoutOracle(keyFromSeed(seed), [lead, rows, width], rate);
        expect([...draw(seed, [lead, rows, width], rate)]).toEqual(expected);
        const before = new Float32Array(memory.buffer, 0, 4).fill(7);
        const there = new Float32Array(memory.buffer, 16, Math.min(expected.length, 16_000));
        const after = new Float32Array(memory.buffer, 16 + there.byteLength, 4).fill(7);
        if (there.length === expected.length) {
          fillDropoutMask(keyFromSeed(seed), [lead, rows, width], rate, there);
          expect([...there]).toEqual(expected);
          expect([...before, ...after]).toEqual(new Array(8).fill(7));
        }
      }),
    );
  });

  it("keep every element when the first axis or one of the last two is padded at its end", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.tuple(size, size, columns),
        fc.tuple(fc.nat(3), fc.nat(9), fc.nat(70)),
        rates,
        (seed, shape, more, rate) => {
          const [lead, rows, width] = shape;
          const [, allRows, allColumns] = [0, rows + more[1], width + more[2]];
          const small = draw(seed, shape, rate);
          const large = draw(seed, [lead + more[0], allRows, allColumns], rate);
          for (let l = 0; l < lead; l++) {
            for (let row = 0; row < rows; row++) {
              const from = (l * allRows + row) * allColumns;
              const at = (l * rows + row) * width;
              expect(large.subarray(from, from + width)).toEqual(small.subarray(at, at + width));
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("see a vector as one row, and all axes but the last two as one", () => {
    expect(draw(3, [40], 0.5)).toEqual(draw(3, [1, 40], 0.5));
    expect(draw(3, [2, 3, 4, 5], 0.3)).toEqual(draw(3, [6, 4, 5], 0.3));
    expect(draw(3, [], 0.5)).toHaveLength(1);
    expect(draw(3, [0, 4], 0.5)).toHaveLength(0);
  });

  it.each([0.5, 0.25, 0.125, 0.75, 0.1, 0.3, 0.9, 1 / 3, 0.999])(
    "of rate %d drop that share and have mean 1",
    (rate) => {
      const count = 40_000;
      const mask = draw(6, [200, 200], rate);
      const dropped = mean(mask.map((value) => (value === 0 ? 1 : 0)));
      expect(Math.abs(dropped - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / count) + 2 ** -17);
      expect(Math.abs(mean(mask) - 1)).toBeLessThan(5 * Math.sqrt(rate / (1 - rate) / count));
      const kept = new Set(mask.filter((value) => value !== 0));
      expect(kept.size).toBe(1);
      // 16 bits resolve the rate: the scale may differ from 1 / (1 − rate) by as much.
      expect(([...kept][0] ?? 0) * (1 - rate)).toBeCloseTo(1, rate > 0.99 ? 1 : 3);
    },
  );

  it("drop neighbours independently: along rows, columns and matrices", () => {
    const shape = [40, 32, 48] as const;
    const count = shape[0] * shape[1] * shape[2];
    for (const rate of [0.5, 0.25, 0.375, 0.3125, 0.1]) {
      const mask = draw(7, shape, rate);
      for (const lag of [1, 2, 4, 32, 48, 96, 48 * 4, 48 * 32]) {
        let both = 0;
        for (let i = lag; i < count; i++) {
          both += mask[i] === 0 && mask[i - lag] === 0 ? 1 : 0;
        }
        const share = both / (count - lag);
        expect(Math.abs(share - rate ** 2), `rate ${rate}, lag ${lag}`).toBeLessThan(
          5 * (rate / Math.sqrt(count)) + 1e-4,
        );
      }
    }
  });

  it("of rate 0 keep everything as it is; other keys give other masks", () => {
    expect(new Set(draw(8, [100], 0))).toEqual(new Set([1]));
    const other = new Float32Array(64);
    fillDropoutMask(foldKey(keyFromSeed(8), "other"), [64], 0.5, other);
    expect(draw(8, [64], 0.5)).not.toEqual(other);
  });

  it.each([-0.1, 1, 1.5, Number.NaN])("are refused for the rate %d", (rate) => {
    expect(() => draw(0, [4], rate)).toThrow(/\[0, 1\)/);
  });

  it("refuse an array of another size", () => {
    expect(() => fillDropoutMask(keyFromSeed(0), [2, 3], 0.5, new Float32Array(5))).toThrow(/array of 5.*\[2, 3\]/);
  });
});
