// Trials of several tasks: a table for each, with its own metrics, and optimism that knows which way is better.
import type { Task } from "@merclab/core";
import { type TableSpecInput, tableSpec } from "@merclab/runner";
import { expect, test } from "vitest";
import { compileTable, formatTable, type Planned, splitByTask } from "../src/index.ts";
import { createResult, createSpec } from "./support.ts";

const SCORE: Task = { type: "regression", range: [-3, 3] };
const SETS: Task = { type: "multi-label", labels: ["a", "b"], threshold: 0.5 };

function trials(dataset: string, task: Task | undefined, valid: object, best: object): Planned[] {
  return [1, 2].map((seed) => {
    const spec = createSpec({ dataset }, { seed, ...(task === undefined ? {} : { task }) });
    return { spec, result: createResult(spec, { valid: { ...valid }, best: { ...best } }) };
  });
}

const scores = trials("mosi", SCORE, { mae: 0.95, "pearson-r": 0.6 }, { mae: 0.93, "pearson-r": 0.59 });
const classes = trials(
  "meld",
  undefined,
  { "weighted-f1": 0.5, accuracy: 0.6 },
  { "weighted-f1": 0.51, accuracy: 0.58 },
);
const sets = trials("mosei", SETS, { "macro-f1": 0.4, "weighted-f1": 0.5 }, { "macro-f1": 0.4, "weighted-f1": 0.5 });

const tables = (spec: TableSpecInput, planned: readonly Planned[]) =>
  splitByTask(tableSpec.parse(spec), planned).map((part) => compileTable(part.spec, part.planned));
const metricsOf = ({ columns }: ReturnType<typeof compileTable>) => [
  ...new Set(columns.flatMap(({ metric }) => metric ?? [])),
];

test("each task has a table of its own with the usual metrics", () => {
  const [first, second, third, ...rest] = tables({}, [...scores, ...classes, ...sets]);
  expect(rest).toEqual([]);
  expect([first, second, third].map((table) => table?.title)).toEqual([
    "SDT against LMAM, one protocol (regression)",
    "SDT against LMAM, one protocol (single-label)",
    "SDT against LMAM, one protocol (multi-label)",
  ]);
  expect(first && metricsOf(first)).toEqual([
    "mae",
    "pearson-r",
    "acc-7",
    "binary-accuracy-with-zero",
    "binary-accuracy-without-zero",
  ]);
  expect(second && metricsOf(second)).toEqual(["weighted-f1", "accuracy"]);
  expect(third && metricsOf(third)).toEqual(["macro-f1", "micro-f1", "subset-accuracy", "hamming-loss"]);
});

test("a study of one task has one table, under its own title", () => {
  expect(tables({ title: "Scores" }, scores).map(({ title }) => title)).toEqual(["Scores"]);
  expect(tables({ title: "Nothing yet" }, []).map(({ title }) => title)).toEqual(["Nothing yet"]);
});

test("named metrics go to the tables of the tasks that have them, and a table about some tasks is about those", () => {
  const all = [...scores, ...classes];
  const mixed = tables({ metrics: ["mae", "weighted-f1"] }, all);
  expect(mixed.map(metricsOf)).toEqual([["mae"], ["weighted-f1"]]);
  expect(mixed.flatMap(({ notes }) => notes)).toEqual([]);
  const [only, ...rest] = tables({ metrics: ["acc-7"], title: "Seven" }, all);
  expect([only?.title, only?.rows.length, rest.length]).toEqual(["Seven", 1, 0]);
});

test("metrics that no task of the study has are left out, and the table says so", () => {
  const [table] = tables({ metrics: ["mae", "subset-accuracy"] }, scores);
  expect(table && metricsOf(table)).toEqual(["mae"]);
  expect(table?.notes.map(({ text }) => text)).toContain("Not scored in this task, left out: Subset accuracy.");
  const [other] = tables({ metrics: ["accuracy"] }, scores);
  expect(other && metricsOf(other)).toContain("mae");
  expect(other?.notes.map(({ text }) => text)).toContain("Not scored in this task, left out: Accuracy.");
});

test("optimism is positive where the epoch chosen on test looks better, whichever way that is", () => {
  const [table] = tables({ metrics: ["mae", "pearson-r"], details: [] }, scores);
  const means = table?.cells[0]?.map(({ mean }) => Number(mean?.toFixed(6)));
  expect(means).toEqual([0.95, 0.93, 0.02, 0.6, 0.59, -0.01]);
  expect(table?.caption).toContain("Smaller is better for MAE: there optimism is valid-selected - max-test.");
  const text = table === undefined ? "" : formatTable(table, "md");
  expect(text).toContain("+0.020");
  expect(text).toContain("0.950");
  expect(tables({}, classes)[0]?.caption).not.toContain("Smaller is better");
});
