// What a model costs, by one counter for all: parameters as they are declared, and floating-point operations of a forward
// pass in evaluation, from its trace. Nothing is computed, so that the largest model is counted in a moment.
import {
  createLayout,
  type Fusion,
  type Inputs,
  layoutTensors,
  type ModalityInfo,
  type ParameterSpec,
  type Parameters,
} from "@merclab/core";
import { dispose, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { countFlops, type Flops, placeholder } from "tfjs-jit/flops";
import type { Model } from "./model.ts";

/** What is counted, whatever the data: attention costs more in long dialogues. Every modality is observed. */
export const STANDARD_BATCH = { dialogues: 16, utterances: 50 } as const;

/** Products are 2 a multiply-add; `elementwise` is everything else: see `Flops` of tfjs-jit. */
export interface Cost {
  /** Of one forward pass over the standard batch. */
  readonly batch: Flops;
  /** The same per utterance. */
  readonly utterance: Flops;
}

/** Features to logits; objective and balancer belong to training. @throws Error where it cannot be traced */
export function modelCost(model: Model, modalities: readonly ModalityInfo[]): Cost {
  return forwardCost(model.parameters, modalities, (parameters, inputs) => model.logits(parameters, inputs, {}));
}

/** Streams of width `dim` to fused rows. @throws Error where it cannot be traced */
export function fusionCost(fusion: Fusion, modalities: readonly string[], dim: number): Cost {
  return forwardCost(
    fusion.parameters,
    modalities.map((name) => ({ name, dim })),
    (parameters, inputs) => fusion.apply(parameters, inputs.features, inputs, {}).fused,
  );
}

/**
 * The cost, or in its place why it cannot be known: the model reads values, or uses an op that has no rule. Counting
 * fails no trial; what is wrong with the model itself shows when it trains.
 */
export function tryModelCost(model: Model, modalities: readonly ModalityInfo[]): Cost | { readonly unknown: string } {
  try {
    return modelCost(model, modalities);
  } catch (error) {
    return { unknown: error instanceof Error ? error.message : String(error) };
  }
}

function forwardCost(
  specs: readonly ParameterSpec[],
  modalities: readonly ModalityInfo[],
  forward: (parameters: Parameters, inputs: Inputs) => unknown,
): Cost {
  const { dialogues, utterances } = STANDARD_BATCH;
  const layout = createLayout(new Array<number>(dialogues).fill(utterances));
  const { tokens } = layout;
  const inputs: Inputs = {
    features: Object.fromEntries(modalities.map(({ name, dim }) => [name, placeholder([tokens, dim]) as Tensor2D])),
    present: Object.fromEntries(modalities.map(({ name }) => [name, placeholder([tokens]) as Tensor1D])),
    speakers: placeholder([tokens], "int32") as Tensor1D,
    layout,
  };
  const parameters = Object.fromEntries(specs.map(({ name, shape }) => [name, placeholder(shape)]));
  try {
    const batch = countFlops(forward, parameters, inputs);
    return {
      batch,
      utterance: { products: batch.products / tokens, elementwise: batch.elementwise / tokens },
    };
  } finally {
    dispose(layoutTensors(layout));
  }
}
