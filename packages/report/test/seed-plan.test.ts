import { drawNormal, foldKey, keyFromSeed } from "@merclab/core";
import { tableSpec } from "@merclab/runner";
import { seedsNeeded } from "@merclab/statistics";
import { describe, expect, it } from "vitest";
import { compileTable, type Planned, planSeeds } from "../src/index.ts";
import { createResult, createSpec } from "./support.ts";

const SPEC = tableSpec.parse({ rows: "fusion", metrics: ["weighted-f1"] });

function planned(fusion: string, f1: readonly (number | undefined)[], metric = "weighted-f1"): Planned[] {
  return f1.map((value, index) => {
    const spec = createSpec({ fusion }, { seed: index + 1 });
    return value === undefined ? { spec } : { spec, result: createResult(spec, { valid: { [metric]: value } }) };
  });
}

const none = [undefined, undefined, undefined];

describe("planSeeds", () => {
  it("assumes a spread of one point a method where nothing has run, and says so", () => {
    const [plan, ...others] = planSeeds(SPEC, [...planned("a", none), ...planned("b", none)], 2);
    expect(others).toStrictEqual([]);
    expect(plan).toMatchObject({ dataset: "iemocap", comparisons: 1, difference: 2, planned: 3 });
    expect(plan?.spread).toMatchObject({ source: "assumed", runs: 0 });
    expect(plan?.spread?.sd).toBeCloseTo(Math.SQRT2, 12);
    expect(plan?.needed).toBe(seedsNeeded(2, Math.SQRT2));
  });

  it("takes the spread of differences that are stored; worked by hand", () => {
    // Differences are 1, 2 and 3 points: standard deviation 1.
    const trials = [...planned("a", [0.71, 0.73, 0.72]), ...planned("b", [0.7, 0.71, 0.69])];
    const [plan] = planSeeds(SPEC, trials);
    expect(plan?.spread?.sd).toBeCloseTo(1, 10);
    expect(plan).toMatchObject({ difference: 1, needed: 10, planned: 3, spread: { source: "differences", runs: 6 } });
    // Cohen's table: 10 pairs for d_z = 1 at 80 %, two-sided 5 %.
  });

  it("takes the spread of one method where only that has run", () => {
    const [plan] = planSeeds(SPEC, [...planned("a", [0.71, 0.73, 0.72]), ...planned("b", none)]);
    expect(plan?.spread).toMatchObject({ source: "scores", runs: 3 });
    expect(plan?.spread?.sd).toBeCloseTo(Math.SQRT2, 10);
  });

  it("asks for more where a table makes more comparisons", () => {
    const three = ["a", "b", "c"].flatMap((fusion) => planned(fusion, none));
    const [more] = planSeeds(SPEC, three);
    expect(more?.comparisons).toBe(3);
    expect(more?.needed).toBe(seedsNeeded(1, Math.SQRT2, { alpha: 0.05 / 3 }));
    expect(more?.comparisons).toBe(
      Number(/the (\d+) comparisons/.exec(JSON.stringify(compileTable(SPEC, three.map(withNoise)).notes))?.[1]),
    );
  });

  it("assumes nothing of metrics that are no shares, and plans nothing for a single row", () => {
    const spec = tableSpec.parse({ rows: "fusion", metrics: ["nll"] });
    const [plan] = planSeeds(spec, [...planned("a", none), ...planned("b", none)]);
    expect(plan).toStrictEqual({ dataset: "iemocap", metric: "nll", comparisons: 1, difference: 0.01, planned: 3 });
    expect(planSeeds(SPEC, planned("a", none))).toStrictEqual([]);
  });

  it("says what the planned seeds find, and nothing for one seed", () => {
    const [plan] = planSeeds(SPEC, [...planned("a", none), ...planned("b", none)]);
    expect(seedsNeeded((plan?.detectable ?? 0) * 1.0001, plan?.spread?.sd ?? 0)).toBe(3);
    const [single] = planSeeds(SPEC, [...planned("a", [undefined]), ...planned("b", [undefined])]);
    expect(single?.detectable).toBeUndefined();
  });
});

function withNoise({ spec }: Planned, index: number): Planned {
  const [noise = 0] = drawNormal(foldKey(keyFromSeed(1), index), 1);
  return { spec, result: createResult(spec, { valid: { "weighted-f1": 0.7 + 0.01 * noise } }) };
}
