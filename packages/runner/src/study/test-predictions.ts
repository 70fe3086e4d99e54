// What was predicted of the test part: every epoch as npz, and the selected epoch as csv, joined with the labels.
import { type Labels, outputDim, outputNames, type Task } from "@merclab/core";
import { encodeNpz, packRows } from "@merclab/data";

/**
 * `test-probabilities.npz`: `probabilities` `[epochs, utterances, classes or labels]` in float16, or `scores`
 * `[epochs, utterances, 1]` in float32, since scores have no fixed range.
 */
export function encodeTestPredictions(task: Task, epochs: readonly Float32Array[]): Uint8Array {
  const width = outputDim(task);
  const shape = [epochs.length, (epochs[0]?.length ?? 0) / width, width];
  const data = packRows(epochs);
  return encodeNpz(
    task.type === "regression"
      ? { scores: { shape, data, dtype: "f4" } }
      : { probabilities: { shape, data, dtype: "f2" } },
  );
}

/** Separates the labels of an utterance that has several. */
export const AND = "+";

/** Columns of `predictions.csv` after dialogue and utterance. */
export function predictionColumns(task: Task): readonly string[] {
  return task.type === "regression" ? ["score", "predicted"] : ["label", "predicted", ...outputNames(task)];
}

/**
 * Cells of `predictions.csv` for one utterance: truth, prediction, and probabilities where there are some.
 *
 * @param truth of this utterance, in the form of the task
 * @param output `[outputDim]` of this utterance
 */
export function predictionCells(task: Task, truth: ArrayLike<number>, output: readonly number[]): string[] {
  const shown = output.map((value) => value.toFixed(6));
  const names = outputNames(task);
  switch (task.type) {
    case "single-label": {
      const predicted = output.indexOf(Math.max(...output));
      return [names[truth[0] ?? -1] ?? "", names[predicted] ?? "", ...shown];
    }
    case "multi-label": {
      const held = names.filter((_, label) => truth[label] === 1);
      const predicted = names.filter((_, label) => (output[label] ?? 0) >= task.threshold);
      return [held.join(AND), predicted.join(AND), ...shown];
    }
    case "regression":
      return [(truth[0] ?? Number.NaN).toFixed(6), ...shown];
  }
}

/** The labels of one utterance. */
export function labelsAt(task: Task, labels: Labels, utterance: number): Labels {
  const width = task.type === "multi-label" ? outputDim(task) : 1;
  return labels.subarray(utterance * width, (utterance + 1) * width);
}
