// The tests that a study can choose from, as its table shows them; and scores on resampled dialogues, which must be
// those of the metrics themselves.
import {
  classificationMetrics,
  drawNormal,
  drawUniform,
  foldKey,
  keyFromSeed,
  type MetricName,
  metricsOfTask,
  multiLabelMetrics,
  regressionMetrics,
  type Task,
} from "@merclab/core";
import { type TableSpecInput, type TestPredictions, tableSpec } from "@merclab/runner";
import { mcnemarTest } from "@merclab/statistics";
import { describe, expect, it } from "vitest";
import { compileTable, type Planned, type Table } from "../src/index.ts";
import { dialogueScores } from "../src/tables/dialogue-scores.ts";
import { createResult, createSpec } from "./support.ts";

const ROOT = keyFromSeed(11);
const CLASSES: Task = { type: "single-label", classes: ["no", "yes"] };

/** Dialogues of seven utterances. */
const ids = (count: number) => ({
  dialogues: Array.from({ length: count }, (_, i) => `d${Math.floor(i / 7)}`),
  utterances: Array.from({ length: count }, (_, i) => `u${i}`),
});
const uniform = (name: string, count: number) => Array.from(drawUniform(foldKey(ROOT, name), count));

const TASKS: readonly (readonly [Task, TestPredictions, (weights: number[]) => Readonly<Record<string, unknown>>])[] =
  (() => {
    const count = 60;
    const labels = uniform("labels", count).map((value) => Math.floor(3 * value));
    const rows = uniform("rows", 3 * count);
    const shares = rows.map((value, i) => {
      const at = 3 * Math.floor(i / 3);
      return value / ((rows[at] ?? 0) + (rows[at + 1] ?? 0) + (rows[at + 2] ?? 0));
    });
    const decisions = labels.map((_, i) => {
      const row = shares.slice(3 * i, 3 * i + 3);
      return row.indexOf(Math.max(...row));
    });
    const held = uniform("held", 3 * count).map((value) => (value < 0.4 ? 1 : 0));
    const targets = uniform("targets", count).map((value) => Math.round(6 * value - 3));
    const scores = uniform("scores", count).map((value, i) => (targets[i] ?? 0) + 3 * value - 1.5);
    const predictions = (truth: number[], outputs: number[], chosen: number[] = []): TestPredictions => ({
      ...ids(count),
      truth: Float64Array.from(truth),
      outputs: Float64Array.from(outputs),
      decisions: Int32Array.from(chosen),
    });
    return [
      [
        { type: "single-label", classes: ["a", "b", "c"] },
        predictions(labels, shares, decisions),
        (weights) => ({ ...classificationMetrics(labels, { probabilities: shares }, 3, weights) }),
      ],
      [
        { type: "multi-label", labels: ["a", "b", "c"], threshold: 0.5 },
        predictions(held, rows),
        (weights) => ({ ...multiLabelMetrics(held, rows, 3, 0.5, weights) }),
      ],
      [
        { type: "regression", range: [-3, 3] },
        predictions(targets, scores),
        (weights) => ({ ...regressionMetrics(targets, scores, weights) }),
      ],
    ];
  })();

describe.each(TASKS)("scores on resampled dialogues, $type", (task, predictions, metrics) => {
  it.each(metricsOfTask(task))("%s is that of the utterances, each as often as its dialogue was drawn", (metric) => {
    const scores = dialogueScores(metric, task, predictions);
    const drawn = uniform("weights", scores.dialogues.length).map((value) => Math.floor(3 * value));
    for (const weights of [drawn, drawn.map(() => 1)]) {
      const byDialogue = new Map(scores.dialogues.map((dialogue, i) => [dialogue, weights[i] as number]));
      const expected = metrics(predictions.dialogues.map((dialogue) => byDialogue.get(dialogue) as number));
      expect(Math.abs(scores.score(weights) - (expected[metric] as number))).toBeLessThan(1e-12);
    }
  });
});

/** Trials of a method that is right with a chance of its own in each dialogue, which all methods share. */
function method(fusion: string, study: number, seeds: number, gain = 0, dialogues = 30): Planned[] {
  const ease = Array.from(drawNormal(foldKey(ROOT, "ease", study), dialogues), (value) => 0.6 + 0.15 * value);
  return Array.from({ length: seeds }, (_, seed): Planned => {
    const key = foldKey(ROOT, fusion, study, seed);
    const luck = (drawNormal(foldKey(key, "luck"), 1)[0] as number) * 0.02;
    const draws = drawUniform(foldKey(key, "utterances"), 7 * dialogues);
    const truth = Float64Array.from(draws, (_, i) => i % 2);
    const isRight = Array.from(draws, (value, i) => value < (ease[Math.floor(i / 7)] as number) + luck + gain);
    const decisions = Int32Array.from(isRight, (right, i) => (right ? i % 2 : 1 - (i % 2)));
    const accuracy = isRight.filter(Boolean).length / isRight.length;
    const spec = createSpec({ fusion }, { seed, task: CLASSES });
    return {
      spec,
      result: createResult(spec, { valid: { accuracy } }),
      predictions: {
        ...ids(7 * dialogues),
        truth,
        decisions,
        outputs: Float64Array.from(isRight.flatMap((_, i) => (decisions[i] === 1 ? [0.2, 0.8] : [0.8, 0.2]))),
      },
    };
  });
}

function compile(trials: readonly Planned[], compare: TableSpecInput["compare"], metrics: MetricName[] = ["accuracy"]) {
  const spec: TableSpecInput = { rows: "fusion", metrics, show: ["valid-selected"], details: [], compare };
  return compileTable(tableSpec.parse(spec), trials);
}

