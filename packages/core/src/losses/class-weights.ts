// Weights of classes and of labels that hold in losses, as options and as numbers.
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

/** `none`, `inverse-frequency` (of the training part), or one number per label. */
export const positiveWeightsOption = z.union([
  z.enum(["none", "inverse-frequency"]),
  z.array(z.number().positive("a weight above 0: a label that never counts cannot be learned")).min(1),
]);

export type PositiveWeights = z.output<typeof positiveWeightsOption>;

/**
 * Weights of the utterances that have a label against those that lack it. Inverse frequencies are (N − n_l) / n_l, as
 * PyTorch proposes for `pos_weight`: both sides of a label weigh the same. 1 for a label that training never shows, or
 * always: one of the sides is empty.
 *
 * @param counts training utterances per label
 * @param total training utterances
 * @returns one weight per label, or undefined for no weighting
 */
export function resolvePositiveWeights(
  weights: PositiveWeights,
  counts: readonly number[],
  total: number,
): readonly number[] | undefined {
  if (weights === "none") {
    return undefined;
  }
  if (weights === "inverse-frequency") {
    return counts.map((count) => (count === 0 || count === total ? 1 : (total - count) / count));
  }
  if (weights.length !== counts.length) {
    throw new MerclabError(
      "config",
      `positiveWeights has ${weights.length} numbers, the task has ${counts.length} labels`,
    );
  }
  return weights;
}
