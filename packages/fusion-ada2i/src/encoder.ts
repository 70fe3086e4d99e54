// Ada2I's encoders as a plugin: one per modality, none of which sees another modality.
import {
  applyLstm,
  type Context,
  contextWithin,
  definePlugin,
  type Encoder,
  type EncoderSite,
  lstmSpecs,
  MerclabError,
  observedFeatures,
  ofModality,
  type Streams,
  shortModalityName,
} from "@merclab/core";
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { officialOrder } from "./order.ts";
import { applyTransformer, officialNumHeads, transformerSpecs } from "./transformer.ts";

export const ada2iEncoderOptions = z.strictObject({
  dim: z.int().positive().default(200).describe("width of every stream"),
  kind: z
    .enum(["transformer", "lstm"])
    .default("transformer")
    .describe("`transformer`, or `lstm`: bidirectional, half of `dim` per direction"),
  numLayers: z.int().positive().default(2),
  numHeads: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe(
      "transformer: attention heads; null = the smallest of 5 to 14 that divides the width of the features, or 1",
    ),
  feedForwardDim: z.int().positive().default(2048).describe("transformer: width of the feed-forward layers"),
  dropout: z.number().min(0).lt(1).default(0.5),
  padding: z
    .enum(["masked", "as-published"])
    .default("masked")
    .describe(
      "`as-published` (transformer): no mask, so that the zeros after short dialogues attend and are attended to",
    ),
});

export type Ada2iEncoderOptions = z.output<typeof ada2iEncoderOptions>;

export function createAda2iEncoder(options: Ada2iEncoderOptions, site: EncoderSite): Encoder {
  const { dim, kind } = options;
  checkShape(options, site);
  const dims = new Map(site.modalities.map((modality) => [modality.name, modality.dim]));
  const modalities = officialOrder([...dims.keys()]);
  const own = modalities.map((modality) => {
    const inDim = dims.get(modality) ?? 0;
    return { modality, inDim, name: `net.encoder.${shortModalityName(modality)}` };
  });
  return {
    modalities,
    dim,
    // A packed LSTM never sees padding, with or without the switch.
    seesPadding: options.padding === "as-published" && kind === "transformer",
    parameters: own.flatMap(({ modality, inDim, name }) =>
      ofModality(
        modality,
        kind === "lstm"
          ? lstmSpecs(`${name}.lstm`, inDim, dim / 2, lstmShape(options))
          : transformerSpecs(name, inDim, dim, options),
      ),
    ),
    apply: (parameters, inputs, context: Context): Streams => {
      const rows = own.map(({ modality }) => observedFeatures(inputs, modality)); // zeros, as in the official data
      if (kind === "lstm") {
        const sequences = own.map(({ modality, name }, m) => ({
          name: `${name}.lstm`,
          x: rows[m] as Tensor2D,
          site: modality,
        }));
        const made = applyLstm(parameters, sequences, inputs.layout, lstmShape(options), context);
        return Object.fromEntries(own.map(({ modality }, m) => [modality, made[m] as Tensor2D]));
      }
      return Object.fromEntries(
        own.map(({ modality, inDim, name }, m) => {
          const present = inputs.present[modality] as Tensor1D;
          const x = rows[m] as Tensor2D;
          const sites = contextWithin(context, modality);
          const numHeads = options.numHeads ?? officialNumHeads(inDim);
          const place = { present, layout: inputs.layout };
          return [modality, applyTransformer(parameters, name, x, place, options, numHeads, sites)];
        }),
      );
    },
  };
}

/** Bidirectional, half of `dim` per direction. */
function lstmShape({ numLayers, dropout }: Ada2iEncoderOptions) {
  return { numLayers, dropout, bidirectional: true };
}

function checkShape({ dim, kind, numHeads, padding }: Ada2iEncoderOptions, site: EncoderSite): void {
  if (kind === "lstm" && dim % 2 !== 0) {
    throw new MerclabError("config", `encoder ada2i: dim ${dim} is odd; an lstm has half of it per direction`);
  }
  if (kind === "lstm" && (numHeads !== null || padding === "as-published")) {
    throw new MerclabError(
      "config",
      `encoder ada2i: an lstm has no ${numHeads !== null ? "numHeads" : "visible padding"}`,
      {
        hint: "Set it for kind: transformer only.",
      },
    );
  }
  const misfit = numHeads === null ? undefined : site.modalities.find((modality) => modality.dim % numHeads !== 0);
  if (misfit !== undefined) {
    throw new MerclabError(
      "combination",
      `encoder ada2i: the width ${misfit.dim} of ${misfit.name} is no multiple of numHeads ${numHeads}`,
      { hint: "numHeads: null chooses for each modality." },
    );
  }
}

export const ada2iEncoderPlugin = definePlugin({
  kind: "encoder",
  name: "ada2i",
  summary: "Ada2I: one post-norm transformer per modality at the width of its features, or a BiLSTM",
  options: ada2iEncoderOptions,
  create: createAda2iEncoder,
});
