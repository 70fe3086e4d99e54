// Two methods that predict scores: whose error is smaller, and whose sign is right.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { regressionMetrics, type Task } from "@merclab/core";
import { TRIAL_FILES } from "@merclab/runner";
import { afterAll, describe, expect, test } from "vitest";
import { compareMethods, createReport, type StudyTrial } from "../src/index.ts";
import { blocksOf } from "../src/study/study-material.ts";
import { createResult, createSpec } from "./support.ts";

const TASK: Task = { type: "regression", range: [-3, 3] };
const LABELS = [2, -1, 0, 0.5, -2, 1];
// Errors of the first: 0.5, 0.5, 1, 1, 1, 0; of the second: 1, 0.5, 0.25, 0.25, 2.5, 2.
const FIRST = [1.5, -0.5, 1, -0.5, -1, 1];
const SECOND = [1, -1.5, 0.25, 0.25, 0.5, -1];
const SPEAKERS = new Map([
  ["d1", ["A", "B", "A"]],
  ["d2", ["A", "B", "B"]],
]);

const folder = mkdtempSync(join(tmpdir(), "merclab-nearness-"));
afterAll(() => rmSync(folder, { recursive: true }));

function storedTrial(
  fusion: string,
  seed: number,
  scores: readonly number[],
  task = TASK,
  labels = LABELS,
): StudyTrial {
  const spec = createSpec({ dataset: "mosi", fusion }, { seed, task });
  const place = join(folder, `${spec.id}-${JSON.stringify(task.type === "regression" && task.range)}`);
  mkdirSync(place, { recursive: true });
  const lines = scores.map((score, at) => [`d${at < 3 ? 1 : 2}`, `u${at}`, labels[at], score].join(","));
  writeFileSync(join(place, TRIAL_FILES.predictions), ["dialogue,utterance,score,predicted", ...lines, ""].join("\n"));
  const metrics = regressionMetrics(labels, scores);
  return { spec, folder: place, result: createResult(spec, { valid: { ...metrics } }) };
}

const contest = (pairs: readonly (readonly [StudyTrial, StudyTrial])[], task = TASK) =>
  ({ dataset: "mosi", task, names: ["a", "b"], pairs, speakers: SPEAKERS }) as const;
const one = [storedTrial("a", 1, FIRST), storedTrial("b", 1, SECOND)] as const;
const turned = [storedTrial("a", 2, SECOND), storedTrial("b", 2, FIRST)] as const;

describe("two runs that predict scores", () => {
  test("are compared by their errors, worked by hand", async () => {
    const { nearness } = await compareMethods(contest([one]));
    expect(nearness).toMatchObject({ pairs: 1, utterances: 6 });
    expect(nearness?.total).toEqual({
      name: "all",
      utterances: 6,
      firstError: 4 / 6,
      secondError: 6.5 / 6,
      firstNearer: 3,
      secondNearer: 2,
    });
    expect(
      nearness?.bySide?.map(({ name, utterances, firstNearer, secondNearer }) => [
        name,
        utterances,
        firstNearer,
        secondNearer,
      ]),
    ).toEqual([
      ["negative", 2, 1, 0],
      ["positive", 3, 2, 1],
      ["neutral", 1, 0, 1],
    ]);
    expect(nearness?.bySpeaker?.map(({ name, firstError, secondError }) => [name, firstError, secondError])).toEqual([
      ["A", 2.5 / 3, 1.5 / 3],
      ["B", 1.5 / 3, 5 / 3],
    ]);
    expect(nearness?.byTurn.map(({ name, utterances }) => [name, utterances])).toEqual([["1–5", 6]]);
    expect(nearness?.ranked.map(({ utterance, margin }) => [utterance, margin])).toEqual([
      ["u5", 2],
      ["u4", 1.5],
      ["u2", -0.75],
      ["u3", -0.75],
      ["u0", 0.5],
      ["u1", 0],
    ]);
    expect(nearness?.ranked[0]).toMatchObject({
      dialogue: "d2",
      turn: 3,
      speaker: "B",
      label: 1,
      first: [1],
      second: [-1],
    });
  });

  test("flip where one sign is right: as often as binary accuracy without zero says", async () => {
    const { flips } = await compareMethods(contest([one]));
    expect(flips?.total).toMatchObject({ utterances: 5, both: 2, onlyFirst: 2, onlySecond: 1, neither: 0 });
    expect(flips?.byClass.map(({ name, utterances }) => [name, utterances])).toEqual([
      ["negative", 2],
      ["positive", 3],
    ]);
    expect(flips?.flipped.map(({ utterance, label, first, second }) => [utterance, label, first, second])).toEqual([
      ["u3", "positive", ["negative"], ["positive"]],
      ["u4", "negative", ["negative"], ["positive"]],
      ["u5", "positive", ["positive"], ["negative"]],
    ]);
    const { total } = flips ?? { total: { both: 0, onlyFirst: 0, onlySecond: 0, utterances: 1 } };
    const accuracies = [FIRST, SECOND].map(
      (scores) => regressionMetrics(LABELS, scores)["binary-accuracy-without-zero"],
    );
    expect([
      (total.both + total.onlyFirst) / total.utterances,
      (total.both + total.onlySecond) / total.utterances,
    ]).toEqual(accuracies);
    expect(flips?.test?.p).toBe(1);
  });

  test("of several seeds add up, and opposite margins cancel", async () => {
    const { nearness, flips } = await compareMethods(contest([one, turned]));
    expect(nearness?.total).toMatchObject({ utterances: 12, firstNearer: 5, secondNearer: 5 });
    expect(nearness?.ranked.every(({ margin }) => margin === 0)).toBe(true);
    expect(flips).toMatchObject({ pairs: 2, utterances: 5 });
    expect(flips?.test).toBeUndefined();
  });

  test("have no signs where scores have no sides", async () => {
    const task: Task = { type: "regression", range: [0, 3] };
    const pair = [storedTrial("a", 1, FIRST, task), storedTrial("b", 1, SECOND, task)] as const;
    const comparison = await compareMethods(contest([pair], task));
    expect(comparison.flips).toBeUndefined();
    expect(comparison.nearness).toMatchObject({ utterances: 6 });
    expect(comparison.nearness?.bySide).toBeUndefined();
  });

  test("are refused where they were tested on other labels", async () => {
    const other = storedTrial("c", 1, SECOND, TASK, [...LABELS.slice(0, 5), -1]);
    await expect(compareMethods(contest([[one[0], other]]))).rejects.toThrow("different utterances or labels");
  });
});

test("the report shows who is nearer, and the flips of the sign", async () => {
  const trials = [...one, ...turned];
  const material = {
    study: {
      schema: 1,
      experiment: "scores",
      title: "Scores",
      command: "exp run scores",
      notices: [],
      tables: [],
      trials: trials.map(({ spec }) => spec),
    } as const,
    trials,
    blocks: blocksOf(trials),
  };
  const { html, pictures } = await createReport({
    material,
    tables: [],
    speakersOf: () => Promise.resolve(SPEAKERS),
    shownOf: () => Promise.resolve(undefined),
  });
  expect(html).toContain("is nearer to the label in 41.7 %");
  expect(html).toContain("Utterances with the largest margins");
  expect(html).toContain("By the sign of the score, as binary accuracy without zero has it");
  expect(html).toContain("Utterances on which they differ (3)");
  expect(pictures.map(({ name }) => name).filter((name) => name.includes("nearer"))).toEqual([
    "mosi-nearer-side",
    "mosi-nearer-speaker",
    "mosi-nearer-turn",
  ]);
});
