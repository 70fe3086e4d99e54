// Ada2I: C.-V. T. Nguyen, T.-S. Le, A.-T. Mai, D.-T. Le, "Ada2I: Enhancing Modality Balance for Multimodal
// Conversational Emotion Recognition", ACM MM 2024; official code github.com/leson502/ADA2I. Adaptive feature weighting
// between the modalities, then a classifier that weighs modalities adaptively. Parameter names are the official ones.
import {
  type Context,
  concatLast,
  contextWithin,
  definePlugin,
  type Fusion,
  type FusionOutputs,
  type FusionSite,
  type Inputs,
  type Parameters,
  type Streams,
} from "@merclab/core";
import { addN, expandDims, mul, type Tensor, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { weighFeatures, weightingSpecs } from "./feature-weighting.ts";
import { createAda2iHead } from "./head.ts";
import { type Ada2iFusionOptions, ada2iFusionOptions } from "./options.ts";
import { officialOrder } from "./order.ts";

export function createAda2iFusion(options: Ada2iFusionOptions, site: FusionSite): Fusion {
  const { dim } = site;
  const modalities = officialOrder(site.modalities);
  const layers = Array.from({ length: options.layers }, (_, l) => `net.mmt.layers.${l}`);
  return {
    dim: modalities.length * dim,
    gives: new Set(["streams" as const, ...(options.head === "perceptron" ? ["auxiliary" as const] : [])]),
    seesPadding: options.padding === "as-published",
    parameters: layers.flatMap((layer) => weightingSpecs(layer, modalities.length, dim, options)),
    head: (outputDim) => createAda2iHead(options, modalities, dim, outputDim),
    apply: (parameters, streams, inputs, context) =>
      applyLayers(options, layers, modalities, parameters, streams, inputs, context),
  };
}

function applyLayers(
  options: Ada2iFusionOptions,
  layers: readonly string[],
  modalities: readonly string[],
  parameters: Parameters,
  given: Streams,
  inputs: Inputs,
  context: Context,
): FusionOutputs {
  const observed = { modalities, present: inputs.present, layout: inputs.layout };
  let streams = given;
  const losses: Tensor[] = [];
  let weights: Streams = {};
  layers.forEach((layer, l) => {
    const weighed = weighFeatures(parameters, layer, streams, observed, options, contextWithin(context, `layer${l}`));
    ({ streams, weights } = weighed);
    losses.push(...(weighed.loss === undefined ? [] : [weighed.loss]));
  });
  // A modality that was not observed adds nothing to the logits of its utterance.
  const observedStreams = Object.fromEntries(
    modalities.map((modality) => {
      const mask = expandDims(inputs.present[modality] as Tensor1D, 1);
      return [modality, mul(streams[modality] as Tensor2D, mask) as Tensor2D];
    }),
  );
  const fused = concatLast(modalities.map((modality) => observedStreams[modality] as Tensor2D));
  if (context.random === undefined) {
    const shown = Object.fromEntries(Object.entries(weights).map(([modality, theta]) => [`gate.${modality}`, theta]));
    return { fused, streams: observedStreams, shown };
  }
  return losses.length === 0
    ? { fused, streams: observedStreams }
    : { fused, streams: observedStreams, losses: { feature: mul(addN(losses), options.featureWeight) } };
}

export const ada2iFusionPlugin = definePlugin({
  kind: "fusion",
  name: "ada2i",
  summary: "Ada2I: adaptive weights for features (AFW) and modalities (AMW), with its own classifier",
  options: ada2iFusionOptions,
  create: createAda2iFusion,
});
