import type { SeedPlan } from "@merclab/report";
import { expect, it } from "vitest";
import { seedPlanText } from "../src/seed-plan-text.ts";

const PLAN: SeedPlan = {
  dataset: "iemocap",
  metric: "weighted-f1",
  comparisons: 6,
  difference: 1,
  spread: { sd: 1.234, source: "differences", runs: 9 },
  needed: 21,
  planned: 3,
  detectable: 8.76,
};

it("says what is needed, what is planned, and how that is known", () => {
  const text = seedPlanText([
    PLAN,
    { ...PLAN, dataset: "meld", spread: { sd: Math.SQRT2, source: "assumed", runs: 0 }, needed: 27 },
  ]);
  expect(text.split("\n").map((line) => line.replace(/ {2,}/g, "  ").trim())).toStrictEqual([
    "Seeds for a difference of 1 points in Weighted F1 (found in 80 of 100 studies; 6 comparisons corrected together):",
    "iemocap  21 per method  the 3 planned find 8.8 points  differences between methods vary by 1.2 points over seeds (9 stored runs)",
    "meld  27 per method  the 3 planned find 8.8 points  assumed until runs are stored: differences vary by 1.4 points over seeds",
  ]);
});

it("admits what is not known, and says nothing of a study without comparisons", () => {
  const { spread: _spread, needed: _needed, detectable: _detectable, ...unknown } = PLAN;
  expect(seedPlanText([{ ...unknown, metric: "nll", difference: 0.01, comparisons: 1 }])).toMatch(
    /difference of 0\.01 in NLL \(found in 80 of 100 studies; one comparison\):\n {2}iemocap {2}unknown until two seeds/,
  );
  expect(seedPlanText([])).toBe("");
});
