// Adam (Kingma and Ba 2015) with L2 decay coupled into the gradient, as PyTorch's Adam, or decoupled, as AdamW
// (Loshchilov and Hutter 2019).
import { add, div, mul, pow, scalar, sqrt, square, sub, type Tensor, zerosLike } from "@tensorflow/tfjs-core";
import type { Optimizer } from "../contracts/optimizer.ts";
import { clippingScale, fusedUpdate, scaledWithDecay } from "./gradients.ts";
import { learningRate, type Schedule } from "./schedule.ts";

export interface AdamOptions {
  readonly lr: number;
  /** How the learning rate changes from step to step; constant when absent. */
  readonly schedule?: Schedule;
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
  const { lr, epsilon, weightDecay, decay, maxGradientNorm, schedule } = options;
  const [beta1, beta2] = options.betas;
  const coupledDecay = decay === "coupled" ? weightDecay : 0;
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
      const step = add(state.step as Tensor, 1);
      const scale = clippingScale(gradients, maxGradientNorm);
      const stepLr = learningRate(lr, schedule, state.step as Tensor);
      const rate = div(stepLr, sub(1, pow(beta1, step)));
      const root = div(1, sqrt(sub(1, pow(beta2, step))));
      const shrink = decay === "decoupled" ? sub(1, mul(stepLr, weightDecay)) : undefined;
      const next: Record<string, Tensor> = { ...parameters };
      const nextState: Record<string, Tensor> = { ...state, step };
      for (const [name, gradient] of Object.entries(gradients)) {
        const weights = parameters[name] as Tensor;
        const [m, v] = [state[`m.${name}`] as Tensor, state[`v.${name}`] as Tensor];
        const updated =
          fusedUpdate(
            "AdamStep",
            { weights, gradient, m, v, scale: scale ?? scalar(1), shrink: shrink ?? scalar(1), rate, root },
            { beta1, beta2, epsilon, decay: coupledDecay },
          ) ?? composed(weights, scaledWithDecay(gradient, scale, weights, coupledDecay), m, v);
        next[name] = updated[0] as Tensor;
        nextState[`m.${name}`] = updated[1] as Tensor;
        nextState[`v.${name}`] = updated[2] as Tensor;
      }
      return { parameters: next, state: nextState };

      function composed(weights: Tensor, gradient: Tensor, m: Tensor, v: Tensor): Tensor[] {
        const mean = add(mul(m, beta1), mul(gradient, 1 - beta1));
        const meanSquare = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
        const direction = div(mean, add(mul(sqrt(meanSquare), root), epsilon));
        const kept = shrink === undefined ? weights : mul(weights, shrink);
        return [sub(kept, mul(direction, rate)), mean, meanSquare];
      }
    },
  };
}
