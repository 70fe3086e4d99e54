// What every optimiser does to gradients first.
import { add, addN, div, maximum, mul, sqrt, square, sum, type Tensor } from "@tensorflow/tfjs-core";
import type { Parameters } from "../parameters/parameters.ts";

/** L2 norm over all gradients together. */
export function globalNorm(gradients: Parameters): Tensor {
  return sqrt(addN(Object.values(gradients).map((gradient) => sum(square(gradient)))));
}

/** Scales gradients so that their global norm is at most `maxNorm` (Pascanu et al. 2013). */
export function clipByGlobalNorm(gradients: Parameters, maxNorm: number): Parameters {
  const scale = div(maxNorm, maximum(globalNorm(gradients), maxNorm));
  return mapTensors(gradients, (gradient) => mul(gradient, scale));
}

/** L2 decay coupled into the gradient, g + λ·w: what PyTorch's Adam and SGD call `weight_decay`. */
export function addCoupledDecay(gradients: Parameters, parameters: Parameters, decay: number): Parameters {
  return decay === 0
    ? gradients
    : mapTensors(gradients, (gradient, name) => add(gradient, mul(parameters[name] as Tensor, decay)));
}

function mapTensors(tensors: Parameters, change: (tensor: Tensor, name: string) => Tensor): Parameters {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor, name)]));
}
