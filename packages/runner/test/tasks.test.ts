// Tasks other than single-label classes in a study: what is settled when it is planned, what is stored, and the seal.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Dataset, Labels, LoadedDataset, Task } from "@merclab/core";
import { decodeNpz } from "@merclab/data";
import type { TrialOutcome } from "@merclab/trainer";
import { describe, expect, test } from "vitest";
import { createTrialFolder, readTrial, runTrialFolder, TRIAL_FILES } from "../src/index.ts";
import { scoreTrial } from "../src/study/score.ts";
import { createBench, createRegistry, errorOf, SMALL, temporaryFolder } from "./support.ts";

const STUDY = `datasets: [synthetic]${SMALL}  trainer.epochs: 2
  engine: cpu
  encoder: linear
  fusion: lmam
`.replace("  encoder.numHeads: 2\n", "");

const settled = async (task: string, ...overrides: string[]) => {
  const { trials } = await createBench().plan(STUDY, `dataset.task=${task}`, ...overrides);
  return trials[0];
};

describe("a plan", () => {
  test.each([
    ["emotions", "cross-entropy", "weighted-f1", "single-label"],
    ["humour", "cross-entropy", "weighted-f1", "single-label"],
    ["sentiment", "l1", "mae", "regression"],
    ["emotion-set", "binary-cross-entropy", "macro-f1", "multi-label"],
  ])("settles objective and metric for %s", async (task, objective, metric, type) => {
    const spec = await settled(task);
    expect([spec?.config.objective.name, spec?.config.trainer.options.selectBy, spec?.task?.type]).toEqual([
      objective,
      metric,
      type,
    ]);
  });

  test("takes what is named, where it fits the task", async () => {
    const spec = await settled("sentiment", "objective=huber", "objective.delta=0.5", "trainer.selectBy=pearson-r");
    expect(spec?.config).toMatchObject({
      objective: { name: "huber", options: { delta: 0.5 } },
      trainer: { options: { selectBy: "pearson-r" } },
    });
    expect(spec?.id).not.toBe((await settled("sentiment"))?.id);
  });

  test.each([
    [
      ["objective=cross-entropy"],
      "combination | command line: objective=cross-entropy | objective cross-entropy is for single-label tasks; " +
        "this one is regression | Choose objective=l1, the plain one of a regression task.",
    ],
    [
      ["trainer.selectBy=accuracy"],
      "config | command line: trainer.selectBy=accuracy | trainer.selectBy: accuracy is no metric of this regression " +
        "task | One of mae, pearson-r, acc-7, acc-5, binary-accuracy-with-zero, binary-f1-with-zero, " +
        "binary-accuracy-without-zero, binary-f1-without-zero; without selectBy it is mae.",
    ],
  ])("refuses %j for scores", async (overrides, message) => {
    expect(await errorOf(() => settled("sentiment", ...overrides))).toBe(message);
  });

  test("refuses an objective that came with a fusion, at the place where it is written", async () => {
    const { plan, folder } = createBench({ "configs/fusion/sdt.yaml": "with: { objective: self-distillation }" });
    expect(await errorOf(() => plan(STUDY, "dataset.task=sentiment", "fusion=sdt"), folder)).toMatch(
      /^combination \| DIR\/configs\/fusion\/sdt.yaml:1 \| objective self-distillation is for single-label tasks/,
    );
  });
});

function loadedOf(task: Task, labels: readonly Labels[], sizes: readonly number[]): LoadedDataset {
  const dataset: Dataset = {
    name: "by-hand",
    source: "real",
    task,
    modalities: [],
    numSpeakers: 1,
    fingerprint: "0",
    splits: {
      train: [],
      valid: [],
      test: sizes.map((size, at) => ({
        id: `d${at}`,
        utteranceIds: Array.from({ length: size }, (_, place) => `d${at}/${place}`),
        features: {},
        present: {},
        speakers: new Int32Array(size),
      })),
    },
    trainClassCounts: [],
    trainUtterances: 0,
  };
  return { dataset, seal: { open: () => labels } };
}

const outcome = (selectedEpoch: number, outputs: readonly (readonly number[])[]): TrialOutcome => ({
  epochs: [],
  selectedEpoch,
  testProbabilities: outputs.map((row) => Float32Array.from(row)),
  seconds: 1,
});

describe("the scoring step", () => {
  test("takes the smallest error as the best of the test part, the first one of equals", () => {
    const task: Task = { type: "regression", range: [-3, 3] };
    const loaded = loadedOf(task, [Float32Array.from([1, -2]), Float32Array.from([0])], [2, 1]);
    const { test: scores, predictionsCsv } = scoreTrial(
      loaded,
      outcome(1, [
        [2, -2, 0.5],
        [1, -1.75, 0.125],
        [1.125, -1.75, 0],
      ]),
      "mae",
    );
    expect(scores.validSelected).toMatchObject({ epoch: 1, metrics: { mae: 0.5 }, perClass: [], confusion: [] });
    expect(scores.maxTest).toMatchObject({ epoch: 2, metrics: { mae: 0.125 } });
    expect(predictionsCsv).toBe(
      "dialogue,utterance,score,predicted\nd0,d0/0,1.000000,2.000000\nd0,d0/1,-2.000000,-2.000000\nd1,d1/0,0.000000,0.500000\n",
    );
  });

  test("writes several labels of an utterance into one cell, and every probability", () => {
    const task: Task = { type: "multi-label", labels: ["glad", "sad"], threshold: 0.25 };
    const loaded = loadedOf(task, [Uint8Array.from([1, 1]), Uint8Array.from([0, 0, 0, 1])], [1, 2]);
    const { test: scores, predictionsCsv } = scoreTrial(
      loaded,
      outcome(1, [[0.5, 0.25, 0, 0.125, 1, 0.75]]),
      "macro-f1",
    );
    expect(scores.validSelected.metrics).toMatchObject({ "subset-accuracy": 2 / 3, "hamming-loss": 1 / 6 });
    expect(scores.validSelected.perClass.map(({ support }) => support)).toEqual([1, 2]);
    expect(predictionsCsv.split("\n").slice(0, 4)).toEqual([
      "dialogue,utterance,label,predicted,glad,sad",
      "d0,d0/0,glad+sad,glad+sad,0.500000,0.250000",
      "d1,d1/0,,,0.000000,0.125000",
      "d1,d1/1,sad,glad+sad,1.000000,0.750000",
    ]);
  });
});

describe("a trial", () => {
  test.each([
    ["sentiment", "scores", 1, 0],
    ["emotion-set", "probabilities", 4, 4],
  ])("of %s stores what it predicted, and its scores", async (task, entry, width, named) => {
    const spec = await settled(task);
    if (spec === undefined) {
      throw new Error("no trial");
    }
    const folder = await createTrialFolder(join(temporaryFolder(), "runs"), spec);
    const messages: unknown[] = [];
    await runTrialFolder(folder, {
      registry: createRegistry(),
      dataRoot: undefined,
      threads: 1,
      versions: {},
      report: (message) => messages.push(message),
    });
    const { result } = await readTrial(folder);
    expect(result?.classes).toHaveLength(named);
    expect(result?.seal.reason).toContain("scoring after training");
    const stored = decodeNpz(readFileSync(join(folder, TRIAL_FILES.testProbabilities)));
    const csv = readFileSync(join(folder, TRIAL_FILES.predictions), "utf8").trimEnd().split("\n");
    expect(stored[entry]?.shape).toEqual([2, csv.length - 1, width]);
    expect(messages).toHaveLength(2);
    expect(messages[0]).toMatchObject({ valid: expect.any(Number) });
  });
});
