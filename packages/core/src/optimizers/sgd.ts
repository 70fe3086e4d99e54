// Stochastic gradient descent with momentum, as PyTorch's SGD: velocity = μ·velocity + g, w = w − lr·velocity.
import { add, mul, sub, type Tensor, zerosLike } from "@tensorflow/tfjs-core";
import type { Optimizer } from "../contracts/optimizer.ts";
import { addCoupledDecay, clipByGlobalNorm } from "./gradients.ts";

export interface SgdOptions {
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; null = no clipping. */
  readonly maxGradientNorm: number | null;
}

/** State: `velocity.<name>` for every trainable parameter. */
export function createSgd({ lr, momentum, weightDecay, maxGradientNorm }: SgdOptions): Optimizer {
  return {
    init: (parameters) =>
      Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`velocity.${name}`, zerosLike(value)])),
    update: (parameters, gradients, state) => {
      const clipped = maxGradientNorm === null ? gradients : clipByGlobalNorm(gradients, maxGradientNorm);
      const next: Record<string, Tensor> = { ...parameters };
      const nextState: Record<string, Tensor> = { ...state };
      for (const [name, gradient] of Object.entries(addCoupledDecay(clipped, parameters, weightDecay))) {
        const velocity = add(mul(state[`velocity.${name}`] as Tensor, momentum), gradient);
        next[name] = sub(parameters[name] as Tensor, mul(velocity, lr));
        nextState[`velocity.${name}`] = velocity;
      }
      return { parameters: next, state: nextState };
    },
  };
}
