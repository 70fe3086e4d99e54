// What dataset.yaml can say about labels: classes, scores, several labels at once, and classes made of scores.
import { type Labels, metricsOfTask, visibleLabels } from "@merclab/core";
import { describe, expect, test } from "vitest";
import { strataOf } from "../src/folder/strata.ts";
import { checkFolder, loadFolder, packBatch } from "../src/index.ts";
import { csv, errorOf, type Row, tinyDescription, tinyRows, writeFolder } from "./tiny-folder.ts";

/** Two per dialogue: a, b, c train, d valid, e test. */
const SCORES = ["-3", "2.5", "0", "0.4", "1.5", "-1.75", "3", "-0.2", "-2.5", "0.5"];
const GLAD = ["1", "0", "1", "1", "0", "0", "1", "0", "0", "1"];
const SAD = ["0", "0", "1", "0", "0", "1", "0", "0", "1", "1"];

const rows: Row[] = tinyRows().map((row, at) => ({
  ...row,
  score: SCORES[at] ?? "",
  glad: GLAD[at] ?? "",
  sad: SAD[at] ?? "",
}));

const described = (labels: object, more: object = {}) => ({ ...tinyDescription(), labels, ...more });
const folder = (labels: object, more: object = {}, table = rows) =>
  writeFolder({ "dataset.yaml": described(labels, more), "utterances.csv": csv(table) });
const spoilt = (at: number, cells: Row) => rows.map((row, place) => (place === at ? { ...row, ...cells } : row));
const options = (target: string | null = null) => ({
  modalities: null,
  validFraction: null,
  validSeed: null,
  normalize: null,
  target,
});

const regression = { type: "regression", column: "score", range: [-3, 3] };
const multiLabel = { type: "multi-label", columns: ["glad", "sad"] };
const list = (parts: readonly (Labels | undefined)[]) => parts.map((part) => part && [part.constructor.name, ...part]);

