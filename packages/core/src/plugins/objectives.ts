// The objective that every fusion can be trained with.
import { z } from "zod";
import { definePlugin } from "../contracts/plugins.ts";
import { classWeightsOption, resolveClassWeights } from "../losses/class-weights.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";

const crossEntropyOptions = z.strictObject({
  classWeights: classWeightsOption.default("none"),
  /** Focal exponent; 0 is plain cross-entropy. */
  focalGamma: z.number().nonnegative().default(0),
});

export const crossEntropyPlugin = definePlugin({
  kind: "objective",
  name: "cross-entropy",
  summary: "Cross-entropy on the fused logits, optionally class-weighted or focal",
  options: crossEntropyOptions,
  create: ({ classWeights, focalGamma }, { trainClassCounts }) => {
    const weights = resolveClassWeights(classWeights, trainClassCounts);
    return {
      parameters: [],
      needs: new Set<never>(),
      loss: (_parameters, logits, _outputs, targets) => {
        const task = crossEntropy(logits, targets, { classWeights: weights, focalGamma });
        return { total: task, terms: { task } };
      },
    };
  },
});
