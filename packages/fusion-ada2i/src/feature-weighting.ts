// AFW, adaptive feature weighting: every channel of every modality gets a weight per utterance, computed from all
// modalities by a product of low-rank cores. An utterance's core has rank one, G = u wᵀ with u = q¹ ⊙ k¹ and
// w = q² ⊙ k², so that no tensor of four axes is needed: vec(G · A₁ · A₂) = u ⊗ (wᵀ A₁ A₂).
import {
  type Context,
  dropout,
  type Layout,
  linear,
  linearSpecs,
  type ParameterSpec,
  type Parameters,
  packTokens,
  padMask,
  padTokens,
  type Streams,
  stopGradient,
} from "@merclab/core";
import {
  abs,
  add,
  addN,
  div,
  expandDims,
  eye,
  matMul,
  maximum,
  minimum,
  mul,
  reshape,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from "@tensorflow/tfjs-core";
import type { Ada2iFusionOptions } from "./options.ts";

type WeightingOptions = Pick<
  Ada2iFusionOptions,
  "rank" | "beta" | "dropout" | "featureWeight" | "mapTarget" | "detachTarget" | "scaleCores"
>;

/** A batch of streams with what was observed of them. */
export interface Observed {
  /** In the official order, each `[tokens, dim]`. */
  readonly modalities: readonly string[];
  /** Per modality `[tokens]`. */
  readonly present: Readonly<Record<string, Tensor1D>>;
  readonly layout: Layout;
}

/** Parameters of one layer, in the order of the official state dict. */
export function weightingSpecs(
  name: string,
  numModalities: number,
  dim: number,
  { rank, featureWeight }: WeightingOptions,
): ParameterSpec[] {
  const indices = [...Array(numModalities).keys()];
  return [
    ...["trans_q1", "trans_q2", "trans_k1", "trans_k2"].flatMap((part) =>
      indices.flatMap((j) => linearSpecs(`${name}.attention.${part}.${j}.lin`, dim, rank)),
    ),
    ...indices.flatMap((j) => linearSpecs(`${name}.attention.lin_att.${j}.lin`, rank * rank, dim)),
    ...(featureWeight > 0 ? indices.flatMap((j) => linearSpecs(`${name}.wmn.fc.${j}`, dim, dim)) : []),
  ];
}

/**
 * One layer.
 *
 * @returns streams of the same shapes, the weights Θ of their features in these shapes too, and in training the L1 loss of
 *   the mapping networks, a scalar
 */
export function weighFeatures(
  parameters: Parameters,
  name: string,
  streams: Streams,
  observed: Observed,
  options: WeightingOptions,
  context: Context,
): { readonly streams: Streams; readonly weights: Streams; readonly loss?: Tensor } {
  const { modalities, layout, present } = observed;
  const factors = modalities.map((modality, j) =>
    coreFactors(parameters, name, j, streams[modality] as Tensor2D, options),
  );
  const pooled = modalities.map((modality, j) =>
    poolCores(factors[j] as Factors, present[modality] as Tensor1D, layout),
  );
  const gated: Record<string, Tensor2D> = {};
  const weights: Record<string, Tensor2D> = {};
  const gaps: Tensor[] = [];
  modalities.forEach((modality, j) => {
    const z = streams[modality] as Tensor2D;
    const others = pooled.filter((_, l) => l !== j);
    const attention = linear(
      parameters,
      `${name}.attention.lin_att.${j}.lin`,
      contract(factors[j] as Factors, others, layout),
    );
    weights[modality] = attention;
    const weighed = add(mul(attention, z), mul(z, options.beta)) as Tensor2D;
    if (context.random !== undefined && options.featureWeight > 0) {
      const wanted = options.mapTarget === "gated" ? weighed : attention;
      const target = options.detachTarget ? stopGradient(wanted) : wanted;
      const gap = abs(sub(linear(parameters, `${name}.wmn.fc.${j}`, z), target));
      gaps.push(sum(mul(gap, expandDims(present[modality] as Tensor1D, 1))));
    }
    gated[modality] = dropout(weighed, options.dropout, context, modality);
  });
  if (gaps.length === 0) {
    return { streams: gated, weights };
  }
  const rows = addN(modalities.map((modality) => sum(present[modality] as Tensor1D)));
  const dim = gated[modalities[0] ?? ""]?.shape[1] ?? 1;
  return { streams: gated, weights, loss: div(addN(gaps), mul(maximum(rows, 1), dim)) };
}

/** The pooled core of each modality in a layer, `[batch, rank, rank]`. */
export function pooledCores(
  parameters: Parameters,
  name: string,
  streams: Streams,
  { modalities, layout, present }: Observed,
  options: WeightingOptions,
): Tensor3D[] {
  return modalities.map((modality, j) =>
    poolCores(
      coreFactors(parameters, name, j, streams[modality] as Tensor2D, options),
      present[modality] as Tensor1D,
      layout,
    ),
  );
}

/** u and w of every utterance, each `[tokens, rank]`. */
interface Factors {
  readonly u: Tensor2D;
  readonly w: Tensor2D;
}

function coreFactors(
  parameters: Parameters,
  name: string,
  j: number,
  z: Tensor2D,
  { rank, scaleCores }: WeightingOptions,
): Factors {
  const project = (part: string) => linear(parameters, `${name}.attention.${part}.${j}.lin`, z);
  const u = mul(project("trans_q1"), project("trans_k1"));
  const w = mul(project("trans_q2"), project("trans_k2")) as Tensor2D;
  return { u: (scaleCores ? mul(u, 1 / Math.sqrt(rank)) : u) as Tensor2D, w };
}

/** Mean core over the observed utterances of each dialogue, `[batch, rank, rank]`; the identity where there is none. */
function poolCores({ u, w }: Factors, present: Tensor1D, layout: Layout): Tensor3D {
  const mask = expandDims(present, 1);
  const total = matMul(padTokens(mul(u, mask) as Tensor2D, layout), padTokens(w, layout), true, false);
  const count = reshape(sum(padMask(present, layout), 1), [layout.batch, 1, 1]);
  const missing = sub(1, minimum(count, 1));
  return add(div(total, maximum(count, 1)), mul(missing, expandDims(eye(u.shape[1]), 0))) as Tensor3D;
}

/** vec(G · Π A) row by row, `[tokens, rank · rank]`. */
function contract({ u, w }: Factors, others: readonly Tensor3D[], layout: Layout): Tensor2D {
  const rank = u.shape[1];
  const right =
    others.length === 0
      ? w
      : packTokens(
          others.reduce((product, core) => matMul(product, core) as Tensor3D, padTokens(w, layout)),
          layout,
        );
  const outer = mul(expandDims(u, 2), expandDims(right, 1)); // [tokens, rank, rank]
  return reshape(outer, [u.shape[0], rank * rank]) as Tensor2D;
}
