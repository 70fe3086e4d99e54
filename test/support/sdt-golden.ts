// The tiny configurations of SDT's golden values and the deterministic filling of their tensors.
import { createLayout, type Inputs, type ParameterSpec, sizeOf, type Targets } from "@merclab/core";
import { createSdtEncoder, sdtEncoderOptions } from "@merclab/encoders";
import {
  createSdtFusion,
  createSelfDistillation,
  sdtFusionOptions,
  selfDistillationOptions,
} from "@merclab/fusion-sdt";
import { assembleModel } from "@merclab/trainer";
import { type Tensor, type Tensor2D, tensor, tensor1d } from "@tensorflow/tfjs-core";

/** r(k, i) of the golden values: a 32-bit hash mapped to [−1, 1). */
export function fill(k: number, i: number): number {
  let h = (Math.imul(i + 1, 2654435761) ^ Math.imul(k + 1, 2246822519)) >>> 0;
  h = (h ^ (h >>> 15)) >>> 0;
  h = Math.imul(h, 2246822519) >>> 0;
  h = (h ^ (h >>> 13)) >>> 0;
  h = Math.imul(h, 3266489917) >>> 0;
  h = (h ^ (h >>> 16)) >>> 0;
  return (2 * h) / 2 ** 32 - 1;
}

export interface GoldenCase {
  readonly dims: Readonly<Record<string, number>>;
  readonly numHeads: number;
  readonly classes: number;
  readonly numSpeakers: number;
  readonly temperature: number;
  readonly lengths: readonly number[];
  readonly speakers: readonly number[];
  readonly labels: readonly number[];
  readonly unimodalGate: "learned" | "identity";
  readonly classWeights: "none" | number[];
}

/** Weights 1/f_c of SDT's train.py for IEMOCAP. */
const IEMOCAP_WEIGHTS = [0.086747, 0.144406, 0.227883, 0.160585, 0.127711, 0.252668].map((f) => 1 / f);

export const CASE_A: GoldenCase = {
  dims: { text: 6, audio: 7, visual: 5 },
  numHeads: 2,
  classes: 6,
  numSpeakers: 2,
  temperature: 2,
  lengths: [4, 2],
  speakers: [0, 1, 1, 0, 1, 0],
  labels: [0, 3, 5, 2, 4, 1],
  unimodalGate: "learned",
  classWeights: IEMOCAP_WEIGHTS,
};

export const CASE_B: GoldenCase = {
  dims: { text: 6, audio: 4, visual: 5 },
  numHeads: 4,
  classes: 7,
  numSpeakers: 9,
  temperature: 8,
  lengths: [2, 3],
  speakers: [8, 0, 3, 1, 3],
  labels: [0, 6, 2, 4, 5],
  unimodalGate: "identity",
  classWeights: "none",
};

export function goldenModel(golden: GoldenCase, detachTeacher = false) {
  const task = { type: "single-label" as const, classes: Array.from({ length: golden.classes }, (_, c) => `c${c}`) };
  const modalities = Object.entries(golden.dims).map(([name, dim]) => ({ name, dim }));
  const encoder = createSdtEncoder(
    sdtEncoderOptions.parse({ dim: 8, numHeads: golden.numHeads, unimodalGate: golden.unimodalGate, dropout: 0 }),
    { modalities, numSpeakers: golden.numSpeakers },
  );
  const fusion = createSdtFusion(sdtFusionOptions.parse({}), { modalities: encoder.modalities, dim: 8 });
  const objective = createSelfDistillation(
    selfDistillationOptions.parse({
      dropout: 0, // off in the golden run
      temperature: golden.temperature,
      classWeights: golden.classWeights,
      detachTeacher,
    }),
    {
      task,
      modalities: encoder.modalities,
      dim: 8,
      trainClassCounts: new Array(golden.classes).fill(1),
      trainUtterances: golden.classes,
    },
  );
  return { model: assembleModel({ encoder, fusion, objective }, task), encoder, fusion, objective };
}

/** Parameters as the golden values prescribe; k counts the declared tensors in order. */
export function goldenParameters(specs: readonly ParameterSpec[]): Record<string, Tensor> {
  return Object.fromEntries(specs.map((spec, k) => [spec.name, tensor(goldenValues(spec, k), [...spec.shape])]));
}

function goldenValues({ name, shape }: ParameterSpec, k: number): Float32Array {
  const value = (i: number): number => {
    if (name === "speaker_embeddings.weight") {
      return i >= sizeOf(shape) - (shape[1] ?? 0) ? 0 : 0.5 * fill(k, i);
    }
    if (name.includes("layer_norm.weight")) {
      return 1 + 0.1 * fill(k, i);
    }
    return name.endsWith(".bias") ? 0.1 * fill(k, i) : fill(k, i) * Math.sqrt(3 / (shape[1] ?? 1));
  };
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i));
}

/** Makes the unimodal gates of case B the identity. */
export function withIdentityGates(parameters: Record<string, Tensor>): Record<string, Tensor> {
  const identity = tensor(
    Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0)),
    [8, 8],
  );
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      name.endsWith("_gate.fc.weight") && name !== "last_gate.fc.weight" ? identity : value,
    ]),
  );
}

export function goldenBatch(golden: GoldenCase): { inputs: Inputs; targets: Targets } {
  const layout = createLayout(golden.lengths);
  const time = Math.max(...golden.lengths);
  const index: Readonly<Record<string, number>> = { text: 1000, visual: 1001, audio: 1002 };
  const packed = (name: string, dim: number): Tensor2D => {
    // Filled as [batch, time, dim]; padding is dropped instead of zeroed.
    const rows = golden.lengths.flatMap((length, row) =>
      Array.from({ length }, (_, step) =>
        Array.from({ length: dim }, (_, d) => fill(index[name] ?? 0, (row * time + step) * dim + d)),
      ),
    );
    return tensor(rows.flat(), [layout.tokens, dim]) as Tensor2D;
  };
  return {
    inputs: {
      features: Object.fromEntries(Object.entries(golden.dims).map(([name, dim]) => [name, packed(name, dim)])),
      present: Object.fromEntries(Object.keys(golden.dims).map((name) => [name, layout.tokenMask])),
      speakers: tensor1d([...golden.speakers], "int32"),
      layout,
    },
    targets: { labels: tensor1d([...golden.labels], "int32"), mask: layout.tokenMask },
  };
}
