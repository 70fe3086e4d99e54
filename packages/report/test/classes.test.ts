// Scores of each class, and confusion matrices: those of the stored results, averaged over seeds.
import { classificationMetrics, drawUniform, foldKey, keyFromSeed, type Task } from "@merclab/core";
import { type TableSpecInput, tableSpec } from "@merclab/runner";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { compileConfusions, compileTable, formatTable, type Planned, TABLE_FORMATS } from "../src/index.ts";
import { createResult, createSpec } from "./support.ts";

const CLASSES = ["joy", "fear", "anger"];
const taskOf = (classes: readonly string[]): Task => ({ type: "single-label", classes });

function trial(dataset: string, fusion: string, seed: number, classes: readonly string[] = CLASSES) {
  const key = foldKey(keyFromSeed(seed), dataset, fusion);
  const labels = Array.from(drawUniform(foldKey(key, "labels"), 50), (value) => Math.floor(classes.length * value));
  const predictions = labels.map((label, i) => (i % 3 === 0 ? (label + 1) % classes.length : label));
  const { perClass, confusion, ...valid } = classificationMetrics(labels, { predictions }, classes.length);
  const spec = createSpec({ dataset, fusion }, { seed, task: taskOf(classes) });
  const result = createResult(spec, { valid });
  const test = { ...result.test, validSelected: { ...result.test.validSelected, perClass, confusion } };
  return { spec, result: { ...result, classes, test } } satisfies Planned;
}

const compile = (planned: readonly Planned[], spec: TableSpecInput = {}) =>
  compileTable(
    tableSpec.parse({
      rows: "fusion",
      metrics: ["accuracy"],
      show: ["valid-selected"],
      details: ["n"],
      perClass: ["f1", "support"],
      ...spec,
    }),
    planned,
  );

describe("a column for each class", () => {
  const trials = [0, 1, 2].map((seed) => trial("iemocap", "sdt", seed));

  it("has the mean over seeds of what is stored", () => {
    const { columns, cells } = compile(trials);
    expect(
      columns.flatMap(({ classScore }) => (classScore === undefined ? [] : Object.values(classScore))),
    ).toStrictEqual(["f1", "support"].flatMap((score) => CLASSES.flatMap((name) => [score, name])));
    columns.forEach(({ classScore }, place) => {
      if (classScore !== undefined && classScore.score !== "predicted") {
        const { score } = classScore;
        const values = trials.map(
          ({ result }) => result.test.validSelected.perClass[CLASSES.indexOf(classScore.class)]?.[score] ?? Number.NaN,
        );
        expect(cells[0]?.[place]?.mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / 3, 12);
      }
    });
  });

  it("is n/a for data without that class, which other data have", () => {
    const { columns, cells } = compile([...trials, trial("meld", "sdt", 0, ["joy", "disgust"])], {
      rows: ["dataset", "fusion"],
      columns: [],
    });
    const place = columns.findIndex(({ classScore }) => classScore?.score === "f1" && classScore.class === "disgust");
    expect(cells.map((row) => row[place]?.state)).toStrictEqual(["not-scored", "filled"]);
  });

  it("is never compared: the number of tests is that of the metrics", () => {
    const two = [...trials, ...[0, 1, 2].map((seed) => trial("iemocap", "lmam", seed))];
    const tests = (spec?: TableSpecInput) =>
      compile(two, spec).cells.map((row) => row.map(({ comparison }) => comparison));
    expect(tests().map((row) => row.filter((each) => each !== undefined).length)).toStrictEqual([1, 1]);
  });

  it("is in every format, under its score and class", () => {
    const table = compile(trials);
    for (const format of TABLE_FORMATS.filter((each) => each !== "csv" && each !== "json")) {
      const text = formatTable(table, format);
      expect(text, format).toContain("Support");
      expect(text, format).toContain("anger");
    }
    const lines = parse(formatTable(table, "csv"), { columns: true }) as Record<string, string>[];
    expect(lines.map(({ score }) => score)).toContain("f1 of anger");
  });
});

describe("confusion matrices", () => {
  const trials = ["sdt", "lmam"].flatMap((fusion) => [0, 1].map((seed) => trial("iemocap", fusion, seed)));

  it("are one table a cell, lines sum to 1, and the diagonal is the recall", () => {
    const tables = compileConfusions(tableSpec.parse({ rows: "fusion" }), trials);
    expect(tables.map(({ title }) => title.split(": ").at(-1))).toStrictEqual(["lmam, iemocap", "sdt, iemocap"]);
    tables.forEach(({ cells, rows }, index) => {
      expect(rows.map(({ labels }) => labels)).toStrictEqual(CLASSES.map((name) => [name]));
      cells.forEach((row, label) => {
        const shares = row.slice(0, 3).map(({ mean = Number.NaN }) => mean);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
        const own = trials.filter(({ spec }) => spec.config.fusion.name === ["lmam", "sdt"][index]);
        const recalls = own.map(({ result }) => result.test.validSelected.perClass[label]?.recall ?? Number.NaN);
        expect(shares[label]).toBeCloseTo(((recalls[0] ?? 0) + (recalls[1] ?? 0)) / 2, 12);
      });
    });
  });

  it("leave out what has no result, and name the command that computes it", () => {
    const [first, second, ...others] = trials;
    const tables = compileConfusions(tableSpec.parse({ rows: "fusion" }), [
      first as Planned,
      { spec: (second as Planned).spec },
      ...others.map(({ spec }) => ({ spec })),
    ]);
    expect(tables).toHaveLength(1);
    expect(tables[0]?.notes[0]?.text).toContain("exp run sdt-vs-lmam");
    expect(tables[0]?.caption).toContain("one seed");
    expect(formatTable(tables[0] as (typeof tables)[0], "latex")).toContain("Predicted (\\%)");
  });
});
