import {
  createEagerEngine,
  createRandomSource,
  drawBits,
  drawNormal,
  drawPermutation,
  drawUniform,
  foldKey,
  keyFromSeed,
  threefry,
} from "@merclab/core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { valuesOf } from "./support/tensors.ts";

const seeds = fc.nat(2 ** 31 - 1);
const names = fc.string({ minLength: 1, maxLength: 12 });

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: ArrayLike<number>): number {
  const centre = mean(values);
  return mean(Array.from(values, (value) => (value - centre) ** 2));
}

/** Correlation of two equally long draws of mean 0 and variance 1. */
function correlation(a: Float64Array, b: Float64Array): number {
  return mean(a.map((value, i) => value * (b[i] ?? 0)));
}

describe("threefry", () => {
  // The first three are the known answers of Random123 (kat_vectors, threefry2x32 with 20 rounds); all seven were
  // computed again with jax 0.10.2, jax.extend.random.threefry_2x32.
  it.each([
    [0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x6b200159, 0x99ba4efe],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
    [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0],
    [0xf1e54a8b, 0xa00641a9, 0xaf266a95, 0xe5afcdbc, 0xb799a962, 0x52f34d49],
    [0x940af962, 0xc693565f, 0xd56a2742, 0x39a72dab, 0xf3a6ba3f, 0xa3b900eb],
    [0x0e375145, 0x4cd7b299, 0x48fa2734, 0xdfa132d7, 0xa9f212d1, 0x08727efd],
    [0xe9a1ac70, 0x01591126, 0x7ff206dd, 0xd23c068f, 0x89931eae, 0xbc9b777c],
  ])("gives the known answer for key %i %i and counter %i %i", (k0, k1, c0, c1, x0, x1) => {
    const out = new Uint32Array(4);
    threefry(k0, k1, c0, c1, out, 1);
    expect([...out]).toEqual([0, x0, x1, 0]);
  });
});

describe("keys", () => {
  it("of different seeds differ, beyond 32 bits too", () => {
    expect(keyFromSeed(1)).toEqual({ k0: 0, k1: 1 });
    expect(keyFromSeed(2 ** 32 + 1)).toEqual({ k0: 1, k1: 1 });
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])("are refused for the seed %d", (seed) => {
    expect(() => keyFromSeed(seed)).toThrow(RangeError);
  });

  it("fold step by step as they fold along a path", () => {
    fc.assert(
      fc.property(seeds, names, names, fc.nat(), (seed, a, b, n) => {
        const key = keyFromSeed(seed);
        expect(foldKey(key, a, n, b)).toEqual(foldKey(foldKey(foldKey(key, a), n), b));
      }),
    );
  });

  it("do not depend on what was folded or drawn before", () => {
    const key = keyFromSeed(5);
    const alone = foldKey(key, "weights");
    foldKey(key, "other");
    drawBits(key, 10);
    expect(foldKey(key, "weights")).toEqual(alone);
    expect(key).toEqual({ k0: 0, k1: 5 });
  });

  it("tell names, numbers and orders apart", () => {
    const key = keyFromSeed(3);
    const paths = [[], ["a"], ["b"], ["ab"], ["a", "b"], ["b", "a"], [0], [1], ["1"], [1, 0], [0, 1], [""], ["a", ""]];
    const keys = paths.map((path) => foldKey(key, ...path)).map(({ k0, k1 }) => `${k0} ${k1}`);
    expect(new Set(keys).size).toBe(paths.length);
  });

  it("tell a name from the number that is its hash, and from the words drawn under the key", () => {
    const key = keyFromSeed(3);
    expect(foldKey(key, "a")).not.toEqual(foldKey(key, 0xe40c292c)); // FNV-1a of "a"
    const [k0, k1] = drawBits(key, 2);
    expect(foldKey(key, 0)).not.toEqual({ k0, k1 });
  });

  it("give draws that are independent of the parent's and the siblings'", () => {
    const key = keyFromSeed(11);
    const draws = [key, foldKey(key, "a"), foldKey(key, "b"), foldKey(key, 0), foldKey(key, 1), keyFromSeed(12)].map(
      (each) => drawNormal(each, 4000),
    );
    draws.forEach((a, i) => {
      draws.slice(i + 1).forEach((b) => {
        expect(Math.abs(correlation(a, b))).toBeLessThan(5 / Math.sqrt(4000));
      });
    });
  });

  it.each([-1, 0.5, 2 ** 32, Number.NaN])("refuse to fold %d, which is no 32-bit counter", (part) => {
    expect(() => foldKey(keyFromSeed(0), part)).toThrow(/foldKey/);
  });
});

