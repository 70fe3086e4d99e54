// What a table says of its rows: marks only where a test supports them, at the rates that are promised.
import { drawNormal, foldKey, keyFromSeed } from "@merclab/core";
import { type TableSpecInput, tableSpec } from "@merclab/runner";
import { holmCorrection, pairedTTest, seedsNeeded } from "@merclab/statistics";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileTable, formatTable, type Planned, TABLE_FORMATS, type Table } from "../src/index.ts";
import { type Cell, createResult, createSpec, type TrialOptions } from "./support.ts";

const SPEC: TableSpecInput = { rows: "fusion", metrics: ["weighted-f1"], show: ["valid-selected"], details: [] };
const compile = (trials: readonly Planned[], spec: TableSpecInput = SPEC) =>
  compileTable(tableSpec.parse(spec), trials);

/** One method: its weighted F1 by seed, from 1. */
function method(cell: Cell, f1: readonly number[], options: TrialOptions = {}): Planned[] {
  return f1.map((value, index) => {
    const spec = createSpec(cell, { ...options, seed: (options.seed ?? 1) + index });
    return { spec, result: createResult(spec, { valid: { "weighted-f1": value } }) };
  });
}

const standings = (table: Table) => table.cells.map(([cell]) => cell?.comparison?.standing);
const winners = (table: Table) =>
  table.cells.flat().filter(({ comparison }) => comparison?.standing === "winner").length;

const ROOT = keyFromSeed(2026);
const scores = (name: string, study: number, count: number, mean: number, sd = 0.01) =>
  Array.from(drawNormal(foldKey(ROOT, name, study), count), (value) => mean + sd * value);
const count = (studies: number, holds: (study: number) => boolean) =>
  Array.from({ length: studies }, (_, study) => holds(study)).filter(Boolean).length;

describe("in simulation", () => {
  it("marks no winner between two equal methods with 5 seeds, in 95 of 100 studies", () => {
    const marked = count(
      1000,
      (study) =>
        winners(
          compile([
            ...method({ fusion: "sdt" }, scores("a", study, 5, 0.7)),
            ...method({ fusion: "lmam" }, scores("b", study, 5, 0.7)),
          ]),
        ) > 0,
    );
    expect(marked).toBeLessThanOrEqual(50 + 21); // 3 standard errors above 5 %
    expect(marked).toBeGreaterThan(20); // nor is the test useless
  });

  it("tells none of six equal methods apart from the best, in 95 of 100 studies", () => {
    const marked = count(200, (study) => {
      const trials = Array.from({ length: 6 }, (_, index) =>
        method({ fusion: `model-${index}` }, scores(`m${index}`, study, 5, 0.7)),
      );
      return standings(compile(trials.flat())).some((standing) => standing !== "tied");
    });
    expect(marked).toBeLessThanOrEqual(10 + 9);
  });

  it.each([2, 4])("finds a difference of the size that was planned for among %i methods, in 80 of 100", (models) => {
    const comparisons = (models * (models - 1)) / 2;
    const seeds = seedsNeeded(0.01, Math.SQRT2 * 0.01, { alpha: 0.05 / comparisons });
    const found = count(300, (study) => {
      const rows = Array.from({ length: models }, (_, index) =>
        method({ fusion: `model-${index}` }, scores(`f${index}`, study, seeds, index === 0 ? 0.71 : 0.7)),
      );
      // The first is told apart from the second: whichever is best, in a table of two or more.
      const [first, second] = compile(rows.flat()).cells;
      return first?.[0]?.comparison?.toBest === undefined && second?.[0]?.comparison?.standing === "behind";
    });
    expect(found / 300).toBeGreaterThanOrEqual(0.8 - 0.046); // 2 standard errors
  });
});

describe("the tests of a large table", () => {
  // Most pairs are settled without their p: what is printed must not tell.
  it.each([
    ["hardly any is told apart", 0],
    ["some are", 0.004],
    ["most are", 0.05],
  ])("say the same as if every p were computed: %s", (_, step) => {
    const rows = Array.from({ length: 24 }, (_, index) =>
      // One seed less in every fifth row, so that degrees of freedom differ.
      scores(`l${step}`, index, index % 5 === 0 ? 4 : 5, 0.7 + step * Math.floor(index / 3), 0.003),
    );
    const pairs = rows.flatMap((a, i) => rows.slice(i + 1).map((b, j) => ({ i, j: i + 1 + j, a, b })));
    const p = pairs.map(({ a, b }) => {
      const seeds = Math.min(a.length, b.length);
      return pairedTTest(a.slice(0, seeds), b.slice(0, seeds)).p;
    });
    const corrected = holmCorrection(p);
    const table = compile(
      rows.flatMap((values, index) => method({ fusion: `m${`${index}`.padStart(2, "0")}` }, values)),
    );
    const best = table.cells.findIndex(
      ([cell]) => cell?.comparison !== undefined && cell.comparison.toBest === undefined,
    );
    const shown = table.cells.map(([cell]) => cell?.comparison?.toBest);
    const expected = shown.map((_, row) => {
      const place = pairs.findIndex(({ i, j }) => (i === best && j === row) || (i === row && j === best));
      return row === best ? undefined : { p: p[place], corrected: corrected[place] };
    });
    expect(shown.map((each) => each && { p: each.p, corrected: each.corrected })).toStrictEqual(expected);
    expect(table.notes[0]?.text).toContain(`the ${pairs.length} comparisons`);
  });
});

