// One transformer of SDT's encoder. In the first layer the layer's own norm is skipped (its parameters exist in the
// official weights and are never trained); the feed-forward layer is pre-norm, as wide as the model; there is no
// norm at the end. From the second layer on the stream is post-norm: the residual takes the normed query as well, and an
// inter-modal transformer keeps the un-normed source for keys and values.
import {
  type Context,
  contextWithin,
  dropout,
  geluTanh,
  type Inputs,
  layerNorm,
  layerNormSpecs,
  linear,
  linearSpecs,
  type ParameterSpec,
  type Parameters,
} from "@merclab/core";
import { add, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { attendPresent } from "./attention.ts";

/** The layer norm of the official code, not the usual 1e-5. */
const NORM_EPSILON = 1e-6;

export interface SdtTransformerOptions {
  readonly dim: number;
  readonly numHeads: number;
  readonly numLayers: number;
  readonly dropout: number;
  readonly inputDropout: "per-transformer" | "per-modality";
}

/** Parameters of `<name>.transformer_inter.<layer>`, in the order of the official state dict. */
export function sdtTransformerSpecs(name: string, { dim, numLayers }: SdtTransformerOptions): ParameterSpec[] {
  return Array.from({ length: numLayers }, (_, i) => {
    const layer = `${name}.transformer_inter.${i}`;
    return [
      ...["linear_k", "linear_v", "linear_q", "linear"].flatMap((part) =>
        linearSpecs(`${layer}.self_attn.${part}`, dim, dim),
      ),
      ...linearSpecs(`${layer}.feed_forward.w_1`, dim, dim),
      ...linearSpecs(`${layer}.feed_forward.w_2`, dim, dim),
      ...layerNormSpecs(`${layer}.feed_forward.layer_norm`, dim),
      ...layerNormSpecs(`${layer}.layer_norm`, dim).map((spec) => ({ ...spec, frozen: i === 0 })),
    ];
  }).flat();
}

/**
 * @param path the target gives queries and residual, the source gives keys and values
 * @param embedded per modality `[tokens, dim]`, with position and speaker embeddings
 * @returns `[tokens, dim]`
 */
export function applySdtTransformer(
  parameters: Parameters,
  path: { readonly source: string; readonly target: string; readonly name: string },
  embedded: Readonly<Record<string, Tensor2D>>,
  inputs: Inputs,
  options: SdtTransformerOptions,
  context: Context,
): Tensor2D {
  const intra = path.source === path.target;
  const inputRate = options.inputDropout === "per-transformer" ? options.dropout : 0;
  const present = inputs.present[path.source] as Tensor1D;
  const source = dropout(embedded[path.source] as Tensor2D, inputRate, context, "source");
  let x = intra ? source : dropout(embedded[path.target] as Tensor2D, inputRate, context, "target");
  for (let i = 0; i < options.numLayers; i++) {
    const layer = `${path.name}.transformer_inter.${i}`;
    const layerContext = contextWithin(context, `layer${i}`);
    const query = i === 0 ? x : layerNorm(parameters, `${layer}.layer_norm`, x, NORM_EPSILON);
    const attended = attendPresent(
      parameters,
      {
        query: `${layer}.self_attn.linear_q`,
        key: `${layer}.self_attn.linear_k`,
        value: `${layer}.self_attn.linear_v`,
      },
      { query, memory: intra ? query : source, present, layout: inputs.layout },
      options,
      layerContext,
    );
    const out = linear(parameters, `${layer}.self_attn.linear`, attended);
    const residual = add(dropout(out, options.dropout, layerContext, "attended"), query) as Tensor2D;
    const normed = layerNorm(parameters, `${layer}.feed_forward.layer_norm`, residual, NORM_EPSILON);
    const inner = geluTanh(linear(parameters, `${layer}.feed_forward.w_1`, normed));
    const fed = linear(parameters, `${layer}.feed_forward.w_2`, dropout(inner, options.dropout, layerContext, "inner"));
    x = add(residual, dropout(fed, options.dropout, layerContext, "fed")) as Tensor2D;
  }
  return x;
}
