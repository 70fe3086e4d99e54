// Classification losses over packed tokens; padding tokens have mask 0 and never count.
import {
  div,
  exp,
  logSoftmax,
  matMul,
  maximum,
  mul,
  neg,
  pow,
  reshape,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tensor2d,
} from "@tensorflow/tfjs-core";
import { type ClassTargets, classTargets, type Targets } from "../contracts/task.ts";
import { oneHotRows } from "../tensors/layers.ts";

export interface CrossEntropyOptions {
  /** One weight per class; all 1 when absent. */
  readonly classWeights?: readonly number[] | undefined;
  /** Focal exponent γ of −(1 − p)^γ·log p; 0 is plain cross-entropy. */
  readonly focalGamma?: number | undefined;
}

/** Divides by it where every token of a batch has a class of weight 0: the loss is 0 then, and not 0/0. */
const SMALLEST_WEIGHT = 1e-30;

/**
 * Weighted cross-entropy −Σ m·w[y]·log p[y] / Σ m·w[y], optionally focal (Lin et al. 2017, equation 4).
 *
 * @param logits `[tokens, classes]`
 * @returns scalar
 */
export function crossEntropy(logits: Tensor2D, given: Targets, options: CrossEntropyOptions = {}): Tensor {
  const targets = classTargets(given);
  const classes = logits.shape[1];
  const chosen = oneHotRows(targets.labels, classes);
  const logProbability = sum(mul(chosen, logSoftmax(logits)), 1); // [tokens]
  const weights = tokenWeights(chosen, targets, options.classWeights);
  const gamma = options.focalGamma ?? 0;
  const focus = gamma === 0 ? logProbability : mul(logProbability, focalFactor(logProbability, gamma));
  return div(neg(sum(mul(weights, focus))), maximum(sum(weights), SMALLEST_WEIGHT));
}

/** (1 − p)^γ. The bound, below float32's smallest 1 − p, keeps the gradient finite where p = 1 and γ < 1. */
function focalFactor(logProbability: Tensor, gamma: number): Tensor {
  return pow(maximum(sub(1, exp(logProbability)), 1e-8), gamma);
}

function tokenWeights(chosen: Tensor2D, targets: ClassTargets, classWeights?: readonly number[]): Tensor {
  if (classWeights === undefined) {
    return targets.mask;
  }
  const perToken = matMul(chosen, tensor2d([...classWeights], [classWeights.length, 1]));
  return mul(targets.mask, reshape(perToken, [targets.mask.shape[0]]));
}
