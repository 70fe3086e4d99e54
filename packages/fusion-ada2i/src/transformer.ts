// Ada2I's unimodal encoder: post-norm transformer layers at the width of the features, then a linear map to the width
// of the model. No positions, no speakers, no norm at the end; PyTorch's TransformerEncoderLayer, whose copies start
// with identical values.
import {
  attendWithinDialogues,
  type Context,
  contextWithin,
  dropout,
  glorotUniform,
  type Inputs,
  layerNorm,
  layerNormSpecs,
  linear,
  linearSpecs,
  type ParameterSpec,
  type Parameters,
  zeros,
} from "@merclab/core";
import { add, relu, split, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";

const NORM_EPSILON = 1e-5;

export interface TransformerShape {
  readonly numLayers: number;
  readonly feedForwardDim: number;
  readonly dropout: number;
}

/** The smallest of 5 to 14 heads that divides the width of the features; 1 where none does. */
export function officialNumHeads(dim: number): number {
  return [5, 6, 7, 8, 9, 10, 11, 12, 13, 14].find((heads) => dim % heads === 0) ?? 1;
}

/** Parameters of `<name>.transformer_encoder` and `<name>.lin_out`, in the order of the official state dict. */
export function transformerSpecs(
  name: string,
  inDim: number,
  outDim: number,
  { numLayers, feedForwardDim }: TransformerShape,
): ParameterSpec[] {
  const layers = Array.from({ length: numLayers }, (_, i) =>
    layerSpecs(inDim, feedForwardDim).map((spec) => ({
      ...spec,
      name: `${layerName(name, i)}.${spec.name}`,
      startsAs: `${layerName(name, 0)}.${spec.name}`,
    })),
  );
  return [...layers.flat(), ...linearSpecs(`${name}.lin_out`, inDim, outDim)];
}

function layerName(name: string, i: number): string {
  return `${name}.transformer_encoder.layers.${i}`;
}

function layerSpecs(dim: number, feedForwardDim: number): ParameterSpec[] {
  const [outWeight, outBias] = linearSpecs("self_attn.out_proj", dim, dim) as [ParameterSpec, ParameterSpec];
  return [
    { name: "self_attn.in_proj_weight", shape: [3 * dim, dim], initial: glorotUniform(dim, 3 * dim) },
    { name: "self_attn.in_proj_bias", shape: [3 * dim], initial: zeros },
    outWeight,
    { ...outBias, initial: zeros },
    ...linearSpecs("linear1", dim, feedForwardDim),
    ...linearSpecs("linear2", feedForwardDim, dim),
    ...layerNormSpecs("norm1", dim),
    ...layerNormSpecs("norm2", dim),
  ];
}

/**
 * @param x `[tokens, inDim]`
 * @param present `[tokens]`, 1 = may be attended to
 * @returns `[tokens, outDim]`
 */
export function applyTransformer(
  parameters: Parameters,
  name: string,
  x: Tensor2D,
  { present, layout }: { readonly present: Tensor1D; readonly layout: Inputs["layout"] },
  { numLayers, dropout: rate }: TransformerShape,
  numHeads: number,
  context: Context,
): Tensor2D {
  let state = x;
  for (let i = 0; i < numLayers; i++) {
    const layer = layerName(name, i);
    const sites = contextWithin(context, `layer${i}`);
    const projected = linear(withProjection(parameters, layer), "in_proj", state); // [tokens, 3 · inDim]
    const [q, k, v] = split(projected, 3, 1) as [Tensor2D, Tensor2D, Tensor2D];
    const attended = attendWithinDialogues({ q, k, v, present, layout }, { numHeads, dropout: rate }, sites);
    const out = dropout(linear(parameters, `${layer}.self_attn.out_proj`, attended), rate, sites, "attended");
    state = layerNorm(parameters, `${layer}.norm1`, add(state, out) as Tensor2D, NORM_EPSILON);
    const inner = dropout(relu(linear(parameters, `${layer}.linear1`, state)), rate, sites, "inner");
    const fed = dropout(linear(parameters, `${layer}.linear2`, inner), rate, sites, "fed");
    state = layerNorm(parameters, `${layer}.norm2`, add(state, fed) as Tensor2D, NORM_EPSILON);
  }
  return linear(parameters, `${name}.lin_out`, state);
}

/** Queries, keys and values in one matrix, under the names that a linear map reads. */
function withProjection(parameters: Parameters, layer: string): Parameters {
  return {
    "in_proj.weight": parameters[`${layer}.self_attn.in_proj_weight`],
    "in_proj.bias": parameters[`${layer}.self_attn.in_proj_bias`],
  } as Parameters;
}
