// Value and gradients of a scalar function with respect to named tensors.
import { engine, type NamedTensorMap, type Scalar, type Tensor } from "@tensorflow/tfjs-core";
import type { Parameters } from "../parameters/parameters.ts";

/**
 * Gradients of `fn()` with respect to `parameters`, by name. A parameter that the value does not depend on has no
 * entry, so that an optimiser leaves it alone.
 */
export function valueAndGradients(
  fn: () => Tensor,
  parameters: Parameters,
): { readonly value: Scalar; readonly gradients: NamedTensorMap } {
  const names = Object.keys(parameters);
  const tensors = names.map((name) => parameters[name] as Tensor);
  // tfjs's public `grads` refuses parameters without a gradient; the engine's own call gives null for them.
  const { value, grads } = engine().gradients(fn, tensors, undefined, true);
  const gradients: NamedTensorMap = {};
  names.forEach((name, i) => {
    const gradient = grads[i] as Tensor | null | undefined;
    if (gradient !== null && gradient !== undefined) {
      gradients[name] = gradient;
    }
  });
  return { value: value as Scalar, gradients };
}
