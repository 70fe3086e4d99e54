// What a fusion shows of one dialogue in evaluation, for pictures: its gates and its attention.
import type { Dialogue, Engine, Inputs, ModalityInfo, Parameters } from "@merclab/core";
import { packBatch } from "@merclab/data";
import { mean, type Tensor } from "@tensorflow/tfjs-core";
import { withoutLabels } from "./evaluation.ts";
import type { Model } from "./model.ts";

/** `[utterances]`: a gate, mean over its features; or `[utterances, utterances]`: who attends to whom. */
export interface ShownArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array;
}

export type Shower = (parameters: Parameters, dialogue: Dialogue) => Promise<Readonly<Record<string, ShownArray>>>;

export function createShower(model: Model, engine: Engine, modalities: readonly ModalityInfo[]): Shower {
  const compiled = engine.compile((parameters: Parameters, inputs: Inputs): Record<string, Tensor> => {
    const shown = Object.entries(model.shown(parameters, inputs));
    return Object.fromEntries(shown.map(([name, x]) => [name, x.rank === 2 ? mean(x, 1) : x]));
  });
  return async (parameters, dialogue) => {
    const packed = packBatch([withoutLabels(dialogue)], modalities, {});
    try {
      const shown = Object.entries(await compiled(parameters, packed.inputs));
      try {
        const arrays = shown.map(
          async ([name, x]) => [name, cut(await x.data<"float32">(), x.shape, dialogue)] as const,
        );
        return Object.fromEntries(await Promise.all(arrays));
      } finally {
        for (const [, x] of shown) {
          x.dispose();
        }
      }
    } finally {
      packed.dispose();
    }
  };
}

/** Without padding, which an engine may add behind the utterances. */
function cut(data: Float32Array, shape: readonly number[], { speakers }: Dialogue): ShownArray {
  const count = speakers.length;
  if (shape.length === 1) {
    return { shape: [count], data: data.slice(0, count) };
  }
  const time = shape.at(-1) ?? count; // [1, time, time]
  const rows = Array.from({ length: count }, (_, row) => Array.from(data.subarray(row * time, row * time + count)));
  return { shape: [count, count], data: Float32Array.from(rows.flat()) };
}
