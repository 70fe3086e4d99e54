import { describe, expect, it } from "vitest";
import { DEFAULT_TABLE, type TableSpecInput, tableSpec } from "../src/config/table-spec.ts";

describe("tableSpec", () => {
  it("fills in both scores, their difference and the costs", () => {
    expect(tableSpec.parse({ rows: "fusion" })).toStrictEqual({
      rows: ["fusion"],
      show: ["valid-selected", "max-test", "optimism"],
      details: ["n", "parameters", "seconds"],
    });
  });

  it("puts everything into lines where an experiment declares no table", () => {
    expect(DEFAULT_TABLE.columns).toStrictEqual([]);
  });

  it.each<[string, object, RegExp]>([
    ["an unknown key", { row: "fusion" }, /row/],
    ["a test that nothing computes", { rows: "fusion", test: "paired" }, /test/],
    ["an unknown metric", { metrics: ["f1"] }, /weighted-f1/],
    ["max-test in place of the result", { show: ["max-test"] } satisfies TableSpecInput, /valid-selected/],
    ["an axis in rows and columns", { rows: "dataset", columns: "dataset" }, /not in both/],
    ["a margin of a metric that is not shown", { metrics: ["accuracy"], compare: { margin: { nll: 1 } } }, /margin/],
    ["a margin that is none", { compare: { margin: { accuracy: 0 } } }, /margin/],
    ["an unknown spread", { spread: "range" }, /interval/],
    ["a metric twice", { metrics: ["accuracy", "accuracy"] }, /once/],
  ])("refuses %s", (_what, spec, message) => {
    const result = tableSpec.safeParse(spec);
    expect(result.success).toBe(false);
    expect(result.error?.message).toMatch(message);
  });
});
