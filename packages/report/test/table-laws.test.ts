// Laws that hold for any study: the order of trials never matters, and every trial is counted exactly once.

import { DEFAULT_TABLE, tableSpec } from "@merclab/runner";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileTable, formatTable, type Planned, type Table } from "../src/index.ts";
import { createResult, createSpec } from "./support.ts";

const SPECS = [
  DEFAULT_TABLE,
  tableSpec.parse({ rows: "fusion" }),
  tableSpec.parse({ rows: ["optimizer.lr", "fusion"], columns: "dataset", show: ["valid-selected"], details: [] }),
  tableSpec.parse({ rows: "dataset", columns: "fusion" }),
];

const trial = fc.record({
  dataset: fc.constantFrom("iemocap", "meld", "cmu-mosi"),
  fusion: fc.constantFrom("sdt", "lmam", "concat"),
  rank: fc.constantFrom(4, 16),
  lr: fc.option(fc.constantFrom(0.001, 0.01), { nil: undefined }),
  seed: fc.integer({ min: 1, max: 5 }),
  isDone: fc.boolean(),
  score: fc.oneof({ weight: 9, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) }, fc.constant(Number.NaN)),
  engine: fc.constantFrom("wasm", "ort"),
  source: fc.constantFrom<"real" | "synthetic">("real", "synthetic"),
});

const study = fc.array(trial, { maxLength: 40 }).map((choices) =>
  choices.map(({ dataset, fusion, rank, lr, seed, isDone, score, engine, source }, index): Planned => {
    const cell = {
      dataset,
      fusion,
      ...(fusion === "lmam" ? { "fusion.lmam.rank": rank } : {}),
      ...(lr === undefined ? {} : { "optimizer.lr": lr }),
    };
    const spec = createSpec(cell, { seed, engine, source, id: `trial-${index}` });
    const valid = { "weighted-f1": score, accuracy: score / 2 };
    return isDone ? { spec, result: createResult(spec, { valid, versions: { merclab: engine } }) } : { spec };
  }),
);

const studyShuffled = study.chain((trials) =>
  fc.tuple(fc.constant(trials), fc.shuffledSubarray(trials, { minLength: trials.length })),
);

/** Ids of each cell group: row by group of columns. */
function idsOf(table: Table): string[] {
  return table.cells.flatMap((row) => {
    const groups = new Map(
      row.map((cell, index) => [
        JSON.stringify(table.columns[index]?.axes),
        [...cell.trials, ...(cell.missing?.trials ?? [])],
      ]),
    );
    return [...groups.values()].flat();
  });
}

describe.each(SPECS)("a table of %j", (spec) => {
  it("does not depend on the order of the trials", () => {
    fc.assert(
      fc.property(studyShuffled, ([trials, shuffled]) => {
        expect(formatTable(compileTable(spec, shuffled), "json")).toBe(formatTable(compileTable(spec, trials), "json"));
      }),
    );
  });

  it("counts every planned trial in exactly one group of cells", () => {
    fc.assert(
      fc.property(study, (trials) => {
        const ids = trials.map((each) => each.spec.id);
        expect(idsOf(compileTable(spec, trials)).sort()).toStrictEqual(ids.sort());
      }),
    );
  });

  it("averages nothing but seeds: the trials of a cell made the same choices", () => {
    fc.assert(
      fc.property(study, (trials) => {
        const cellOf = new Map(trials.map((each) => [each.spec.id, each.spec]));
        for (const cell of compileTable(spec, trials).cells.flat()) {
          const choices = [...cell.trials, ...(cell.missing?.trials ?? [])].map((id) => {
            const found = cellOf.get(id);
            return JSON.stringify([found?.config.dataset, found?.config.fusion, found?.config.optimizer]);
          });
          expect(new Set(choices).size).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it("gives every mark a note, in the order of reading", () => {
    fc.assert(
      fc.property(study, (trials) => {
        const table = compileTable(spec, trials);
        const used = [...new Set(table.cells.flat().flatMap((cell) => cell.notes))];
        const standings = new Set(table.cells.flat().map(({ comparison }) => comparison?.standing));
        const marks = [...(standings.has("winner") ? ["*"] : []), ...(standings.has("tied") ? ["≈"] : []), ...used];
        expect(table.notes.flatMap(({ mark }) => mark ?? [])).toStrictEqual(marks);
      }),
    );
  });

  it("prints in every format", () => {
    fc.assert(
      fc.property(study, (trials) => {
        const table = compileTable(spec, trials);
        for (const format of ["terminal", "md", "latex", "csv"] as const) {
          expect(formatTable(table, format)).not.toMatch(/undefined|\[object/);
        }
      }),
      { numRuns: 30 },
    );
  });
});
