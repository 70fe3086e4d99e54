// Declarations that go with the layers of tensors/layers.ts.
import { ones, uniformFanIn, zeros } from "./initializers.ts";
import type { ParameterSpec } from "./parameters.ts";

/** `name.weight [outDim, inDim]` and, unless `bias` is false, `name.bias [outDim]`, as PyTorch's Linear. */
export function linearSpecs(name: string, inDim: number, outDim: number, bias = true): ParameterSpec[] {
  const initial = uniformFanIn(inDim);
  const weight = { name: `${name}.weight`, shape: [outDim, inDim], initial };
  return bias ? [weight, { name: `${name}.bias`, shape: [outDim], initial }] : [weight];
}

/** `name.weight` (ones) and `name.bias` (zeros), both `[dim]`. */
export function layerNormSpecs(name: string, dim: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [dim], initial: ones },
    { name: `${name}.bias`, shape: [dim], initial: zeros },
  ];
}
