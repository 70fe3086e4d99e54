// Every statistic against SciPy, statsmodels and deepsig: see fixtures/statistics_reference.py.
import { readFileSync } from "node:fs";
import { keyFromSeed } from "@merclab/core";
import { describe, expect, it } from "vitest";
import {
  bootstrapInterval,
  holmCorrection,
  mcnemarTest,
  pairedEquivalence,
  pairedPower,
  pairedTTest,
  seedsNeeded,
  studentInterval,
  violationRatio,
} from "../src/index.ts";

interface Reference {
  readonly pairs: readonly {
    readonly a: number[];
    readonly b: number[];
    readonly p: number;
    readonly low: number;
    readonly high: number;
    readonly equivalence: number;
    readonly interval: readonly [number, number];
  }[];
  readonly bootstrap: readonly { readonly values: number[]; readonly low: number; readonly high: number }[];
  readonly mcnemar: readonly { readonly onlyFirst: number; readonly onlySecond: number; readonly p: number }[];
  readonly holm: readonly { readonly p: number[]; readonly corrected: number[] }[];
  readonly power: readonly {
    readonly effect: number;
    readonly seeds: number;
    readonly alpha: number;
    readonly power: number;
  }[];
  readonly seeds: readonly { readonly effect: number; readonly alpha: number; readonly seeds: number }[];
  readonly orders: readonly { readonly a: number[]; readonly b: number[]; readonly ratio: number }[];
}

const reference: Reference = JSON.parse(
  readFileSync(new URL("./fixtures/statistics.json", import.meta.url), "utf8"),
) as Reference;

function expectClose(found: number, expected: number): void {
  expect(Math.abs(found - expected), `${found} against ${expected}`).toBeLessThanOrEqual(1e-12);
}

describe("pairs over seeds", () => {
  it.each(reference.pairs)("agree with SciPy and statsmodels on $a.length pairs, p = $p", (pair) => {
    const { p, interval } = pairedTTest(pair.a, pair.b);
    expectClose(p, pair.p);
    expectClose(interval.low, pair.low);
    expectClose(interval.high, pair.high);
    expectClose(pairedEquivalence(pair.a, pair.b, 0.02), pair.equivalence);
    const mean = studentInterval(pair.a);
    expectClose(mean.low, pair.interval[0]);
    expectClose(mean.high, pair.interval[1]);
  });
});

describe("the bootstrap of a mean", () => {
  it.each(reference.bootstrap)("agrees with SciPy's within what chance allows on $values.length values", (sample) => {
    const { low, high } = bootstrapInterval(sample.values, keyFromSeed(1), { resamples: 50_000 });
    const width = sample.high - sample.low;
    expect(Math.abs(low - sample.low)).toBeLessThan(0.02 * width);
    expect(Math.abs(high - sample.high)).toBeLessThan(0.02 * width);
  });
});

describe("McNemar's exact test", () => {
  it.each(reference.mcnemar)("agrees with statsmodels on $onlyFirst against $onlySecond", (table) => {
    const rights = (first: number, second: number) => [
      ...new Array<boolean>(first).fill(true),
      ...new Array<boolean>(second).fill(false),
      true,
      false,
    ];
    const first = rights(table.onlyFirst, table.onlySecond);
    const second = [...first.slice(0, -2).map((right) => !right), true, false];
    const found = mcnemarTest(first, second);
    expect(found).toMatchObject({ onlyFirst: table.onlyFirst, onlySecond: table.onlySecond });
    expectClose(found.p, table.p);
  });
});

describe("Holm's correction", () => {
  it.each(reference.holm)("agrees with statsmodels on $p.length tests", ({ p, corrected }) => {
    holmCorrection(p).forEach((found, i) => {
      expectClose(found, corrected[i] as number);
    });
  });
});

describe("planning", () => {
  it.each(reference.power)("has statsmodels' power at $effect, $seeds seeds, $alpha", (design) => {
    expect(pairedPower(design.effect, design.seeds, design.alpha)).toBeCloseTo(design.power, 7);
  });

  it.each(reference.seeds)("wants statsmodels' $seeds seeds for $effect at $alpha", ({ effect, alpha, seeds }) => {
    expect(seedsNeeded(effect, 1, { alpha })).toBe(seeds);
  });
});

describe("almost stochastic order", () => {
  it.each(reference.orders)("has deepsig's violation ratio $ratio", ({ a, b, ratio }) => {
    expect(violationRatio(a, b)).toBeCloseTo(ratio, 3);
  });
});
