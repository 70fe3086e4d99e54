// A new objective as text: cross-entropy with smoothed labels.

export const objectiveTemplate = (
  name: string,
): string => `// ${name}: cross-entropy against labels that keep a share for all classes alike.
import { crossEntropy, definePlugin } from "@merclab/core";
import { add, div, logSoftmax, maximum, mean, mul, neg, sum } from "@tensorflow/tfjs-core";
import { z } from "zod";

export default definePlugin({
  kind: "objective",
  name: "${name}",
  summary: "Cross-entropy with label smoothing",
  // Set with objective.${name}.smoothing=0.2; each option has a default, and what is not listed is refused.
  options: z.strictObject({ smoothing: z.number().min(0).lt(1).default(0.1) }),
  create: ({ smoothing }) => ({
    parameters: [], // an objective may own some, which only training needs
    needs: new Set<never>(), // what a fusion must give besides its logits, e.g. "streams"
    // logits: [tokens, classes]; targets: labels [tokens] and mask [tokens], 0 = padding, which must not count.
    loss: (_parameters, logits, _outputs, targets) => {
      const task = crossEntropy(logits, targets);
      const perToken = neg(mean(logSoftmax(logits), 1)); // [tokens]
      const uniform = div(sum(mul(perToken, targets.mask)), maximum(sum(targets.mask), 1));
      const total = add(mul(task, 1 - smoothing), mul(uniform, smoothing));
      return { total, terms: { task, uniform } }; // terms: scalars for the curves
    },
  }),
});
`;
