// One pre-norm transformer encoder per modality over the whole dialogue (Vaswani et al. 2017; norm placement of
// Xiong et al. 2020), with position and speaker embeddings. No modality sees another one: that is left to the fusion.
import {
  type Context,
  contextWithin,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderSite,
  embed,
  embeddingWithPadding,
  geluErf,
  type Inputs,
  layerNorm,
  layerNormSpecs,
  linear,
  linearSpecs,
  MerclabError,
  observedFeatures,
  ofModality,
  type ParameterSpec,
  type Parameters,
  parameter,
  positionEncoding,
} from "@merclab/core";
import { add, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { attendPresent } from "./attention.ts";

const NORM_EPSILON = 1e-5;

export const transformerOptions = z.strictObject({
  dim: z.int().positive().multipleOf(2).default(128).describe("width of every stream; a multiple of numHeads, even"),
  numHeads: z.int().positive().default(8),
  numLayers: z.int().positive().default(1),
  feedForwardFactor: z.int().positive().default(4).describe("width of the feed-forward layer as a multiple of dim"),
  dropout: z.number().min(0).lt(1).default(0.5),
  speakers: z.boolean().default(true).describe("speaker embedding"),
});

export type TransformerOptions = z.output<typeof transformerOptions>;

export function createTransformerEncoder(options: TransformerOptions, site: EncoderSite): Encoder {
  const { dim, numHeads } = options;
  if (dim % numHeads !== 0) {
    throw new MerclabError("config", `encoder transformer: dim ${dim} is no multiple of numHeads ${numHeads}`);
  }
  return {
    modalities: site.modalities.map(({ name }) => name),
    dim,
    parameters: transformerSpecs(options, site),
    apply: (parameters, inputs, context) =>
      Object.fromEntries(
        site.modalities.map(({ name }) => [
          name,
          encodeModality(parameters, name, inputs, options, contextWithin(context, name)),
        ]),
      ),
  };
}

function transformerSpecs(options: TransformerOptions, site: EncoderSite): ParameterSpec[] {
  const { dim, numLayers, feedForwardFactor } = options;
  const speakers = options.speakers
    ? [{ name: "transformer.speakers", shape: [site.numSpeakers + 1, dim], initial: embeddingWithPadding }]
    : [];
  const perModality = site.modalities.flatMap(({ name, dim: inDim }) => {
    const prefix = `transformer.${name}`;
    const layers = Array.from({ length: numLayers }, (_, i) => [
      ...layerNormSpecs(`${prefix}.${i}.attention_norm`, dim),
      ...["q", "k", "v", "out"].flatMap((part) => linearSpecs(`${prefix}.${i}.${part}`, dim, dim)),
      ...layerNormSpecs(`${prefix}.${i}.feed_forward_norm`, dim),
      ...linearSpecs(`${prefix}.${i}.feed_forward.0`, dim, feedForwardFactor * dim),
      ...linearSpecs(`${prefix}.${i}.feed_forward.1`, feedForwardFactor * dim, dim),
    ]);
    return ofModality(name, [
      ...linearSpecs(`${prefix}.input`, inDim, dim),
      ...layers.flat(),
      ...layerNormSpecs(`${prefix}.norm`, dim),
    ]);
  });
  return [...speakers, ...perModality];
}

function encodeModality(
  parameters: Parameters,
  modality: string,
  inputs: Inputs,
  options: TransformerOptions,
  context: Context,
): Tensor2D {
  const { dim, numHeads, numLayers, dropout: rate } = options;
  const { layout } = inputs;
  const prefix = `transformer.${modality}`;
  const projected = linear(parameters, `${prefix}.input`, observedFeatures(inputs, modality));
  let x = add(projected, positionEncoding(layout, dim)) as Tensor2D;
  if (options.speakers) {
    x = add(x, embed(parameter(parameters, "transformer.speakers") as Tensor2D, inputs.speakers)) as Tensor2D;
  }
  x = dropout(x, rate, context, "input");
  const present = inputs.present[modality] as Tensor1D;
  for (let i = 0; i < numLayers; i++) {
    const layer = `${prefix}.${i}`;
    const layerContext = contextWithin(context, `layer${i}`);
    const normed = layerNorm(parameters, `${layer}.attention_norm`, x, NORM_EPSILON);
    const attended = attendPresent(
      parameters,
      { query: `${layer}.q`, key: `${layer}.k`, value: `${layer}.v` },
      { query: normed, memory: normed, present, layout },
      { numHeads, dropout: rate },
      layerContext,
    );
    const out = linear(parameters, `${layer}.out`, attended);
    x = add(x, dropout(out, rate, layerContext, "attended")) as Tensor2D;
    const inner = geluErf(
      linear(
        parameters,
        `${layer}.feed_forward.0`,
        layerNorm(parameters, `${layer}.feed_forward_norm`, x, NORM_EPSILON),
      ),
    );
    const fed = linear(parameters, `${layer}.feed_forward.1`, dropout(inner, rate, layerContext, "inner"));
    x = add(x, dropout(fed, rate, layerContext, "fed")) as Tensor2D;
  }
  return layerNorm(parameters, `${prefix}.norm`, x, NORM_EPSILON);
}

export const transformerPlugin = definePlugin({
  kind: "encoder",
  name: "transformer",
  summary: "One transformer encoder per modality, with position and speaker embeddings",
  options: transformerOptions,
  create: createTransformerEncoder,
});