describe("labels of a folder", () => {
  test("can be scores", async () => {
    const { dataset, seal, warnings } = await loadFolder(await folder(regression));
    expect(dataset.task).toEqual({ type: "regression", range: [-3, 3] });
    expect(list(dataset.splits.train.map(visibleLabels))).toEqual([
      ["Float32Array", -3, 2.5],
      ["Float32Array", 0, Math.fround(0.4)],
      ["Float32Array", 1.5, -1.75],
    ]);
    expect(list(seal.open("a test"))).toEqual([["Float32Array", -2.5, 0.5]]);
    expect([dataset.trainClassCounts, dataset.trainUtterances, warnings]).toEqual([[], 6, []]);
  });

  test("can be several at once, by 0 and 1 or by intensity", async () => {
    const { dataset, seal } = await loadFolder(await folder(multiLabel));
    expect(dataset.task).toEqual({ type: "multi-label", labels: ["glad", "sad"], threshold: 0.5 });
    expect(list(dataset.splits.train.map(visibleLabels))[1]).toEqual(["Uint8Array", 1, 1, 1, 0]);
    expect(list(seal.open("a test"))).toEqual([["Uint8Array", 0, 1, 1, 1]]);
    expect([dataset.trainClassCounts, dataset.trainUtterances]).toEqual([[3, 2], 6]);
    const strong = { type: "multi-label", columns: ["score", "sad"], above: 0.45, threshold: 0.3 };
    const other = await loadFolder(await folder(strong));
    expect(list(other.dataset.splits.train.map(visibleLabels))).toEqual([
      ["Uint8Array", 0, 0, 1, 0],
      ["Uint8Array", 0, 1, 0, 0],
      ["Uint8Array", 1, 0, 0, 1],
    ]);
    expect(other.dataset.task).toMatchObject({ threshold: 0.3 });
  });

  test("can be classes made of scores: by borders, which belong to the class above, or rounded half to even", async () => {
    const cut = await loadFolder(await folder({ column: "score", as: { edges: [0, 1.5] } }));
    expect(cut.dataset.task).toEqual({ type: "single-label", classes: ["below 0", "0 to 1.5", "from 1.5"] });
    expect(list(cut.dataset.splits.train.map(visibleLabels)).flat()).toEqual(
      [
        [0, 2],
        [1, 1],
        [2, 0],
      ].flatMap((pair) => ["Int32Array", ...pair]),
    );
    const seven = await loadFolder(await folder({ column: "score", as: { rounded: [-3, 3] } }));
    expect(seven.dataset.task).toEqual({ type: "single-label", classes: ["-3", "-2", "-1", "0", "1", "2", "3"] });
    // -3, 2.5, 0, 0.4, 1.5, -1.75 and, sealed, -2.5, 0.5
    expect(list(seven.dataset.splits.train.map(visibleLabels)).flat()).toEqual(
      [
        [0, 5],
        [3, 3],
        [5, 1],
      ].flatMap((pair) => ["Int32Array", ...pair]),
    );
    expect(list(seven.seal.open("a test"))).toEqual([["Int32Array", 1, 3]]);
    const named = { column: "score", as: { rounded: [-1, 0] }, classes: ["bad", "good"] };
    expect((await loadFolder(await folder(named))).dataset.task).toMatchObject({ classes: ["bad", "good"] });
  });

  test("can be chosen among targets, each with a fingerprint of its own", async () => {
    const place = await folder(
      { column: "emotion", classes: ["calm", "tense"] },
      { targets: { regression, multiLabel } },
    );
    const loaded = await Promise.all(
      [null, "regression", "multiLabel"].map((name) => loadFolder(place, options(name))),
    );
    expect(loaded.map(({ dataset }) => dataset.task.type)).toEqual(["single-label", "regression", "multi-label"]);
    expect(new Set(loaded.map(({ dataset }) => dataset.fingerprint)).size).toBe(3);
    expect(await errorOf(loadFolder(place, options("regresion")))).toMatch(
      /^config \| .*dataset.yaml \| dataset tiny has no target "regresion" \| Did you mean "regression"\?/,
    );
    expect((await checkFolder(place, undefined, "regression")).task.type).toBe("regression");
  });

  test.each([regression, multiLabel, { column: "score", as: { rounded: [-3, 3] } }])(
    "of the test part are not in the data set: %j",
    async (labels) => {
      const { dataset } = await loadFolder(await folder(labels));
      expect(dataset.splits.test.map((dialogue) => "labels" in dialogue)).toEqual([false]);
      expect(() => dataset.splits.test.map(visibleLabels)).toThrow(/sealed/);
    },
  );
});

