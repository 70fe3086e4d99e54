// What the parts of CMATH share: linear maps with Glorot's initial values, heads of normal distributions, attention.
import {
  attendWithinDialogues,
  type Context,
  contextWithin,
  fastTanh,
  type Gaussian,
  glorotUniform,
  type Initializer,
  type Layout,
  linear,
  type ParameterSpec,
  type Parameters,
  zeros,
} from "@merclab/core";
import { mul, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";

/** Log-variances stay within ± this, smoothly, so that their exponentials stay finite. */
const LARGEST_LOG_VARIANCE = 8;

/** At the start σ is about 0.37: noise of size 1 would drown the first epochs. */
const INITIAL_LOG_VARIANCE = -2;

/** `name.weight [outDim, inDim]` after Glorot and `name.bias [outDim]` of zeros. */
export function affineSpecs(name: string, inDim: number, outDim: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outDim, inDim], initial: glorotUniform(inDim, outDim) },
    { name: `${name}.bias`, shape: [outDim], initial: zeros },
  ];
}

/** `name.mean` and `name.log_variance`, both affine maps. */
export function gaussianSpecs(name: string, inDim: number, outDim: number): ParameterSpec[] {
  const small: Initializer = (key, shape) => glorotUniform(inDim, outDim)(key, shape).map((value) => 0.1 * value);
  const low: Initializer = (_key, shape) => new Float32Array(shape[0] ?? 0).fill(INITIAL_LOG_VARIANCE);
  return [
    ...affineSpecs(`${name}.mean`, inDim, outDim),
    { name: `${name}.log_variance.weight`, shape: [outDim, inDim], initial: small },
    { name: `${name}.log_variance.bias`, shape: [outDim], initial: low },
  ];
}

export function gaussian(parameters: Parameters, name: string, x: Tensor2D): Gaussian {
  const raw = mul(linear(parameters, `${name}.log_variance`, x), 1 / LARGEST_LOG_VARIANCE) as Tensor2D;
  return {
    mean: linear(parameters, `${name}.mean`, x),
    logVariance: mul(fastTanh(raw), LARGEST_LOG_VARIANCE) as Tensor2D,
  };
}

/** Query, key, value and output maps of multi-head attention. */
export function attentionSpecs(name: string, dim: number): ParameterSpec[] {
  return ["query", "key", "value", "out"].flatMap((part) => affineSpecs(`${name}.${part}`, dim, dim));
}

export interface AttentionPlace {
  /** `[tokens]`, 1 = row of the memory that was observed. */
  readonly present: Tensor1D;
  readonly layout: Layout;
}

/** @returns `[tokens, dim]` */
export function attend(
  parameters: Parameters,
  name: string,
  query: Tensor2D,
  memory: Tensor2D,
  { present, layout }: AttentionPlace,
  options: { readonly numHeads: number; readonly dropout: number },
  context: Context,
): Tensor2D {
  const q = linear(parameters, `${name}.query`, query);
  const k = linear(parameters, `${name}.key`, memory);
  const v = linear(parameters, `${name}.value`, memory);
  const attended = attendWithinDialogues({ q, k, v, present, layout }, options, contextWithin(context, name));
  return linear(parameters, `${name}.out`, attended);
}
