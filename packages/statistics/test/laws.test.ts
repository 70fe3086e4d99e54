// What must hold whatever the numbers: rates in simulation, order of seeds, signs, edges.
import { drawNormal, drawUniform, foldKey, type Key, keyFromSeed } from "@merclab/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  almostStochasticOrder,
  bootstrapInterval,
  detectableDifference,
  drawDialogues,
  holmCorrection,
  isPairedPAbove,
  mcnemarTest,
  pairedBootstrap,
  pairedEquivalence,
  pairedPower,
  pairedTTest,
  seedsNeeded,
  studentInterval,
  violationRatio,
} from "../src/index.ts";

const ROOT = keyFromSeed(7);

/** `count` scores, mean and standard deviation given. */
function scores(name: string, trial: number, count: number, mean = 0, sd = 1): number[] {
  return Array.from(drawNormal(foldKey(ROOT, name, trial), count), (value) => mean + sd * value);
}

const share = (trials: number, holds: (trial: number) => boolean) =>
  Array.from({ length: trials }, (_, trial) => holds(trial)).filter(Boolean).length / trials;

const score = fc.integer({ min: 0, max: 10_000 }).map((value) => value / 10_000);
const pairs = fc.array(fc.tuple(score, score), { minLength: 2, maxLength: 12 });
const shuffledPairs = pairs.chain((all) =>
  fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
);
const columns = (all: readonly (readonly [number, number])[]) => [all.map(([a]) => a), all.map(([, b]) => b)] as const;

describe("intervals", () => {
  it.each([2, 3, 5, 20])("Student's covers 95 % of the means of %i normal values", (count) => {
    const covered = share(4000, (trial) => {
      const { low, high } = studentInterval(scores(`t${count}`, trial, count, 3));
      return low <= 3 && 3 <= high;
    });
    expect(Math.abs(covered - 0.95)).toBeLessThan(0.012); // 3.5 standard errors
  });

  it("the bootstrap's comes near 95 % for 40 values, and is too narrow for 5", () => {
    const covers = (count: number) =>
      share(1000, (trial) => {
        const key = foldKey(ROOT, "bootstrap", trial);
        const { low, high } = bootstrapInterval(scores(`b${count}`, trial, count), key, { resamples: 400 });
        return low <= 0 && 0 <= high;
      });
    expect(Math.abs(covers(40) - 0.94)).toBeLessThan(0.025);
    expect(covers(5)).toBeLessThan(0.89);
  });

  it("does not depend on the order of the values, and is the same every time", () => {
    fc.assert(
      fc.property(shuffledPairs, ([all, shuffled]) => {
        const [a] = columns(all);
        const [b] = columns(shuffled);
        expect(studentInterval(b)).toStrictEqual(studentInterval(a));
        const options = { resamples: 50 };
        expect(bootstrapInterval(b, ROOT, options)).toStrictEqual(bootstrapInterval(a, ROOT, options));
      }),
      { numRuns: 30 },
    );
  });

  it("refuses one value and NaN", () => {
    expect(() => studentInterval([1])).toThrow(/at least 2/);
    expect(() => bootstrapInterval([1, Number.NaN], ROOT)).toThrow(/finite/);
    expect(() => studentInterval([1, 2], 95)).toThrow(/level/);
  });
});

