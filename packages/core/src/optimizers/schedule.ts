// Learning rates that change from step to step, as tensors of the step's number, so that a compiled step follows them.
import { add, clipByValue, cos, exp, floor, minimum, mul, scalar, sub, type Tensor } from "@tensorflow/tfjs-core";

/** A factor on the learning rate; steps are counted from 0. */
export interface Schedule {
  /**
   * After the warm-up: `linear` and `cosine` fall to `floor` at `totalSteps` (Loshchilov and Hutter 2017 for cosine),
   * `exponential` falls by `gamma` per epoch, smoothly, `staircase` by `gamma` every `everyEpochs` epochs.
   */
  readonly kind: "constant" | "linear" | "cosine" | "exponential" | "staircase";
  /** Steps in which the factor rises in a line from 1 / warmupSteps to 1; 0 = none. */
  readonly warmupSteps: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** Share of the learning rate at the end of `linear` and `cosine`. */
  readonly floor: number;
  readonly gamma: number;
  readonly everyEpochs: number;
}

/** @param step scalar: number of steps that were done before */
export function learningRate(lr: number, schedule: Schedule | undefined, step: Tensor): Tensor {
  if (schedule === undefined) {
    return scalar(lr);
  }
  const decayed = decayFactor(schedule, step);
  const { warmupSteps } = schedule;
  const warmup = warmupSteps === 0 ? undefined : minimum(mul(add(step, 1), 1 / warmupSteps), 1);
  return mul(warmup === undefined ? decayed : mul(warmup, decayed), lr);
}

function decayFactor({ kind, warmupSteps, totalSteps, stepsPerEpoch, ...rest }: Schedule, step: Tensor): Tensor {
  const after = sub(step, warmupSteps);
  const progress = clipByValue(mul(after, 1 / Math.max(totalSteps - warmupSteps, 1)), 0, 1);
  const epochs = mul(clipByValue(after, 0, Number.MAX_SAFE_INTEGER), 1 / stepsPerEpoch);
  switch (kind) {
    case "constant":
      return scalar(1);
    case "linear":
      return sub(1, mul(progress, 1 - rest.floor));
    case "cosine":
      return add(mul(add(cos(mul(progress, Math.PI)), 1), (1 - rest.floor) / 2), rest.floor);
    case "exponential":
      return exp(mul(epochs, Math.log(rest.gamma)));
    case "staircase": {
      // A little more than the quotient, so that rounding never puts the first step of an epoch before it.
      const stairs = floor(add(mul(epochs, 1 / rest.everyEpochs), 1 / (4 * stepsPerEpoch * rest.everyEpochs)));
      return exp(mul(stairs, Math.log(rest.gamma)));
    }
  }
}
