// The objective of the paper's text: cross-entropy of the prediction, and of the weighted classifier beside it.
import { classWeightsOption, crossEntropy, definePlugin, resolveClassWeights } from "@merclab/core";
import { add, mul, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";

export const modalCrossEntropyOptions = z.strictObject({
  modalWeight: z.number().positive().default(1).describe("weight of the cross-entropy of the weighted classifier"),
  classWeights: classWeightsOption.default("none"),
});

export const modalCrossEntropyPlugin = definePlugin({
  kind: "objective",
  name: "modal-cross-entropy",
  tasks: ["single-label"],
  summary: "Ada2I's paper: cross-entropies of the prediction and of the modality-weighted classifier",
  options: modalCrossEntropyOptions,
  create: ({ modalWeight, classWeights: given }, { trainClassCounts }) => {
    const classWeights = resolveClassWeights(given, trainClassCounts);
    return {
      parameters: [],
      needs: new Set(["auxiliary" as const]),
      loss: (_parameters, logits, { auxiliary }, targets) => {
        const task = crossEntropy(logits, targets, { classWeights });
        const modal = crossEntropy(auxiliary?.modal as Tensor2D, targets, { classWeights });
        return { total: add(task, mul(modal, modalWeight)), terms: { task, modal } };
      },
    };
  },
});