describe("the paired t test", () => {
  it("has uniform p-values where there is no difference", () => {
    const all = Array.from(
      { length: 4000 },
      (_, trial) => pairedTTest(scores("a", trial, 5), scores("b", trial, 5)).p,
    ).sort((x, y) => x - y);
    const distance = Math.max(...all.map((p, i) => Math.abs(p - (i + 0.5) / all.length)));
    expect(distance).toBeLessThan(1.95 / Math.sqrt(all.length)); // Kolmogorov and Smirnov at 0.1 %
  });

  it("does not change when seeds are permuted, and turns its sign with the methods", () => {
    fc.assert(
      fc.property(shuffledPairs, ([all, shuffled]) => {
        const found = pairedTTest(...columns(all));
        expect(pairedTTest(...columns(shuffled))).toStrictEqual(found);
        const [a, b] = columns(all);
        const turned = pairedTTest(b, a);
        expect(turned.p).toBeCloseTo(found.p, 12);
        expect(turned.difference).toBeCloseTo(-found.difference, 12);
      }),
    );
  });

  it("says of pairs that are equal that they are, and of a shift that nothing varies", () => {
    expect(pairedTTest([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])).toMatchObject({ p: 1, difference: 0, sd: 0 });
    const shift = pairedTTest([0.7, 0.8, 0.1 + 0.2], [0.6, 0.7, 0.2]); // differences are 0.1 but for rounding
    expect(shift).toMatchObject({ p: 0, sd: 0 });
    expect(shift.effect).toBeUndefined();
  });

  it("refuses what is no pairs", () => {
    expect(() => pairedTTest([1, 2], [1, 2, 3])).toThrow(/pairs/);
    expect(() => pairedTTest([1], [1])).toThrow(/at least 2/);
  });
});

describe("whether p of the paired t test is above a bound", () => {
  it("is what p says, and never yes where p is at or below the bound", () => {
    fc.assert(
      fc.property(pairs, fc.double({ min: 1e-4, max: 0.99, noNaN: true }), (all, bound) => {
        const [a, b] = columns(all);
        const { p, sd } = pairedTTest(a, b);
        const isFar = Math.abs(p - bound) > 1e-9 * bound; // rounding decides nothing that matters
        fc.pre(isFar);
        expect(isPairedPAbove(bound, a, b)).toBe(sd > 0 && p > bound);
      }),
    );
  });

  it("leaves to the test what only that can say", () => {
    expect(isPairedPAbove(0.5, [0.7, 0.8], [0.7, 0.8])).toBe(false); // no spread
    expect(isPairedPAbove(0.5, [1, 2, 3], [1, 2])).toBe(false);
    expect(isPairedPAbove(0.5, [1, Number.NaN], [1, 2])).toBe(false);
    expect(() => isPairedPAbove(1, [1, 2], [2, 1])).toThrow(RangeError);
  });
});

describe("equivalence", () => {
  it("is claimed in 5 % of studies where the difference is the margin itself", () => {
    const claimed = share(
      4000,
      (trial) => pairedEquivalence(scores("e", trial, 20, 1), scores("f", trial, 20), 1) <= 0.05,
    );
    expect(Math.abs(claimed - 0.05)).toBeLessThan(0.012);
  });

  it("refuses a margin that is none", () => {
    expect(() => pairedEquivalence([1, 2], [1, 2], 0)).toThrow(/margin/);
  });
});

describe("McNemar's test", () => {
  it("finds a difference in at most 5 % of pairs of runs that are equally good", () => {
    const found = share(1000, (trial) => {
      const right = (name: string) =>
        Array.from(drawUniform(foldKey(ROOT, name, trial), 120), (uniform) => uniform < 0.6);
      return mcnemarTest(right("first"), right("second")).p <= 0.05;
    });
    expect(found).toBeLessThanOrEqual(0.065);
    expect(found).toBeGreaterThan(0.01);
  });
});

describe("Holm's correction", () => {
  const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });

  it("never makes a p-value smaller, keeps their order, and stays below Bonferroni's", () => {
    fc.assert(
      fc.property(values, (p) => {
        const corrected = holmCorrection(p);
        p.forEach((each, i) => {
          expect(corrected[i]).toBeGreaterThanOrEqual(each);
          expect(corrected[i]).toBeLessThanOrEqual(Math.min(1, each * p.length));
          p.forEach((other, j) => {
            expect(each < other && (corrected[i] as number) > (corrected[j] as number)).toBe(false);
          });
        });
      }),
    );
  });

  it("gives the same without those that are corrected to 1, where their number is told", () => {
    const all = [0.001, 0.4, 0.02, 0.35, 0.5, 0.6, 0.02];
    const kept = all.filter((p) => p < 0.35 || p === 0.5); // 3 left out, of at least 1 / 3
    const whole = holmCorrection(all);
    const expected = kept.map((p) => whole[all.indexOf(p)]);
    expect(holmCorrection(kept, all.length)).toStrictEqual(expected);
    expect(expected).toStrictEqual([0.007, 0.12, 1, 0.12]);
  });
});

