// How a trial is trained: the options of the group `trainer`.
import { METRICS, MerclabError, type MetricName, metricsOfTask, SELECTION_METRIC, type Task } from "@merclab/core";
import { z } from "zod";

/** Metrics on which an epoch can be chosen, where they belong to the task. */
export const SELECTION_METRICS = Object.keys(METRICS) as [MetricName, ...MetricName[]];

export const trainerOptions = z.strictObject({
  epochs: z.int().positive().default(60),
  batchSize: z.int().positive().default(16).describe("dialogues per training batch"),
  evaluationBatchSize: z
    .int()
    .positive()
    .default(16)
    .describe("dialogues per evaluation batch; changes no number, only memory and speed"),
  /**
   * The epoch with the best value of this metric on the validation part is the result; the earliest on ties. null = the
   * usual one of the task: weighted-f1, macro-f1 (several labels) or mae (scores).
   */
  selectBy: z.enum(SELECTION_METRICS).nullable().default(null),
});

export type TrainerOptions = z.output<typeof trainerOptions>;

/**
 * The metric that chooses the epoch of a task.
 *
 * @throws MerclabError `config` for one that the task is not scored by
 */
export function selectionMetric({ selectBy }: Pick<TrainerOptions, "selectBy">, task: Task): MetricName {
  const metric = selectBy ?? SELECTION_METRIC[task.type];
  const scored = metricsOfTask(task);
  if (!scored.includes(metric)) {
    throw new MerclabError("config", `trainer.selectBy: ${metric} is no metric of this ${task.type} task`, {
      hint: `One of ${scored.join(", ")}; without selectBy it is ${SELECTION_METRIC[task.type]}.`,
    });
  }
  return metric;
}
