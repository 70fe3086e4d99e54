// Predictions of a model without dropout, in the order of the data set.
import type { Dialogue, Engine, Inputs, ModalityInfo, Parameters } from "@merclab/core";
import { evaluationBatches, packBatch } from "@merclab/data";
import { softmax, type Tensor } from "@tensorflow/tfjs-core";
import type { Model } from "./model.ts";

/** Row-major `[utterances, classes]` probabilities of dialogues. */
export type Predictor = (parameters: Parameters, dialogues: readonly Dialogue[]) => Promise<Float32Array>;

export function createPredictor(
  model: Model,
  engine: Engine,
  modalities: readonly ModalityInfo[],
  batchSize: number,
): Predictor {
  const compiled = engine.compile(
    (parameters: Parameters, inputs: Inputs): Tensor => softmax(model.logits(parameters, inputs, {})),
  );
  return async (parameters, dialogues) => {
    const starts = [0];
    for (const { utteranceIds } of dialogues) {
      starts.push((starts.at(-1) ?? 0) + utteranceIds.length);
    }
    let all: Float32Array | undefined;
    for (const { dialogues: batch, indices } of evaluationBatches(dialogues, batchSize)) {
      const packed = packBatch(batch, modalities);
      const probabilities = compiled(parameters, packed.inputs);
      const values = await probabilities.data();
      const classes = probabilities.shape[1] ?? 0;
      all ??= new Float32Array((starts.at(-1) ?? 0) * classes);
      let row = 0;
      for (const [i, dialogue] of batch.entries()) {
        const length = dialogue.utteranceIds.length;
        all.set(
          values.subarray(row * classes, (row + length) * classes) as Float32Array,
          (starts[indices[i] ?? 0] ?? 0) * classes,
        );
        row += length;
      }
      probabilities.dispose();
      packed.dispose();
    }
    return all ?? new Float32Array(0);
  };
}