describe("planning", () => {
  it("has the level as its power where there is no difference, and grows with seeds and effect", () => {
    expect(pairedPower(0, 5)).toBeCloseTo(0.05, 8);
    expect(pairedPower(1, 6)).toBeGreaterThan(pairedPower(1, 5));
    expect(pairedPower(1.1, 5)).toBeGreaterThan(pairedPower(1, 5));
  });

  it("finds in simulation what it promises", () => {
    const seeds = seedsNeeded(1.2, 1);
    const found = share(
      3000,
      (trial) => pairedTTest(scores("p", trial, seeds, 1.2), scores("q", trial, seeds, 0, 0)).p <= 0.05,
    );
    expect(Math.abs(found - pairedPower(1.2, seeds))).toBeLessThan(0.027); // 3.5 standard errors
    expect(pairedPower(1.2, seeds)).toBeGreaterThanOrEqual(0.8);
    expect(pairedPower(1.2, seeds - 1)).toBeLessThan(0.8);
  });

  it("asks for as many seeds as find the difference that they can find", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.double({ min: 0.01, max: 5, noNaN: true }), (seeds, sd) => {
        expect(seedsNeeded(detectableDifference(seeds, sd) * 1.0001, sd)).toBe(seeds);
      }),
      { numRuns: 15 },
    );
  });

  it("needs two seeds where nothing varies, and gives up on what no study finds", () => {
    expect(seedsNeeded(1, 0)).toBe(2);
    expect(seedsNeeded(1e-6, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(() => seedsNeeded(0, 1)).toThrow(/positive/);
  });
});

describe("the paired bootstrap over dialogues and seeds", () => {
  /** @param table `[seeds][dialogues]`: differences, whose mean over dialogues is the score */
  const bootstrap = (table: readonly (readonly number[])[], key: Key, resamples: number, margin?: number) => {
    const mean = (row: readonly number[], weights: ArrayLike<number>) =>
      row.reduce((sum, value, at) => sum + value * (weights[at] as number), 0) / row.length;
    const dialogues = table[0]?.length ?? 0;
    const draws = drawDialogues(key, dialogues, resamples);
    return pairedBootstrap(
      table.map((row) => mean(row, new Float64Array(dialogues).fill(1))),
      table.map((row) => draws.map((weights) => mean(row, weights))),
      key,
      { margin },
    );
  };

  it("is the paired t test where dialogues are all alike", () => {
    const differences = scores("seeds", 1, 5, 1);
    const table = differences.map((value) => new Array<number>(30).fill(value));
    const t = pairedTTest(
      differences,
      differences.map(() => 0),
    );
    const found = bootstrap(table, ROOT, 4000);
    expect(found.difference).toBeCloseTo(t.difference, 12);
    expect(found.standardError / (t.sd / Math.sqrt(5))).toBeCloseTo(1, 1);
  });

  it("has the standard error of a mean over dialogues where seeds are all alike", () => {
    const row = scores("dialogues", 1, 100);
    const found = bootstrap([row, row, row], ROOT, 4000);
    const centre = row.reduce((sum, value) => sum + value, 0) / 100;
    const sd = Math.sqrt(row.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 100);
    expect(found.standardError / (sd / 10)).toBeCloseTo(1, 1);
  });

  it("finds a difference in at most 5 % of studies of methods that are equally good", () => {
    const found = share(300, (trial) => {
      const dialogue = scores("dialogue", trial, 30, 0, 0.5);
      const table = scores("seed", trial, 5, 0, 0.2).map((effect, seed) =>
        scores(`rest${seed}`, trial, 30).map((rest, at) => effect + (dialogue[at] as number) + rest),
      );
      return bootstrap(table, foldKey(ROOT, "study", trial), 150).p <= 0.05;
    });
    expect(found).toBeLessThanOrEqual(0.08);
  });

  it("covers the true difference in 95 % of studies, or a little more often", () => {
    const covered = share(300, (trial) => {
      const dialogue = scores("truth", trial, 30, 0, 0.5);
      const table = scores("effect", trial, 5, 1, 0.2).map((effect, seed) =>
        scores(`noise${seed}`, trial, 30).map((rest, at) => effect + (dialogue[at] as number) + rest),
      );
      const { low, high } = bootstrap(table, foldKey(ROOT, "cover", trial), 150).interval;
      return low <= 1 && 1 <= high;
    });
    expect(covered).toBeGreaterThanOrEqual(0.92);
  });

  it("claims equivalence only within the margin", () => {
    const table = [0, 1, 2, 3, 4].map((seed) => scores(`close${seed}`, 1, 40, 0.1));
    expect(bootstrap(table, ROOT, 400, 2).equivalence).toBeLessThan(0.01);
    expect(bootstrap(table, ROOT, 400, 0.01).equivalence).toBeGreaterThan(0.05);
    expect(bootstrap(table, ROOT, 400).equivalence).toBeUndefined();
  });

  it("is the same every time, in any order of seeds, and says that equal methods are equal", () => {
    expect(
      bootstrap(
        [0, 1, 2].map(() => [0, 0, 0, 0]),
        ROOT,
        20,
      ),
    ).toMatchObject({
      difference: 0,
      standardError: 0,
      p: 1,
    });
    const table = [0, 1, 2, 3].map((seed) => scores("again", seed, 4));
    const found = bootstrap(table, ROOT, 100);
    expect(bootstrap(table, ROOT, 100)).toStrictEqual(found);
    expect(
      bootstrap(
        [2, 0, 3, 1].map((seed) => table[seed] as number[]),
        ROOT,
        100,
      ),
    ).toStrictEqual(found);
  });

  it("refuses one seed, one dialogue, and draws that are not of the same seeds", () => {
    expect(() => bootstrap([[1, 2]], ROOT, 20)).toThrow(/at least 2/);
    expect(() => drawDialogues(ROOT, 1)).toThrow(/2 dialogues/);
    expect(() => pairedBootstrap([1, 2], [[1, 2]], ROOT)).toThrow(/draws of 2 seeds/);
  });
});

