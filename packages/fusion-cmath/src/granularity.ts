// From fine to coarse: a normal distribution over the coarse representation, made of the streams of all modalities.
import { concatLast, type Gaussian, linear, type ParameterSpec, type Parameters, type Streams } from "@merclab/core";
import {
  add,
  addN,
  div,
  exp,
  expandDims,
  leakyRelu,
  log,
  maximum,
  mul,
  neg,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from "@tensorflow/tfjs-core";
import { affineSpecs, gaussian, gaussianSpecs } from "./layers.ts";
import type { CmathFusionOptions } from "./options.ts";

const SLOPE = 0.01;
/** Under a logarithm, where experts agree perfectly. */
const SMALLEST_VARIANCE = 1e-6;

type Mode = CmathFusionOptions["fusion"];

/** Whether every modality has a distribution of its own. */
export function hasExperts(mode: Mode): boolean {
  return mode === "poe" || mode === "moe";
}

export function granularitySpecs(
  mode: Mode,
  modalities: readonly string[],
  dim: number,
  latentDim: number,
): ParameterSpec[] {
  if (hasExperts(mode)) {
    return modalities.flatMap((modality) => gaussianSpecs(`cmath.${modality}.latent`, dim, latentDim));
  }
  const head = "cmath.coarse";
  return [
    ...affineSpecs(`${head}.hidden`, modalities.length * dim, dim),
    ...(mode === "deterministic" ? affineSpecs(`${head}.mean`, dim, latentDim) : gaussianSpecs(head, dim, latentDim)),
  ];
}

export interface Coarse {
  readonly mean: Tensor2D;
  /** Absent where nothing is random. */
  readonly latent?: { readonly fused: Gaussian; readonly modalities?: Readonly<Record<string, Gaussian>> };
}

/** @param present per modality `[tokens]`; an expert says nothing where its modality is missing */
export function coarsen(
  parameters: Parameters,
  mode: Mode,
  modalities: readonly string[],
  fine: Streams,
  present: Readonly<Record<string, Tensor1D>>,
): Coarse {
  if (hasExperts(mode)) {
    const experts = Object.fromEntries(
      modalities.map((name) => [name, gaussian(parameters, `cmath.${name}.latent`, fine[name] as Tensor2D)]),
    );
    const list = modalities.map((name) => ({
      ...(experts[name] as Gaussian),
      observed: expandDims(present[name] as Tensor1D, 1),
    }));
    const fused = mode === "poe" ? product(list) : mixture(list);
    return { mean: fused.mean, latent: { fused, modalities: experts } };
  }
  const all = concatLast(modalities.map((name) => fine[name] as Tensor2D));
  const hidden = leakyRelu(linear(parameters, "cmath.coarse.hidden", all), SLOPE);
  if (mode === "deterministic") {
    return { mean: linear(parameters, "cmath.coarse.mean", hidden) };
  }
  const fused = gaussian(parameters, "cmath.coarse", hidden);
  return { mean: fused.mean, latent: { fused } };
}

/** A distribution that counts where `observed` `[tokens, 1]` is 1. */
export interface Expert extends Gaussian {
  readonly observed: Tensor;
}

/** Product of the experts and a standard normal: precisions add up, means are weighed by them. */
export function product(experts: readonly Expert[]): Gaussian {
  const precisions = experts.map(({ logVariance, observed }) => mul(exp(neg(logVariance)), observed));
  const total = add(addN(precisions), 1);
  const weighed = experts.map(({ mean }, i) => mul(precisions[i] as Tensor, mean));
  return { mean: div(addN(weighed), total) as Tensor2D, logVariance: neg(log(total)) as Tensor2D };
}

/** The normal distribution with mean and variance of the experts' mixture; standard where nobody counts. */
export function mixture(experts: readonly Expert[]): Gaussian {
  const count = addN(experts.map(({ observed }) => observed)); // [tokens, 1]
  const average = (values: readonly Tensor[]) => div(addN([...values]), maximum(count, 1));
  const mean = average(experts.map(({ mean: own, observed }) => mul(own, observed)));
  const moments = average(
    experts.map(({ mean: own, logVariance, observed }) => mul(add(exp(logVariance), square(own)), observed)),
  );
  const nobody = maximum(sub(1, count), 0);
  const variance = add(maximum(sub(moments, square(mean)), SMALLEST_VARIANCE), nobody);
  return { mean: mean as Tensor2D, logVariance: log(variance) as Tensor2D };
}

/** KL(N(μ, e^s) ‖ N(0, 1)) per cell, averaged over real tokens and dimensions. */
export function priorDivergence({ mean, logVariance }: Gaussian, tokenMask: Tensor1D): Tensor {
  const cells = sub(sub(add(exp(logVariance), square(mean)), 1), logVariance);
  const total = sum(mul(cells, expandDims(tokenMask, 1)));
  return div(mul(total, 0.5), mul(maximum(sum(tokenMask), 1), mean.shape[1]));
}
