// Losses of regression, averaged over real tokens. Each is c·(d − c/2), or c·d, of the difference d with a factor c
// that counts as constant, so that the gradient is c itself: 0 where a prediction is exact, as in PyTorch.
import {
  clipByValue,
  div,
  maximum,
  mul,
  reshape,
  sign,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
} from "@tensorflow/tfjs-core";
import { scoreTargets, type Targets } from "../contracts/task.ts";
import { stopGradient } from "../tensors/layers.ts";

/**
 * Mean absolute error.
 *
 * @param outputs `[tokens, 1]`
 * @returns scalar
 */
export function l1Loss(outputs: Tensor2D, targets: Targets): Tensor {
  return meanOver(outputs, targets, (difference) => mul(difference, stopGradient(sign(difference))));
}

/**
 * Mean squared error.
 *
 * @param outputs `[tokens, 1]`
 * @returns scalar
 */
export function squaredLoss(outputs: Tensor2D, targets: Targets): Tensor {
  return meanOver(outputs, targets, (difference) => square(difference));
}

/**
 * Huber's loss: d²/2 up to δ, δ·(|d| − δ/2) beyond it.
 *
 * @param outputs `[tokens, 1]`
 * @param delta δ > 0, in the unit of the scores
 * @returns scalar
 */
export function huberLoss(outputs: Tensor2D, targets: Targets, delta: number): Tensor {
  return meanOver(outputs, targets, (difference) => {
    const near = stopGradient(clipByValue(difference, -delta, delta));
    return mul(near, sub(difference, mul(near, 0.5)));
  });
}

function meanOver(outputs: Tensor2D, targets: Targets, loss: (difference: Tensor) => Tensor): Tensor {
  const { scores, mask } = scoreTargets(targets);
  const perToken = loss(sub(reshape(outputs, [scores.shape[0]]), scores)); // [tokens]
  return div(sum(mul(perToken, mask)), maximum(sum(mask), 1));
}