describe("almost stochastic order", () => {
  it("is 0 for a method that is better at every quantile, 1 turned round, and 1/2 for equal ones", () => {
    expect(violationRatio([2, 3, 4], [1, 2, 3])).toBe(0);
    expect(violationRatio([1, 2, 3], [2, 3, 4])).toBe(1);
    expect(violationRatio([1, 2], [1, 1, 2, 2])).toBe(0.5);
  });

  it("sums to 1 with the methods turned round, and does not depend on the order of seeds", () => {
    fc.assert(
      fc.property(shuffledPairs, ([all, shuffled]) => {
        const [a, b] = columns(all);
        expect(violationRatio(a, b) + violationRatio(b, a)).toBeCloseTo(1, 10);
        const [c, d] = columns(shuffled);
        const options = { resamples: 20 };
        expect(almostStochasticOrder(c, d, ROOT, options)).toBe(almostStochasticOrder(a, b, ROOT, options));
      }),
      { numRuns: 40 },
    );
  });

  it("is no test with few seeds: of two equal methods it calls one better far too often", () => {
    const called = (seeds: number) =>
      share(200, (trial) => {
        const [a, b] = [scores(`null-a${seeds}`, trial, seeds), scores(`null-b${seeds}`, trial, seeds)];
        const options = { resamples: 100 };
        const ratios = [almostStochasticOrder(a, b, ROOT, options), almostStochasticOrder(b, a, ROOT, options)];
        return Math.min(...ratios) < 0.2;
      });
    expect(called(5)).toBeGreaterThan(0.1);
    expect(called(40)).toBeLessThan(called(5));
  });

  it("is surer with more seeds", () => {
    const bound = (count: number) => almostStochasticOrder(scores("x", 1, count, 1), scores("y", 1, count), ROOT);
    expect(bound(5)).toBeGreaterThanOrEqual(violationRatio(scores("x", 1, 5, 1), scores("y", 1, 5)));
    expect(bound(50)).toBeLessThan(0.2);
  });
});