describe("standings", () => {
  const GOOD = [0.73, 0.728, 0.731, 0.729, 0.732];
  const BAD = [0.7, 0.701, 0.699, 0.702, 0.698];

  it("marks the best only when every other is behind it", () => {
    const rows = [...method({ fusion: "a" }, GOOD), ...method({ fusion: "b" }, BAD)];
    expect(standings(compile(rows))).toStrictEqual(["winner", "behind"]);
    const close = method({ fusion: "c" }, [0.729, 0.73, 0.729, 0.731, 0.73]);
    expect(standings(compile([...rows, ...close]))).toStrictEqual(["tied", "behind", "tied"]);
  });

  it("says by how much, in the table's own unit and direction", () => {
    const cell = compile([...method({ fusion: "a" }, GOOD), ...method({ fusion: "b" }, BAD)]).cells[1]?.[0];
    expect(cell?.comparison?.toBest?.difference).toBeCloseTo(-0.03, 12);
    expect(cell?.comparison?.toBest).toMatchObject({ seeds: 5 });
    const { low = 0, high = 0 } = cell?.comparison?.toBest?.interval ?? {};
    expect(low).toBeLessThan(-0.03);
    expect(high).toBeGreaterThan(-0.03);
    expect(high).toBeLessThan(0);
  });

  it("takes the smallest for best where smaller is better", () => {
    const nll = (fusion: string, values: readonly number[]) =>
      values.map((value, index): Planned => {
        const spec = createSpec({ fusion }, { seed: index + 1 });
        return { spec, result: createResult(spec, { valid: { nll: value } }) };
      });
    const table = compile([...nll("a", GOOD), ...nll("b", BAD)], { ...SPEC, metrics: ["nll"] });
    expect(standings(table)).toStrictEqual(["behind", "winner"]);
  });

  it("marks nothing with one seed, and no winner over a row with one seed", () => {
    const one = [...method({ fusion: "a" }, [0.9]), ...method({ fusion: "b" }, [0.1])];
    const table = compile(one);
    expect(standings(table)).toStrictEqual([undefined, undefined]);
    expect(table.notes).toStrictEqual([]);
    const mixed = [
      ...method({ fusion: "a" }, GOOD),
      ...method({ fusion: "b" }, BAD),
      ...method({ fusion: "c" }, [0.1]),
    ];
    expect(standings(compile(mixed))).toStrictEqual(["tied", "behind", undefined]);
  });

  it("compares nothing across data sets, features, or made-up and real data", () => {
    const a = method({ fusion: "a" }, GOOD);
    for (const options of [{ fingerprint: "other" }, { source: "synthetic" }] as const) {
      expect(standings(compile([...a, ...method({ fusion: "b" }, BAD, options)]))).toStrictEqual([
        undefined,
        undefined,
      ]);
    }
    const sets = [
      ...method({ dataset: "iemocap", fusion: "a" }, GOOD),
      ...method({ dataset: "meld", fusion: "a" }, BAD),
    ];
    expect(standings(compile(sets, { ...SPEC, columns: [] }))).toStrictEqual([undefined, undefined]);
  });

  it("compares over the seeds that both have", () => {
    const table = compile([...method({ fusion: "a" }, GOOD), ...method({ fusion: "b" }, BAD, { seed: 3 })]);
    expect(table.cells[1]?.[0]?.comparison?.toBest?.seeds).toBe(3);
    const apart = compile([...method({ fusion: "a" }, GOOD), ...method({ fusion: "b" }, BAD, { seed: 6 })]);
    expect(standings(apart)).toStrictEqual([undefined, undefined]);
  });

  it("puts no row behind that is ahead over the seeds that both have", () => {
    // On seeds 1 to 3 the second is ahead; the first has the better mean, by a seed that the second lacks.
    const first = method({ fusion: "a" }, [0.7, 0.701, 0.699, 0.99]);
    const second = method({ fusion: "b" }, [0.75, 0.7512, 0.7488]);
    expect(standings(compile([...first, ...second]))).toStrictEqual(["tied", "tied"]);
  });

  it("marks no winner over a row that has a score that is no number", () => {
    const rows = [
      ...method({ fusion: "a" }, GOOD),
      ...method({ fusion: "b" }, BAD),
      ...method({ fusion: "c" }, [0.9, 0.91, Number.NaN]),
    ];
    expect(standings(compile(rows))).toStrictEqual(["tied", "behind", undefined]);
  });

  it("finds nothing where a difference is the same with every seed, which tells no error", () => {
    const shifted = GOOD.map((value) => value - 0.03);
    expect(standings(compile([...method({ fusion: "a" }, GOOD), ...method({ fusion: "b" }, shifted)]))).toStrictEqual([
      "tied",
      "tied",
    ]);
  });

  it("never takes a score of an epoch that was chosen on the test part", () => {
    const table = compile([...method({ fusion: "a" }, GOOD), ...method({ fusion: "b" }, BAD)], {
      ...SPEC,
      show: ["valid-selected", "max-test", "optimism"],
      details: ["n", "seconds"],
    });
    for (const row of table.cells) {
      expect(row.map((cell) => cell.comparison !== undefined)).toStrictEqual([false, true, false, false, false]);
    }
  });

  it("calls methods equivalent only where the study names a margin, and they are", () => {
    const rows = [
      ...method({ fusion: "a" }, GOOD),
      ...method({ fusion: "b" }, [0.7301, 0.7282, 0.7308, 0.7285, 0.7316]),
    ];
    const margin = (points: number): TableSpecInput => ({ ...SPEC, compare: { margin: { "weighted-f1": points } } });
    expect(standings(compile(rows))).toStrictEqual(["tied", "tied"]);
    expect(standings(compile(rows, margin(0.5)))).toStrictEqual(["tied", "equivalent"]);
    expect(standings(compile(rows, margin(0.01)))).toStrictEqual(["tied", "tied"]);
  });

  it("corrects over all comparisons of the table", () => {
    const rows = (dataset: string) => [
      ...method({ dataset, fusion: "a" }, scores("x", 1, 5, 0.7)),
      ...method({ dataset, fusion: "b" }, scores("y", 1, 5, 0.69)),
    ];
    const alone = compile(rows("iemocap"))
      .cells.flat()
      .find(({ comparison }) => comparison?.toBest);
    const both = compile([...rows("iemocap"), ...rows("meld")])
      .cells.flat()
      .find(({ comparison }) => comparison?.toBest);
    expect(both?.comparison?.toBest?.p).toBe(alone?.comparison?.toBest?.p);
    expect(both?.comparison?.toBest?.corrected).toBeCloseTo(2 * (alone?.comparison?.toBest?.p ?? 1), 12);
  });

  it("does not change when seeds change their names", () => {
    const f1 = fc.array(fc.integer({ min: 6000, max: 7000 }), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(f1, fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), (values, order) => {
        const rows = (seeds: readonly number[]) =>
          ["a", "b"].flatMap((fusion, model) =>
            method(
              { fusion },
              seeds.map((seed) => (values[5 * model + seed] ?? 0) / 10_000),
            ),
          );
        const found = compile(rows([0, 1, 2, 3, 4])).cells.map(([cell]) => cell?.comparison);
        expect(compile(rows(order)).cells.map(([cell]) => cell?.comparison)).toStrictEqual(found);
      }),
      { numRuns: 50 },
    );
  });

  it("is the same in every format", () => {
    const trials = [
      ...method({ fusion: "a" }, GOOD),
      ...method({ fusion: "b" }, BAD),
      ...method(
        { fusion: "c" },
        BAD.map((value, index) => value - 0.002 * (index % 3)),
      ),
    ];
    const table = compile(trials);
    expect(standings(table)).toStrictEqual(["winner", "behind", "behind"]);
    const text = Object.fromEntries(TABLE_FORMATS.map((format) => [format, formatTable(table, format)]));
    expect(text.terminal).toContain("73.00 ± 0.16 [*]");
    expect(text.md).toContain("**73.00** ± 0.16 <sup>\\*</sup>");
    expect(text.latex).toContain("\\textbf{73.00} $\\pm$ 0.16\\textsuperscript{*}");
    const lines: Record<string, string>[] = parse(text.csv ?? "", { columns: true });
    expect(lines.map(({ standing }) => standing)).toStrictEqual(["winner", "behind", "behind"]);
    expect(Number(lines[1]?.p_corrected)).toBe(table.cells[1]?.[0]?.comparison?.toBest?.corrected);
    expect(JSON.parse(text.json ?? "")).toMatchObject({ notes: [{ mark: "*" }] });
    for (const format of ["terminal", "md", "latex"] as const) {
      expect(text[format]?.replace(/\s+/g, " ")).toContain("over the 3 comparisons of this table");
    }
  });
});
