// The scoring step: after training, and only then, test labels are read and joined with the stored predictions.
import { classificationMetrics, type LoadedDataset, metricDescriptor, outputDim } from "@merclab/core";
import type { TrialOutcome } from "@merclab/trainer";
import { stringify } from "csv-stringify/sync";
import type { Scores, TestScore, TrialResult } from "../store/trial-files.ts";

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
  const labels = loaded.seal.open(reason).flatMap((each) => Array.from(each));
  const classes = outputDim(dataset.task);
  const epochs = outcome.testProbabilities.map((probabilities, i): TestScore => {
    const { perClass, confusion, ...metrics } = classificationMetrics(labels, { probabilities }, classes);
    return { epoch: i + 1, metrics: metrics satisfies Scores, perClass, confusion };
  });
  const sign = metricDescriptor(metric).higherIsBetter ? 1 : -1;
  const value = (score: TestScore) => sign * (score.metrics[metric] ?? Number.NEGATIVE_INFINITY);
  const maxTest = epochs.reduce((best, score) => (value(score) > value(best) ? score : best));
  const validSelected = epochs[outcome.selectedEpoch - 1] as TestScore;
  const probabilities = outcome.testProbabilities[outcome.selectedEpoch - 1] as Float32Array;
  return {
    test: { validSelected, maxTest },
    seal: { openedAt: new Date().toISOString(), reason },
    predictionsCsv: predictionsCsv(loaded, labels, probabilities),
  };
}

function predictionsCsv({ dataset }: LoadedDataset, labels: readonly number[], probabilities: Float32Array): string {
  const { classes } = dataset.task;
  const rows: (string | number)[][] = [];
  for (const dialogue of dataset.splits.test) {
    for (const utteranceId of dialogue.utteranceIds) {
      const i = rows.length;
      const row = Array.from(probabilities.subarray(i * classes.length, (i + 1) * classes.length));
      const predicted = row.indexOf(Math.max(...row));
      rows.push([
        dialogue.id,
        utteranceId,
        classes[labels[i] ?? -1] ?? "",
        classes[predicted] ?? "",
        ...row.map((probability) => probability.toFixed(6)),
      ]);
    }
  }
  return stringify(rows, { header: true, columns: ["dialogue", "utterance", "label", "predicted", ...classes] });
}
