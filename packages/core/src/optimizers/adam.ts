// Adam (Kingma and Ba 2015) with L2 decay coupled into the gradient, as PyTorch's Adam, or decoupled, as AdamW
// (Loshchilov and Hutter 2019).
import { add, div, mul, pow, scalar, sqrt, square, sub, type Tensor, zerosLike } from "@tensorflow/tfjs-core";
import type { Optimizer } from "../contracts/optimizer.ts";
import { addCoupledDecay, clipByGlobalNorm } from "./gradients.ts";

export interface AdamOptions {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
  /** `coupled`: L2 in the gradient (Adam); `decoupled`: shrinks the weights directly (AdamW). */
  readonly decay: "coupled" | "decoupled";
  /** Largest global gradient norm; null = no clipping. */
  readonly maxGradientNorm: number | null;
}

/** State: `step` (scalar), and `m.<name>`, `v.<name>` for every trainable parameter. */
export function createAdam(options: AdamOptions): Optimizer {
  const { lr, epsilon, weightDecay, decay, maxGradientNorm } = options;
  const [beta1, beta2] = options.betas;
  return {
    init: (parameters) => {
      const state: Record<string, Tensor> = { step: scalar(0) };
      for (const [name, value] of Object.entries(parameters)) {
        state[`m.${name}`] = zerosLike(value);
        state[`v.${name}`] = zerosLike(value);
      }
      return state;
    },
    update: (parameters, gradients, state) => {
      const clipped = maxGradientNorm === null ? gradients : clipByGlobalNorm(gradients, maxGradientNorm);
      const used = decay === "coupled" ? addCoupledDecay(clipped, parameters, weightDecay) : clipped;
      const step = add(state.step as Tensor, 1);
      const correction1 = sub(1, pow(beta1, step));
      const correction2 = sub(1, pow(beta2, step));
      const next: Record<string, Tensor> = { ...parameters };
      const nextState: Record<string, Tensor> = { ...state, step };
      for (const [name, gradient] of Object.entries(used)) {
        const m = add(mul(state[`m.${name}`] as Tensor, beta1), mul(gradient, 1 - beta1));
        const v = add(mul(state[`v.${name}`] as Tensor, beta2), mul(square(gradient), 1 - beta2));
        const direction = div(div(m, correction1), add(sqrt(div(v, correction2)), epsilon));
        const value = parameters[name] as Tensor;
        const shrunk = decay === "decoupled" ? mul(value, 1 - lr * weightDecay) : value;
        next[name] = sub(shrunk, mul(direction, lr));
        nextState[`m.${name}`] = m;
        nextState[`v.${name}`] = v;
      }
      return { parameters: next, state: nextState };
    },
  };
}
