// The scoring step on probabilities made by hand: two classes, four test utterances in two dialogues.
import type { Dataset, Dialogue, LoadedDataset } from "@merclab/core";
import type { TrialOutcome } from "@merclab/trainer";
import { expect, test } from "vitest";
import { scoreTrial } from "../src/study/score.ts";

function loadedOf(labels: readonly (readonly number[])[], classes = ["calm", "tense"], ids = ["d1", "d2"]) {
  const reasons: string[] = [];
  const test = labels.map((part, i): Dialogue => {
    const id = ids[i] ?? "";
    const size = part.length;
    return {
      id,
      utteranceIds: part.map((_, at) => `${id}/${at}`),
      features: {},
      present: {},
      speakers: new Int32Array(size),
    };
  });
  const dataset: Dataset = {
    name: "by-hand",
    source: "real",
    task: { type: "single-label", classes },
    modalities: [],
    numSpeakers: 1,
    fingerprint: "0",
    splits: { train: [], valid: [], test },
    trainClassCounts: [],
    trainUtterances: 0,
  };
  const loaded: LoadedDataset = {
    dataset,
    seal: {
      open: (reason) => {
        reasons.push(reason);
        return labels.map((part) => Int32Array.from(part));
      },
    },
  };
  return { loaded, reasons };
}

/** An outcome whose epoch e gives class 1 the probabilities `tense[e - 1]`. */
function outcomeOf(selectedEpoch: number, tense: readonly (readonly number[])[]): TrialOutcome {
  return {
    epochs: tense.map((_, i) => ({ epoch: i + 1, train: {}, stepLosses: [], valid: {}, seconds: 1 })),
    selectedEpoch,
    testProbabilities: tense.map((row) => Float32Array.from(row.flatMap((p) => [1 - p, p]))),
    seconds: 2,
  };
}

const LABELS = [
  [0, 1],
  [1, 1],
];
/** Right for 2, 4, 4 and 3 of the utterances. */
const EPOCHS = [
  [0.75, 0.25, 0.75, 0.75],
  [0.25, 0.75, 0.75, 0.75],
  [0.125, 0.875, 0.875, 0.875],
  [0.25, 0.75, 0.75, 0.25],
];

test("the result is the epoch that validation chose, whatever the test part says", () => {
  for (const [epoch, accuracy] of [
    [1, 0.5],
    [2, 1],
    [3, 1],
    [4, 0.75],
  ] as const) {
    const { test } = scoreTrial(loadedOf(LABELS).loaded, outcomeOf(epoch, EPOCHS), "accuracy");
    expect(test.validSelected).toMatchObject({ epoch, metrics: { accuracy } });
  }
});

test("max-test is the best epoch on the test part, the earliest of equal ones", () => {
  const { test } = scoreTrial(loadedOf(LABELS).loaded, outcomeOf(1, EPOCHS), "accuracy");
  expect(test.maxTest).toMatchObject({ epoch: 2, metrics: { accuracy: 1 } });
});

test("max-test goes by the metric that chooses; the lowest is best of nll", () => {
  const { test } = scoreTrial(loadedOf(LABELS).loaded, outcomeOf(1, EPOCHS), "nll");
  expect(test.maxTest.epoch).toBe(3);
  expect(test.maxTest.metrics.nll).toBeCloseTo(-Math.log(0.875), 6);
});

test("confusion and classes are those of the epoch", () => {
  const { test } = scoreTrial(loadedOf(LABELS).loaded, outcomeOf(4, EPOCHS), "accuracy");
  expect(test.validSelected.confusion).toEqual([
    [1, 0],
    [1, 2],
  ]);
  expect(test.validSelected.perClass.map(({ support }) => support)).toEqual([1, 3]);
});

test("predictions are those of the chosen epoch, a line each in the order of the data set", () => {
  const { predictionsCsv } = scoreTrial(loadedOf(LABELS).loaded, outcomeOf(4, EPOCHS), "accuracy");
  expect(predictionsCsv).toBe(`dialogue,utterance,label,predicted,calm,tense
d1,d1/0,calm,calm,0.750000,0.250000
d1,d1/1,tense,tense,0.250000,0.750000
d2,d2/0,tense,tense,0.250000,0.750000
d2,d2/1,tense,calm,0.750000,0.250000
`);
});

test("of equal probabilities the first class is predicted, in the table as in the metrics", () => {
  const { predictionsCsv, test } = scoreTrial(loadedOf([[0, 1]]).loaded, outcomeOf(1, [[0.5, 0.5]]), "accuracy");
  expect(predictionsCsv.match(/,calm,0.500000/g)).toHaveLength(2);
  expect(test.validSelected.metrics.accuracy).toBe(0.5);
});

test("names with commas and quotes are quoted", () => {
  const { loaded } = loadedOf([[1]], ["calm", 'so, "tense"'], ["d,1"]);
  expect(
    scoreTrial(loaded, outcomeOf(1, [[0.75]]), "accuracy")
      .predictionsCsv.split("\n")
      .slice(0, 2),
  ).toEqual([
    'dialogue,utterance,label,predicted,calm,"so, ""tense"""',
    '"d,1","d,1/0","so, ""tense""","so, ""tense""",0.250000,0.750000',
  ]);
});

test("the seal is opened once, for a reason that is kept", () => {
  const { loaded, reasons } = loadedOf(LABELS);
  const { seal } = scoreTrial(loaded, outcomeOf(2, EPOCHS), "accuracy");
  expect(reasons).toEqual([seal.reason]);
  expect(seal.reason).toBe("scoring after training; epoch 2 was chosen on validation");
  expect(new Date(seal.openedAt).toISOString()).toBe(seal.openedAt);
});
