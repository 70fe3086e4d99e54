// Predictions of any task against its labels: what validation, the scoring step and reports have in common.
import { outputDim, type Task } from "../contracts/task.ts";
import { type ClassMetrics, type ConfusionMatrix, classificationMetrics } from "./classification.ts";
import { metricsOfTask } from "./descriptors.ts";
import { multiLabelMetrics } from "./multi-label.ts";
import { regressionMetrics } from "./regression.ts";

export interface TaskScores {
  /** Those of `metricsOfTask`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** One entry per class or label; none in regression. */
  readonly perClass: readonly ClassMetrics[];
  /** Of a single-label task; else empty. */
  readonly confusion: ConfusionMatrix;
}

/**
 * @param labels of all utterances, end to end, in the form of the task
 * @param outputs row-major `[utterances, outputDim]`: probabilities, or scores
 * @throws RangeError for lengths that differ, labels or probabilities that are none, or no utterances
 */
export function taskScores(task: Task, labels: ArrayLike<number>, outputs: ArrayLike<number>): TaskScores {
  switch (task.type) {
    case "single-label": {
      const { perClass, confusion, ...metrics } = classificationMetrics(
        labels,
        { probabilities: outputs },
        outputDim(task),
      );
      return { metrics, perClass, confusion };
    }
    case "multi-label": {
      const { perLabel, ...metrics } = multiLabelMetrics(labels, outputs, outputDim(task), task.threshold);
      return { metrics, perClass: perLabel, confusion: [] };
    }
    case "regression": {
      const all = regressionMetrics(labels, outputs);
      const scored: readonly string[] = metricsOfTask(task);
      const metrics = Object.fromEntries(Object.entries(all).filter(([name]) => scored.includes(name)));
      return { metrics, perClass: [], confusion: [] };
    }
  }
}
