// Class weights of classification losses, as an option and as numbers.
import { z } from "zod";
import { MerclabError } from "../errors.ts";

/** `none`, `inverse-frequency` (of the training part), or one number per class. */
export const classWeightsOption = z.union([
  z.enum(["none", "inverse-frequency"]),
  z
    .array(z.number().nonnegative())
    .refine((weights) => weights.some((weight) => weight > 0), "at least one class needs a weight above 0"),
]);

export type ClassWeights = z.output<typeof classWeightsOption>;

/**
 * Inverse frequencies are N / n_c, as in SDT's and LMAM's IEMOCAP recipes. A class that training never shows gets
 * weight 0: nothing can be learned about it.
 *
 * @param counts training utterances per class
 * @returns one weight per class, or undefined for no weighting
 */
export function resolveClassWeights(weights: ClassWeights, counts: readonly number[]): readonly number[] | undefined {
  if (weights === "none") {
    return undefined;
  }
  if (weights === "inverse-frequency") {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => (count === 0 ? 0 : total / count));
  }
  if (weights.length !== counts.length) {
    throw new MerclabError(
      "config",
      `classWeights has ${weights.length} numbers, the task has ${counts.length} classes`,
    );
  }
  return weights;
}
