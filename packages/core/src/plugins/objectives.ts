// The objectives that every fusion can be trained with: one or more per type of task.
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Objective } from "../contracts/modules.ts";
import { definePlugin } from "../contracts/plugins.ts";
import type { Targets, TaskType } from "../contracts/task.ts";
import { binaryCrossEntropy } from "../losses/binary-cross-entropy.ts";
import {
  classWeightsOption,
  positiveWeightsOption,
  resolveClassWeights,
  resolvePositiveWeights,
} from "../losses/class-weights.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import { huberLoss, l1Loss, squaredLoss } from "../losses/regression.ts";

/** The objective of each type of task where nobody names one. */
export const PLAIN_OBJECTIVES: Readonly<Record<TaskType, string>> = {
  "single-label": "cross-entropy",
  "multi-label": "binary-cross-entropy",
  regression: "l1",
};

const crossEntropyOptions = z.strictObject({
  classWeights: classWeightsOption.default("none"),
  focalGamma: z.number().nonnegative().default(0).describe("focal exponent; 0 is plain cross-entropy"),
});

export const crossEntropyPlugin = definePlugin({
  kind: "objective",
  name: "cross-entropy",
  tasks: ["single-label"],
  summary: "Cross-entropy on the fused logits, optionally class-weighted or focal",
  options: crossEntropyOptions,
  create: ({ classWeights, focalGamma }, { trainClassCounts }) => {
    const weights = resolveClassWeights(classWeights, trainClassCounts);
    return onLogits((logits, targets) => crossEntropy(logits, targets, { classWeights: weights, focalGamma }));
  },
});

export const binaryCrossEntropyPlugin = definePlugin({
  kind: "objective",
  name: "binary-cross-entropy",
  tasks: ["multi-label"],
  summary: "Binary cross-entropy per label, with weights for labels that are rare",
  options: z.strictObject({ positiveWeights: positiveWeightsOption.default("none") }),
  create: ({ positiveWeights }, { trainClassCounts, trainUtterances }) => {
    const weights = resolvePositiveWeights(positiveWeights, trainClassCounts, trainUtterances);
    return onLogits((logits, targets) => binaryCrossEntropy(logits, targets, weights));
  },
});

export const l1Plugin = definePlugin({
  kind: "objective",
  name: "l1",
  tasks: ["regression"],
  summary: "Mean absolute error of the score",
  options: z.strictObject({}),
  create: () => onLogits(l1Loss),
});

export const msePlugin = definePlugin({
  kind: "objective",
  name: "mse",
  tasks: ["regression"],
  summary: "Mean squared error of the score",
  options: z.strictObject({}),
  create: () => onLogits(squaredLoss),
});

export const huberPlugin = definePlugin({
  kind: "objective",
  name: "huber",
  tasks: ["regression"],
  summary: "Squared error of the score up to delta, absolute beyond it",
  options: z.strictObject({
    delta: z.number().positive().default(1).describe("in the unit of the scores"),
  }),
  create: ({ delta }) => onLogits((logits, targets) => huberLoss(logits, targets, delta)),
});

/** One loss of the fused logits, and nothing of its own. */
function onLogits(loss: (logits: Tensor2D, targets: Targets) => Tensor): Objective {
  return {
    parameters: [],
    needs: new Set<never>(),
    loss: (_parameters, logits, _outputs, targets) => {
      const task = loss(logits, targets);
      return { total: task, terms: { task } };
    },
  };
}
