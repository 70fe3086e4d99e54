// Predictions of a model without dropout, in the order of the data set.
import type { Bucket, Dialogue, Engine, Inputs, ModalityInfo, Parameters, Task } from "@merclab/core";
import { bucketsOfBatches, evaluationBatches, packBatch, packRows, restoreOrder, unpackRows } from "@merclab/data";
import { sigmoid, softmax, type Tensor2D } from "@tensorflow/tfjs-core";
import type { Model } from "./model.ts";

/** Row-major `[utterances, outputDim]` of dialogues: probabilities of classes or labels, or scores. */
export type Predictor = (parameters: Parameters, dialogues: readonly Dialogue[]) => Promise<Float32Array>;

/** @param batchSize dialogues at a time; changes no number beyond rounding */
export function createPredictor(
  model: Model,
  engine: Engine,
  modalities: readonly ModalityInfo[],
  batchSize: number,
): Predictor {
  const compiled = engine.compile(
    (parameters: Parameters, inputs: Inputs): Tensor2D => predictions(model.task, model.logits(parameters, inputs, {})),
  );
  /** `[utterances, outputDim]` per dialogue. */
  const predictBatch = async (
    parameters: Parameters,
    dialogues: readonly Dialogue[],
    bucket: Bucket,
  ): Promise<Float32Array[]> => {
    const packed = packBatch(dialogues.map(withoutLabels), modalities, bucket);
    try {
      const predicted = await compiled(parameters, packed.inputs);
      try {
        const lengths = dialogues.map(({ speakers }) => speakers.length);
        return unpackRows(await predicted.data<"float32">(), predicted.shape[1], lengths);
      } finally {
        predicted.dispose();
      }
    } finally {
      packed.dispose();
    }
  };
  return async (parameters, dialogues) => {
    const batches = evaluationBatches(dialogues, batchSize);
    const buckets = bucketsOfBatches(batches.map((batch) => batch.dialogues));
    const results: Float32Array[][] = [];
    for (const batch of batches) {
      const bucket = engine.compilesShapes === true ? buckets.of(batch.dialogues) : {};
      results.push(await predictBatch(parameters, batch.dialogues, bucket));
    }
    return packRows(restoreOrder(batches, results));
  };
}

/** Logits as predictions of a task, `[tokens, outputDim]`. */
function predictions(task: Task, logits: Tensor2D): Tensor2D {
  switch (task.type) {
    case "single-label":
      return softmax(logits);
    case "multi-label":
      return sigmoid(logits);
    case "regression":
      return logits;
  }
}

/** What a model sees of a dialogue. Labels are not even looked at: those of the test part are sealed. */
export function withoutLabels({ id, utteranceIds, features, present, speakers }: Dialogue): Dialogue {
  return { id, utteranceIds, features, present, speakers };
}
