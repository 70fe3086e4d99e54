// Binary cross-entropy from logits, one decision per label, averaged over real tokens and labels.
import {
  add,
  div,
  expandDims,
  maximum,
  mul,
  softplus,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tensor2d,
} from "@tensorflow/tfjs-core";
import { labelSetTargets, type Targets } from "../contracts/task.ts";

/**
 * Σ m·(w·y·softplus(−x) + (1 − y)·softplus(x)) / (L·Σ m), as PyTorch's `binary_cross_entropy_with_logits` with
 * `pos_weight`. softplus(−x) = softplus(x) − x, so nothing overflows.
 *
 * @param logits `[tokens, labels]`
 * @param positiveWeights w, one per label; all 1 when absent
 * @returns scalar
 */
export function binaryCrossEntropy(logits: Tensor2D, targets: Targets, positiveWeights?: readonly number[]): Tensor {
  const { held, mask } = labelSetTargets(targets);
  const width = logits.shape[1];
  const absent = softplus(logits); // −log(1 − p)
  const present = sub(absent, logits); // −log p
  const positives = positiveWeights === undefined ? held : mul(held, tensor2d([...positiveWeights], [1, width]));
  const cells = add(mul(positives, present), mul(sub(1, held), absent));
  return div(sum(mul(cells, expandDims(mask, 1))), mul(maximum(sum(mask), 1), width));
}