const standings = (table: Table) => table.cells.map(([cell]) => cell?.comparison?.standing);
const BOOTSTRAP: TableSpecInput["compare"] = { test: "dialogue-bootstrap", resamples: 100 };

describe("the bootstrap over dialogues and seeds", () => {
  it("marks no winner between two equal methods with 5 seeds, in 95 of 100 studies", () => {
    const marked = Array.from({ length: 100 }, (_, study) =>
      compile([...method("a", study, 5), ...method("b", study, 5)], BOOTSTRAP),
    ).filter((table) => standings(table).includes("winner"));
    expect(marked.length).toBeLessThanOrEqual(5);
  });

  it("finds a difference of twenty points, and is named in the note", () => {
    const table = compile([...method("a", 1, 5, 0.2), ...method("b", 1, 5)], BOOTSTRAP);
    expect(standings(table)).toStrictEqual(["winner", "behind"]);
    expect(table.notes[0]?.text).toContain("paired bootstrap over dialogues and seeds, 100 resamples");
    const { difference = 0, interval } = table.cells[1]?.[0]?.comparison?.toBest ?? {};
    expect(interval?.low).toBeLessThan(difference);
    expect(interval?.high).toBeLessThan(0);
  });

  it("does not depend on the order of the trials, and is the same every time", () => {
    const trials = [...method("a", 2, 4, 0.03), ...method("b", 2, 4)];
    expect(compile(trials.toReversed(), BOOTSTRAP)).toStrictEqual(compile(trials, BOOTSTRAP));
  });

  it("is wider than the t test over seeds where seeds agree and dialogues do not", () => {
    const trials = [...method("a", 3, 5, 0.03), ...method("b", 3, 5)];
    const width = (compare: TableSpecInput["compare"]) => {
      const cells = compile(trials, compare).cells.flat();
      const { low = 0, high = 0 } = cells.flatMap(({ comparison }) => comparison?.toBest?.interval ?? [])[0] ?? {};
      return high - low;
    };
    expect(width(BOOTSTRAP)).toBeGreaterThan(width({ test: "paired-t" }) * 0.9);
  });

  it("claims equivalence within the study's margin alone", () => {
    const trials = [...method("a", 4, 5), ...method("b", 4, 5)];
    expect(standings(compile(trials, { ...BOOTSTRAP, margin: { accuracy: 30 } })).sort()).toStrictEqual([
      "equivalent",
      "tied",
    ]);
  });

  it("says which comparisons it could not make", () => {
    const { predictions: _, ...bare } = method("b", 1, 2)[0] as Planned;
    const table = compile([...method("a", 1, 2), bare, ...method("b", 1, 2).slice(1)], BOOTSTRAP);
    expect(standings(table)).toStrictEqual([undefined, undefined]);
    expect(table.notes.at(-1)?.text).toMatch(/^1 of 1 comparisons were not made.*stored predictions/);
  });
});

describe("McNemar's test", () => {
  it("compares single runs by accuracy on the same utterances", () => {
    const trials = [...method("a", 5, 1, 0.2), ...method("b", 5, 1)];
    const [a, b] = trials.map(({ predictions }) =>
      Array.from(predictions?.decisions ?? [], (decision, i) => decision === predictions?.truth[i]),
    );
    const table = compile(trials, { test: "mcnemar" });
    expect(standings(table)).toStrictEqual(["winner", "behind"]);
    expect(table.cells[1]?.[0]?.comparison?.toBest).toMatchObject({ seeds: 1, p: mcnemarTest(a ?? [], b ?? []).p });
    expect(standings(compile([...method("a", 5, 2, 0.2), ...method("b", 5, 2)], { test: "mcnemar" }))).toStrictEqual([
      undefined,
      undefined,
    ]);
  });
});

describe("almost stochastic order", () => {
  it("marks a winner from 20 seeds on, and tells how far others are from it before", () => {
    const compare: TableSpecInput["compare"] = { test: "stochastic-order", resamples: 100 };
    const few = compile([...method("a", 6, 5, 0.2), ...method("b", 6, 5)], compare);
    expect(standings(few)).toStrictEqual(["tied", "tied"]);
    expect(few.cells[1]?.[0]?.comparison?.toBest).toMatchObject({ violation: 0 });
    const many = compile([...method("a", 6, 20, 0.2), ...method("b", 6, 20)], compare);
    expect(standings(many)).toStrictEqual(["winner", "behind"]);
    expect(many.notes[0]?.text).toContain("almost stochastic order");
  });

  it("takes the lower quantiles for better where smaller is better", () => {
    const compare: TableSpecInput["compare"] = { test: "stochastic-order", resamples: 100 };
    const turned = (trials: readonly Planned[]) =>
      trials.map((trial): Planned => {
        const nll = 1 - (trial.result?.test.validSelected.metrics.accuracy ?? 0);
        return { spec: trial.spec, result: createResult(trial.spec, { valid: { nll } }) };
      });
    const table = compile([...turned(method("a", 6, 20, 0.2)), ...turned(method("b", 6, 20))], compare, ["nll"]);
    expect(standings(table)).toStrictEqual(["winner", "behind"]);
  });
});

it("refuses what a test has no use for", () => {
  expect(() => tableSpec.parse({ compare: { test: "mcnemar", margin: { accuracy: 1 } } })).toThrow(/margin/);
  expect(() => tableSpec.parse({ compare: { resamples: 200 } })).toThrow(/draw/);
});
