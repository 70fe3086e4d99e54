// Stochastic gradient descent with momentum, as PyTorch's SGD: velocity = μ·velocity + g, w = w − lr·velocity.
import { add, mul, scalar, sub, type Tensor, zerosLike } from "@tensorflow/tfjs-core";
import type { Optimizer } from "../contracts/optimizer.ts";
import { clippingScale, fusedUpdate, scaledWithDecay } from "./gradients.ts";
import { learningRate, type Schedule } from "./schedule.ts";

export interface SgdOptions {
  readonly lr: number;
  /** How the learning rate changes from step to step; constant when absent. */
  readonly schedule?: Schedule;
  readonly momentum: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; null = no clipping. */
  readonly maxGradientNorm: number | null;
}

/** State: `step` (scalar), and `velocity.<name>` for every trainable parameter. */
export function createSgd({ lr, schedule, momentum, weightDecay, maxGradientNorm }: SgdOptions): Optimizer {
  return {
    init: (parameters) => ({
      step: scalar(0),
      ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`velocity.${name}`, zerosLike(value)])),
    }),
    update: (parameters, gradients, state) => {
      const scale = clippingScale(gradients, maxGradientNorm);
      const rate = learningRate(lr, schedule, state.step as Tensor);
      const next: Record<string, Tensor> = { ...parameters };
      const nextState: Record<string, Tensor> = { ...state, step: add(state.step as Tensor, 1) };
      for (const [name, gradient] of Object.entries(gradients)) {
        const weights = parameters[name] as Tensor;
        const velocity = state[`velocity.${name}`] as Tensor;
        const updated =
          fusedUpdate(
            "SgdStep",
            { weights, gradient, velocity, scale: scale ?? scalar(1), rate },
            { momentum, decay: weightDecay },
          ) ?? composed(weights, scaledWithDecay(gradient, scale, weights, weightDecay), velocity);
        next[name] = updated[0] as Tensor;
        nextState[`velocity.${name}`] = updated[1] as Tensor;
      }
      return { parameters: next, state: nextState };

      function composed(weights: Tensor, gradient: Tensor, velocity: Tensor): Tensor[] {
        const speed = add(mul(velocity, momentum), gradient);
        return [sub(weights, mul(speed, rate)), speed];
      }
    },
  };
}
