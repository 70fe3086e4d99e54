// CMATH's modality reconstruction as an encoder: one U-Net per modality along the utterances, down to a compressed
// representation and up to the features again; then positions and speakers. Clean-room: see the README.

import {
  type Context,
  concatLast,
  contextWithin,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderOutputs,
  type EncoderSite,
  embed,
  embeddingWithPadding,
  type Initializer,
  type Inputs,
  layerNorm,
  layerNormSpecs,
  linear,
  observedFeatures,
  ofModality,
  type ParameterSpec,
  type Parameters,
  parameter,
  positionEncoding,
} from "@merclab/core";
import {
  add,
  addN,
  div,
  expandDims,
  leakyRelu,
  maximum,
  mul,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { convolutionSpecs, convolve } from "./convolution.ts";
import { affineSpecs } from "./layers.ts";

const NORM_EPSILON = 1e-6;
const SLOPE = 0.01;
const SPEAKERS = "cmath.speakers";

const settings = z.strictObject({
  dim: z.int().positive().multipleOf(2).default(256).describe("width d of every stream, even"),
  middleDim: z.int().positive().nullable().default(null).describe("width of the U-Net's middle; null = 2·dim"),
  /** Utterances that a convolution sees, odd. */
  kernel: z
    .int()
    .positive()
    .refine((kernel) => kernel % 2 === 1, "kernel must be odd, so that an utterance lies in its middle")
    .default(3),
  compression: z
    .enum(["unet", "linear"])
    .default("unet")
    .describe("`unet`, or `linear`: without modality reconstruction, one linear map of the features"),
  skip: z.enum(["add", "concat", "none"]).default("add").describe("how the encoder's middle reaches the decoder"),
  reconstructionWeight: z.number().nonnegative().optional().describe("λ of the reconstruction loss; 0 = no decoder"),
  reconstructionNorm: z
    .enum(["mean", "squared", "root"])
    .default("mean")
    .describe(
      "`mean`: squared error per utterance and feature; `squared`: per dialogue; `root`: its root (Frobenius norm)",
    ),
  positions: z.boolean().default(true),
  speakers: z.boolean().default(true),
  dropout: z.number().min(0).lt(1).default(0.5),
});

export const cmathEncoderOptions = settings
  .transform((options) => ({
    ...options,
    reconstructionWeight: options.reconstructionWeight ?? (options.compression === "unet" ? 0.1 : 0),
  }))
  .refine(({ compression, reconstructionWeight }) => compression === "unet" || reconstructionWeight === 0, {
    path: ["reconstructionWeight"],
    error: "compression: linear has no decoder to reconstruct with; set 0, or choose unet",
  });

export type CmathEncoderOptions = z.output<typeof cmathEncoderOptions>;

export function createCmathEncoder(options: CmathEncoderOptions, site: EncoderSite): Encoder {
  const { dim, reconstructionWeight } = options;
  const names = site.modalities.map(({ name }) => name);
  const encode = (parameters: Parameters, inputs: Inputs, context: Context): EncoderOutputs => {
    const extra = embeddings(parameters, inputs, options);
    const errors: Tensor[] = [];
    const streams = Object.fromEntries(
      names.map((name) => {
        const sites = contextWithin(context, name);
        const { compressed, error } = compress(parameters, name, inputs, options, sites);
        errors.push(...(error === undefined ? [] : [error]));
        const normed = layerNorm(parameters, `cmath.${name}.norm`, compressed, NORM_EPSILON);
        return [
          name,
          dropout((extra === undefined ? normed : add(normed, extra)) as Tensor2D, options.dropout, sites, "stream"),
        ];
      }),
    );
    return {
      streams,
      losses: errors.length === 0 ? {} : { reconstruction: mul(addN(errors), reconstructionWeight) },
    };
  };
  return {
    modalities: names,
    dim,
    parameters: [
      ...(options.speakers ? [{ name: SPEAKERS, shape: [site.numSpeakers + 1, dim], initial: smallEmbedding }] : []),
      ...site.modalities.flatMap(({ name, dim: inDim }) => ofModality(name, modalitySpecs(name, inDim, options))),
    ],
    apply: (parameters, inputs, context) => encode(parameters, inputs, context).streams,
    ...(reconstructionWeight > 0 ? { applyWithLosses: encode } : {}),
  };
}

const smallEmbedding: Initializer = (key, shape) => embeddingWithPadding(key, shape).map((value) => 0.02 * value);

function modalitySpecs(name: string, inDim: number, options: CmathEncoderOptions): ParameterSpec[] {
  const { dim, kernel, skip } = options;
  const middle = options.middleDim ?? 2 * dim;
  const prefix = `cmath.${name}`;
  const norm = layerNormSpecs(`${prefix}.norm`, dim);
  if (options.compression === "linear") {
    return [...affineSpecs(`${prefix}.linear`, inDim, dim), ...norm];
  }
  const decoder = [
    ...convolutionSpecs(`${prefix}.up.0`, kernel, dim, middle),
    ...convolutionSpecs(`${prefix}.up.1`, kernel, skip === "concat" ? 2 * middle : middle, inDim),
  ];
  return [
    ...convolutionSpecs(`${prefix}.down.0`, kernel, inDim, middle),
    ...convolutionSpecs(`${prefix}.down.1`, kernel, middle, dim),
    ...norm,
    ...(options.reconstructionWeight > 0 ? decoder : []),
  ];
}

/** The compressed representation `[tokens, dim]`, and in training the error of the way back. */
function compress(
  parameters: Parameters,
  name: string,
  inputs: Inputs,
  options: CmathEncoderOptions,
  context: Context,
): { readonly compressed: Tensor2D; readonly error?: Tensor } {
  const prefix = `cmath.${name}`;
  const { present, layout } = inputs;
  const real = expandDims(layout.tokenMask, 1);
  const x = observedFeatures(inputs, name);
  if (options.compression === "linear") {
    return { compressed: linear(parameters, `${prefix}.linear`, x) };
  }
  // Masked before every convolution: a bias makes padding non-zero, which would reach the last utterance.
  const layer = (part: string, from: Tensor2D): Tensor2D =>
    mul(convolve(parameters, `${prefix}.${part}`, options.kernel, from, layout), real) as Tensor2D;
  const middle = leakyRelu(layer("down.0", x), SLOPE);
  const compressed = layer("down.1", dropout(middle, options.dropout, context, "middle"));
  if (options.reconstructionWeight === 0 || context.random === undefined) {
    return { compressed };
  }
  const risen = leakyRelu(layer("up.0", compressed), SLOPE);
  const joined = {
    add: () => add(risen, middle) as Tensor2D,
    concat: () => concatLast([risen, middle]),
    none: () => risen,
  };
  const observed = expandDims(present[name] as Tensor1D, 1);
  const gap = mul(sub(x, layer("up.1", joined[options.skip]())), observed) as Tensor2D;
  return { compressed, error: reconstructionError(gap, present[name] as Tensor1D, layout.batch, options) };
}

/** From the differences `[tokens, inDim]`, zeros where nothing was observed. Scalar. */
function reconstructionError(
  gap: Tensor2D,
  present: Tensor1D,
  batch: number,
  { reconstructionNorm }: CmathEncoderOptions,
): Tensor {
  const total = sum(square(gap));
  switch (reconstructionNorm) {
    case "mean":
      return div(total, mul(maximum(sum(present), 1), gap.shape[1]));
    case "squared":
      return div(total, batch);
    case "root": // the slope of a root is infinite at 0
      return div(sqrt(add(total, 1e-12)), batch);
  }
}

/** Positions plus speakers, `[tokens, dim]`. */
function embeddings(parameters: Parameters, inputs: Inputs, options: CmathEncoderOptions): Tensor2D | undefined {
  const places = options.positions ? positionEncoding(inputs.layout, options.dim) : undefined;
  const speakers = options.speakers ? embed(parameter(parameters, SPEAKERS) as Tensor2D, inputs.speakers) : undefined;
  return places !== undefined && speakers !== undefined ? (add(places, speakers) as Tensor2D) : (places ?? speakers);
}

export const cmathEncoderPlugin = definePlugin({
  kind: "encoder",
  name: "cmath",
  summary: "CMATH (clean-room): modality reconstruction, a U-Net along the utterances of each modality",
  options: cmathEncoderOptions,
  create: createCmathEncoder,
});
