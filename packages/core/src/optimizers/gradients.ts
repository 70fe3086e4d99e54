// What every optimiser does to gradients first, and how an update is done in one pass where a backend can.
import {
  add,
  addN,
  div,
  engine,
  getBackend,
  getKernel,
  maximum,
  mul,
  type NamedAttrMap,
  type NamedTensorMap,
  sqrt,
  square,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { Parameters } from "../parameters/parameters.ts";

/** L2 norm over all gradients together. */
export function globalNorm(gradients: Parameters): Tensor {
  return sqrt(addN(Object.values(gradients).map((gradient) => sum(square(gradient)))));
}

/**
 * What gradients are multiplied by so that their global norm is at most `maxNorm` (Pascanu et al. 2013); undefined
 * where there is no limit.
 */
export function clippingScale(gradients: Parameters, maxNorm: number | null): Tensor | undefined {
  return maxNorm === null ? undefined : div(maxNorm, maximum(globalNorm(gradients), maxNorm));
}

/** Gradients scaled so that their global norm is at most `maxNorm`. */
export function clipByGlobalNorm(gradients: Parameters, maxNorm: number): Parameters {
  const scale = clippingScale(gradients, maxNorm) as Tensor;
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, mul(gradient, scale)]));
}

/** The gradient, scaled where there is a scale, plus λ·w: what PyTorch's Adam and SGD call `weight_decay`. */
export function scaledWithDecay(gradient: Tensor, scale: Tensor | undefined, weights: Tensor, decay: number): Tensor {
  const scaled = scale === undefined ? gradient : mul(gradient, scale);
  return decay === 0 ? scaled : add(scaled, mul(weights, decay));
}

/**
 * The results of a kernel that does a whole update in one pass, which compiling backends have under names such as
 * `AdamStep`; undefined on a backend without it, where the update is made of tfjs's ops.
 */
export function fusedUpdate(
  kernelName: string,
  operands: NamedTensorMap,
  attributes: NamedAttrMap,
): Tensor[] | undefined {
  return getKernel(kernelName, getBackend()) === undefined
    ? undefined
    : (engine().runKernel(kernelName, operands, attributes) as unknown as Tensor[]);
}
