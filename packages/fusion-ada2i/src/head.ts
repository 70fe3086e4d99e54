// AMW, adaptive modality weighting: one classifier over all modalities side by side, in which features and weights have
// unit length, so that no modality wins by the size of its numbers; logits of the modalities add up.
import {
  concatLast,
  type FusionOutputs,
  type Head,
  linear,
  linearSpecs,
  MerclabError,
  type Parameters,
  parameter,
  type Streams,
} from "@merclab/core";
import { add, div, matMul, maximum, mul, relu, slice, sqrt, square, sum, type Tensor2D } from "@tensorflow/tfjs-core";
import type { Ada2iFusionOptions } from "./options.ts";

const NAME = "net.fc_out";

/** Squared, the smallest length that a vector is divided by: 1e-12, as in the official code. */
const SMALLEST_SQUARE = 1e-24;

/** @param modalities in the official order; each has `dim` columns of the classifier */
export function createAda2iHead(
  options: Ada2iFusionOptions,
  modalities: readonly string[],
  dim: number,
  outputDim: number,
): Head {
  const width = modalities.length * dim;
  const mlp = options.head === "perceptron";
  if (!mlp && options.weighting === "channel" && outputDim === 1) {
    throw new MerclabError(
      "combination",
      "fusion ada2i with weighting=channel divides weights by their length over the outputs; with one output, as in " +
        "regression, only their signs would be left",
      { hint: "Choose fusion.weighting=cosine or fusion.weighting=none." },
    );
  }
  const weighted = (parameters: Parameters, streams: Streams): Tensor2D => {
    const blocks = modalities.map((modality, j) => ({
      x: streams[modality] as Tensor2D,
      weight: block(parameters, j, dim),
    }));
    const x = concatLast(blocks.map((each) => (options.weighting === "none" ? each.x : unit(each.x, 1))));
    const weight = concatLast(blocks.map((each) => weigh(each.weight, options.weighting)));
    const product = matMul(x, weight, false, true);
    return add(scaled(product as Tensor2D, options), parameter(parameters, `${NAME}.bias`)) as Tensor2D;
  };
  return {
    parameters: [
      ...(mlp ? [...linearSpecs("net.mlp.0", width, dim), ...linearSpecs("net.mlp.1", dim, outputDim)] : []),
      ...linearSpecs(NAME, width, outputDim),
    ],
    apply: (parameters, outputs) => {
      const modal = weighted(parameters, streamsOf(outputs));
      if (!mlp) {
        return { logits: modal };
      }
      const hidden = relu(linear(parameters, "net.mlp.0", outputs.fused));
      return { logits: linear(parameters, "net.mlp.1", hidden), auxiliary: { modal } };
    },
    unimodal: (parameters, outputs) => {
      const share = mul(parameter(parameters, `${NAME}.bias`), 1 / modalities.length);
      const streams = streamsOf(outputs);
      const ask = (modality: string, j: number): Tensor2D => {
        const x = streams[modality] as Tensor2D;
        const weight = block(parameters, j, dim);
        const product =
          options.probe === "linear"
            ? matMul(x, weight, false, true)
            : scaled(matMul(unit(x, 1), weigh(weight, options.weighting), false, true) as Tensor2D, options);
        return add(product, share) as Tensor2D;
      };
      return Object.fromEntries(modalities.map((modality, j) => [modality, ask(modality, j)]));
    },
  };
}

function streamsOf({ streams }: FusionOutputs): Streams {
  if (streams === undefined) {
    throw new Error("ada2i: the head needs the fusion's streams");
  }
  return streams;
}

/** The columns of one modality, `[classes, dim]`. */
function block(parameters: Parameters, j: number, dim: number): Tensor2D {
  const weight = parameter(parameters, `${NAME}.weight`) as Tensor2D;
  return slice(weight, [0, j * dim], [weight.shape[0], dim]);
}

function weigh(weight: Tensor2D, weighting: Ada2iFusionOptions["weighting"]): Tensor2D {
  switch (weighting) {
    case "channel":
      return unit(weight, 0);
    case "cosine":
      return unit(weight, 1);
    case "none":
      return weight;
  }
}

function scaled(logits: Tensor2D, { scale }: Ada2iFusionOptions): Tensor2D {
  return scale === 1 ? logits : (mul(logits, scale) as Tensor2D);
}

/** Vectors along an axis to length 1; zeros stay zeros, with finite gradients. */
function unit(x: Tensor2D, axis: 0 | 1): Tensor2D {
  return div(x, sqrt(maximum(sum(square(x), axis, true), SMALLEST_SQUARE))) as Tensor2D;
}
