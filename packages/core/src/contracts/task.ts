// What is predicted, and the typed targets of a batch. Regression and multi-label tasks become further members of
// the union; until they do, a data set that asks for them is refused.
import type { Tensor1D } from "@tensorflow/tfjs-core";

/** One of several classes per utterance. */
export interface SingleLabelTask {
  readonly type: "single-label";
  /** Class names; the position is the class index. */
  readonly classes: readonly string[];
}

/** What a model predicts for each utterance. */
export type Task = SingleLabelTask;

/** Width of the logits for a task. */
export function outputDim(task: Task): number {
  return task.classes.length;
}

/** The targets of one packed batch. */
export interface Targets {
  /** `[tokens]` int32 class index (0 on padding tokens). */
  readonly labels: Tensor1D;
  /** `[tokens]`, 1 = counts in the loss, 0 = padding token. */
  readonly mask: Tensor1D;
}
