// What is predicted for each utterance, and the typed targets of a batch.
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";

/** One of several classes per utterance. */
export interface SingleLabelTask {
  readonly type: "single-label";
  /** Class names; the position is the class index. */
  readonly classes: readonly string[];
}

/** Any number of labels per utterance, none included. */
export interface MultiLabelTask {
  readonly type: "multi-label";
  /** Names; the position is the column. */
  readonly labels: readonly string[];
  /** A label is predicted where its probability is at least this. */
  readonly threshold: number;
}

/** A score per utterance. */
export interface RegressionTask {
  readonly type: "regression";
  /** Smallest and largest score there can be. Predictions may lie outside. */
  readonly range: readonly [number, number];
}

/** What a model predicts for each utterance. */
export type Task = SingleLabelTask | MultiLabelTask | RegressionTask;

export type TaskType = Task["type"];

export const TASK_TYPES = ["single-label", "multi-label", "regression"] as const satisfies readonly TaskType[];

/** Width of the logits for a task. */
export function outputDim(task: Task): number {
  return outputNames(task).length;
}

/** What each output stands for: a class, a label, or the score. */
export function outputNames(task: Task): readonly string[] {
  switch (task.type) {
    case "single-label":
      return task.classes;
    case "multi-label":
      return task.labels;
    case "regression":
      return ["score"];
  }
}

/**
 * Labels of utterances on the host: class indices `[utterances]` (Int32Array), which labels hold, as 0 and 1, row-major
 * `[utterances, labels]` (Uint8Array), or scores `[utterances]` (Float32Array).
 */
export type Labels = Int32Array | Uint8Array | Float32Array;

/** Targets of a single-label task. */
export interface ClassTargets {
  /** `[tokens]` int32 class index (0 on padding tokens). */
  readonly labels: Tensor1D;
  /** `[tokens]`, 1 = counts in the loss, 0 = padding token. */
  readonly mask: Tensor1D;
}

/** Targets of a multi-label task. */
export interface LabelSetTargets {
  /** `[tokens, labels]`, 1 = the label holds (0 on padding tokens). */
  readonly held: Tensor2D;
  /** `[tokens]`, 1 = counts in the loss, 0 = padding token. */
  readonly mask: Tensor1D;
}

/** Targets of a regression task. */
export interface ScoreTargets {
  /** `[tokens]` (0 on padding tokens). */
  readonly scores: Tensor1D;
  /** `[tokens]`, 1 = counts in the loss, 0 = padding token. */
  readonly mask: Tensor1D;
}

/** The targets of one packed batch. */
export type Targets = ClassTargets | LabelSetTargets | ScoreTargets;

/** @throws Error for those of another task, which a plan refuses before anything trains */
export function classTargets(targets: Targets): ClassTargets {
  if ("labels" in targets) {
    return targets;
  }
  throw new Error("expected the targets of a single-label task");
}

/** @throws Error for those of another task, which a plan refuses before anything trains */
export function labelSetTargets(targets: Targets): LabelSetTargets {
  if ("held" in targets) {
    return targets;
  }
  throw new Error("expected the targets of a multi-label task");
}

/** @throws Error for those of another task, which a plan refuses before anything trains */
export function scoreTargets(targets: Targets): ScoreTargets {
  if ("scores" in targets) {
    return targets;
  }
  throw new Error("expected the targets of a regression task");
}
