// How a trial is trained: the options of the group `trainer`.
import { z } from "zod";

/** Metrics on which an epoch can be chosen. */
export const SELECTION_METRICS = ["weighted-f1", "macro-f1", "accuracy", "nll"] as const;

export const trainerOptions = z.strictObject({
  epochs: z.int().positive().default(60),
  /** Dialogues per training batch. */
  batchSize: z.int().positive().default(16),
  /** Dialogues per evaluation batch; changes no number, only memory and speed. */
  evaluationBatchSize: z.int().positive().default(16),
  /** The epoch with the best value of this metric on the validation part is the result; the earliest on ties. */
  selectBy: z.enum(SELECTION_METRICS).default("weighted-f1"),
});

export type TrainerOptions = z.output<typeof trainerOptions>;