describe("what is wrong is told with its place", () => {
  test.each<[string, object, Row[], RegExp]>([
    ["no score", regression, spoilt(2, { score: "" }), /utterances.csv:4 \| no score in column "score" \(1 row\)/],
    ["NaN", regression, spoilt(2, { score: "NaN" }), /"NaN" in column "score" is no score \(1 row\)/],
    ["infinite", regression, spoilt(0, { score: "Infinity" }), /utterances.csv:2 \| "Infinity" in column "score"/],
    [
      "text",
      { column: "score", as: { edges: [0] } },
      spoilt(1, { score: "good" }),
      /"good" in column "score" is no score/,
    ],
    [
      "out of range",
      regression,
      spoilt(9, { score: "3.2" }),
      /csv:11 \| score 3.2 in column "score" is outside .* \| Widen/,
    ],
    [
      "half a label",
      multiLabel,
      spoilt(4, { glad: "0.5" }),
      /csv:6 \| label "glad" must be 0 or 1, got "0.5".*above: 0/,
    ],
    ["no label cell", multiLabel, spoilt(4, { sad: "" }), /label "sad" must be 0 or 1, got ""/],
    ["no intensity", { ...multiLabel, above: 0 }, spoilt(4, { sad: "x" }), /label "sad" must be a number, got "x"/],
    [
      "no column",
      { ...regression, column: "scores" },
      rows,
      /missing column "scores" \(labels.column\) \| Did you mean "score"/,
    ],
  ])("%s", async (_, labels, table, message) => {
    expect(await errorOf(loadFolder(await folder(labels, {}, table)))).toMatch(message);
  });

  test.each<[string, object, RegExp]>([
    ["a type", { type: "regresion", column: "score" }, /"labels.type".*regresion.*Did you mean "regression"/],
    ["no range", { type: "regression", column: "score" }, /missing "range" in "labels"/],
    ["a range turned round", { ...regression, range: [3, -3] }, /"labels.range": the smaller number comes first/],
    ["a key of another type", { ...regression, classes: ["a", "b"] }, /unknown key "classes" in "labels"/],
    ["no classes", { column: "emotion" }, /"labels.classes": missing: the list of classes/],
    ["too few names", { column: "score", as: { edges: [0, 1] }, classes: ["a", "b"] }, /3 classes need as many names/],
    ["borders", { column: "score", as: { edges: [1, 0] } }, /borders must ascend/],
    ["a column twice", { type: "multi-label", columns: ["glad", "glad"] }, /a column is listed twice/],
    ["a threshold", { ...multiLabel, threshold: 1 }, /labels.threshold/],
  ])("%s", async (_, labels, message) => {
    expect(await errorOf(loadFolder(await folder(labels)))).toMatch(message);
  });

  test("a label that nobody in train has is a warning", async () => {
    const none = rows.map((row) => ({ ...row, sad: row.part === "train" ? "0" : "1" }));
    const { warnings } = await loadFolder(await folder(multiLabel, {}, none));
    expect(warnings).toEqual(["labels without an example in train, so they cannot be learned: sad"]);
  });
});

describe("a batch", () => {
  test("has targets in the form of the task, zeros on padding tokens", async () => {
    const pack = async (labels: object) => {
      const { dataset } = await loadFolder(await folder(labels));
      const batch = packBatch(dataset.splits.train.slice(0, 2), dataset.modalities, { tokens: 6 });
      const shown = Object.entries(batch.targets ?? {}).map(([name, tensor]) => [
        name,
        tensor.shape,
        [...tensor.dataSync()],
      ]);
      batch.dispose();
      return Object.fromEntries(shown.map(([name, shape, data]) => [name, { shape, data }]));
    };
    const mask = { shape: [6], data: [1, 1, 1, 1, 0, 0] };
    expect(await pack(regression)).toEqual({
      scores: { shape: [6], data: [-3, 2.5, 0, Math.fround(0.4), 0, 0] },
      mask,
    });
    expect(await pack(multiLabel)).toEqual({
      held: { shape: [6, 2], data: [1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0] },
      mask,
    });
  });
});

describe("strata", () => {
  test("count classes, labels that hold, and scores by whole numbers or in bins", () => {
    const seven = strataOf({ type: "regression", range: [-3, 3] });
    expect(seven.names).toEqual(["-3", "-2", "-1", "0", "1", "2", "3"]);
    expect(seven.count(Float32Array.from([-3, -2.5, -0.4, 0.5, 2.5, 3]))).toEqual([1, 1, 0, 2, 0, 1, 1]);
    const bins = strataOf({ type: "regression", range: [0, 0.7] });
    expect(bins.names.at(-1)).toBe("0.6 to 0.7");
    expect(bins.count(Float32Array.from([0, 0.05, 0.35, 0.7]))).toEqual([2, 0, 0, 1, 0, 0, 1]);
    const sets = strataOf({ type: "multi-label", labels: ["a", "b", "c"], threshold: 0.5 });
    expect(sets.count(Uint8Array.from([1, 0, 1, 0, 0, 1]))).toEqual([1, 0, 2]);
  });

  test("a report counts by them", async () => {
    const report = await checkFolder(await folder(regression));
    expect([report.task.type, report.classes.length, report.problems]).toEqual(["regression", 7, []]);
    expect(report.splits?.train.classCounts).toEqual([1, 1, 0, 2, 0, 2, 0]);
    expect(metricsOfTask(report.task)).toContain("acc-7");
  });
});
