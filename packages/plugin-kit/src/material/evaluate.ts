// Models on batches: parameters that matter, and the numbers that come out.
import {
  createRandomSource,
  drawNormal,
  foldKey,
  initialParameters,
  type KeyedSource,
  keyFromSeed,
  type Parameters,
} from "@merclab/core";
import type { Model } from "@merclab/trainer";
import { type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { type Batch, toTensors } from "./batch.ts";

/** Initial values with noise added, so that what starts at zero matters too. The tensors are the caller's. */
export function drawnParameters(model: Model, seed = 5): Record<string, Tensor> {
  const key = keyFromSeed(seed);
  const initial = initialParameters(model.parameters, key);
  return Object.fromEntries(
    model.parameters.map(({ name, shape, frozen }) => {
      const start = initial[name] as Tensor;
      if (frozen === true) {
        return [name, start];
      }
      const noise = drawNormal(foldKey(key, "spread", name), start.size);
      const values = start.dataSync().map((value, i) => value + 0.15 * (noise[i] ?? 0));
      start.dispose();
      return [name, tensor(values, [...shape])];
    }),
  );
}

export const randomOf = (seed: number): KeyedSource => createRandomSource(keyFromSeed(seed));

/** Logits of the real tokens in evaluation, `[tokens][classes]`. */
export function logitsOf(model: Model, parameters: Parameters, batch: Batch): number[][] {
  const made = toTensors(batch);
  let rows: number[][] = [];
  tidy(() => {
    rows = model.logits(parameters, made.inputs, {}).arraySync();
  });
  made.dispose();
  return rows.slice(
    0,
    batch.lengths.reduce((sum, length) => sum + length, 0),
  );
}

/** The loss in evaluation, or in training where a seed is given. */
export function lossOf(model: Model, parameters: Parameters, batch: Batch, seed?: number): number {
  const made = toTensors(batch);
  let loss = Number.NaN;
  tidy(() => {
    const context = seed === undefined ? {} : { random: randomOf(seed) };
    loss = model.loss(parameters, made.inputs, made.targets, context).total.dataSync()[0] ?? Number.NaN;
  });
  made.dispose();
  return loss;
}
