// The scoring step: after training, and only then, test labels are read and joined with the stored predictions.
import {
  type Dataset,
  type LoadedDataset,
  metricDescriptor,
  outputDim,
  type SealedLabels,
  taskScores,
} from "@merclab/core";
import type { TrialOutcome } from "@merclab/trainer";
import { stringify } from "csv-stringify/sync";
import type { TestScore, TrialResult } from "../store/trial-files.ts";
import { labelsAt, predictionCells, predictionColumns } from "./test-predictions.ts";

export interface ScoredTrial {
  readonly test: TrialResult["test"];
  readonly seal: TrialResult["seal"];
  /** One line per test utterance of the selected epoch. */
  readonly predictionsCsv: string;
}

/** @param metric the metric that chose the epoch on validation; it names the epoch of `maxTest` as well */
export function scoreTrial(loaded: LoadedDataset, outcome: TrialOutcome, metric: string): ScoredTrial {
  const { dataset } = loaded;
  const reason = `scoring after training; epoch ${outcome.selectedEpoch} was chosen on validation`;
  const sealed = loaded.seal.open(reason);
  const labels = sealed.flatMap((each) => Array.from(each));
  const epochs = outcome.testProbabilities.map(
    (predictions, i): TestScore => ({ epoch: i + 1, ...taskScores(dataset.task, labels, predictions) }),
  );
  const sign = metricDescriptor(metric).higherIsBetter ? 1 : -1;
  const value = (score: TestScore) => sign * (score.metrics[metric] ?? Number.NEGATIVE_INFINITY);
  const maxTest = epochs.reduce((best, score) => (value(score) > value(best) ? score : best));
  const validSelected = epochs[outcome.selectedEpoch - 1] as TestScore;
  const predictions = outcome.testProbabilities[outcome.selectedEpoch - 1] as Float32Array;
  return {
    test: { validSelected, maxTest },
    seal: { openedAt: new Date().toISOString(), reason },
    predictionsCsv: predictionsCsv(dataset, sealed, predictions),
  };
}

function predictionsCsv({ task, splits }: Dataset, sealed: SealedLabels, predictions: Float32Array): string {
  const width = outputDim(task);
  const rows: string[][] = [];
  splits.test.forEach((dialogue, at) => {
    const labels = sealed[at] ?? new Int32Array();
    dialogue.utteranceIds.forEach((utteranceId, place) => {
      const output = Array.from(predictions.subarray(rows.length * width, (rows.length + 1) * width));
      rows.push([dialogue.id, utteranceId, ...predictionCells(task, labelsAt(task, labels, place), output)]);
    });
  });
  return stringify(rows, { header: true, columns: ["dialogue", "utterance", ...predictionColumns(task)] });
}