describe("draws", () => {
  it("are the same for the same key, and a longer draw starts like a shorter one", () => {
    fc.assert(
      fc.property(seeds, fc.nat(40), fc.nat(40), (seed, count, more) => {
        const key = keyFromSeed(seed);
        const long = drawBits(key, count + more);
        expect([...long.subarray(0, count)]).toEqual([...drawBits(key, count)]);
        expect([...drawNormal(key, count + more).subarray(0, count)]).toEqual([...drawNormal(key, count)]);
      }),
    );
  });

  it("of bits are balanced in every position", () => {
    const words = drawBits(keyFromSeed(1), 8192);
    for (let bit = 0; bit < 32; bit++) {
      const share = mean(Array.from(words, (word) => (word >>> bit) & 1));
      expect(Math.abs(share - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / 8192));
    }
  });

  it("of uniforms stay in [low, high) and have its moments", () => {
    const draws = drawUniform(keyFromSeed(2), 20_000, -2, 4);
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...draws)).toBeLessThan(4);
    expect(mean(draws)).toBeCloseTo(1, 1);
    expect(variance(draws)).toBeCloseTo(3, 0);
    expect(Math.abs(mean(draws) - 1)).toBeLessThan(5 * Math.sqrt(3 / 20_000));
    expect(Math.abs(variance(draws) / 3 - 1)).toBeLessThan(5 * Math.sqrt(0.8 / 20_000));
  });

  it("of normals have mean 0, variance 1, no skew, kurtosis 3 and the right tails", () => {
    const count = 20_001; // odd: the last pair is cut
    const draws = drawNormal(keyFromSeed(3), count);
    const moment = (power: number): number => mean(draws.map((value) => value ** power));
    expect(draws).toHaveLength(count);
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / count));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / count));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
    const beyond = mean(draws.map((value) => (Math.abs(value) > 1.959964 ? 1 : 0)));
    expect(Math.abs(beyond - 0.05)).toBeLessThan(5 * Math.sqrt((0.05 * 0.95) / count));
    // Neighbours come from one pair of words.
    const even = draws.filter((_, i) => i % 2 === 0 && i + 1 < count);
    const odd = draws.filter((_, i) => i % 2 === 1);
    expect(Math.abs(correlation(even, odd))).toBeLessThan(5 / Math.sqrt(count / 2));
  });

  it("of permutations hold every index once", () => {
    fc.assert(
      fc.property(seeds, fc.nat(50), (seed, count) => {
        const order = drawPermutation(keyFromSeed(seed), count);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
    );
  });

  it("of permutations give every order equally often", () => {
    const counts = new Map<string, number>();
    const draws = 6000;
    for (let i = 0; i < draws; i++) {
      const order = drawPermutation(foldKey(keyFromSeed(4), i), 3).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) {
      expect(Math.abs(count - draws / 6)).toBeLessThan(5 * Math.sqrt((draws * 5) / 36));
    }
  });
});

describe("a random source", () => {
  beforeAll(() => createEagerEngine("cpu").start());

  const source = createRandomSource(foldKey(keyFromSeed(9), "step", 1));
  const bits = (site: string, from = source): number[] => valuesOf(from.dropoutMask(site, [8, 16], 0.5));

  it("gives the same mask for the same site, and another one for another site", () => {
    expect(bits("fusion")).toEqual(bits("fusion"));
    expect(bits("fusion")).not.toEqual(bits("encoder"));
    expect(bits("fusion", createRandomSource(foldKey(keyFromSeed(9), "step", 2)))).not.toEqual(bits("fusion"));
  });

  it("keeps sites of sub-parts apart", () => {
    expect(bits("a", source.within("b"))).not.toEqual(bits("a"));
    expect(bits("a", source.within("b"))).not.toEqual(bits("b", source.within("a")));
    expect(bits("a", source.within("b"))).toEqual(bits("a", source.within("b")));
  });

  it("is not disturbed by what other sites draw", () => {
    const alone = valuesOf(source.normal("noise", [5]));
    source.dropoutMask("fusion", [100], 0.3);
    source.within("noise").normal("noise", [7]);
    expect(valuesOf(source.normal("noise", [5]))).toEqual(alone);
  });

  it("gives tensors of the shape asked for", () => {
    expect(source.dropoutMask("a", [2, 3, 4], 0.1).shape).toEqual([2, 3, 4]);
    expect(source.normal("a", []).shape).toEqual([]);
  });
});
