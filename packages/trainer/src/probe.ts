// How fast a trial would train: a few of its steps and evaluation batches, run twice. What compiles, and whatever else
// comes once, is in the first pass; the second is timed.
import { type Dialogue, foldKey, keyFromSeed } from "@merclab/core";
import { bucketsOfTraining, epochBatches, evaluationBatches } from "@merclab/data";
import { dispose } from "@tensorflow/tfjs-core";
import { createPredictor } from "./evaluation.ts";
import { createStep, initialState, stateTensors, type Trial } from "./trial.ts";

/** Shapes that evaluation meets in each of two parts, where shapes count (see `bucketsOfBatches`). */
const EVALUATION_SHAPES = 2 * 3;

export interface Pace {
  /** Of an epoch, validation and test predictions included. */
  readonly epochSeconds: number;
  /** What comes once: compiling the graphs of all shapes. */
  readonly onceSeconds: number;
  /** Training steps that were timed. */
  readonly steps: number;
}

/** @param count training batches, and at most as many of evaluation */
export async function probePace(trial: Trial, count = 3): Promise<Pace> {
  const { model, engine, dataset, options, seed } = trial;
  const { train, valid, test } = dataset.splits;
  const step = createStep(trial);
  const predict = createPredictor(model, engine, dataset.modalities, options.evaluationBatchSize);
  const batches = epochBatches(train, options.batchSize, foldKey(keyFromSeed(seed), "order", 1)).slice(0, count);
  const evaluated = evaluationBatches([...valid, ...test], options.evaluationBatchSize)
    .slice(0, count)
    .flatMap(({ dialogues }) => dialogues);
  let state = initialState(trial);
  const pass = async () => {
    const started = performance.now();
    for (const [i, dialogues] of batches.entries()) {
      const key = foldKey(keyFromSeed(seed), "step", 1, i);
      ({ state } = await step(state, dialogues, key, { epoch: 1, progress: 0 }));
    }
    const trained = performance.now();
    await predict(state.parameters, evaluated);
    return { train: (trained - started) / 1000, evaluate: (performance.now() - trained) / 1000 };
  };
  try {
    const first = await pass();
    const second = await pass();
    const trainEpoch = (second.train / utterancesOf(batches.flat())) * utterancesOf(train);
    const evaluateEpoch = (second.evaluate / utterancesOf(evaluated)) * utterancesOf([...valid, ...test]);
    const compiles = engine.compilesShapes === true;
    const shapes = compiles ? bucketsOfTraining(train, options.batchSize).buckets.length : batches.length;
    const onceEach = Math.max(0, first.train - second.train) / batches.length;
    const onceEvaluation = Math.max(0, first.evaluate - second.evaluate) / (compiles ? count : 1);
    return {
      epochSeconds: trainEpoch + evaluateEpoch,
      onceSeconds: onceEach * shapes + onceEvaluation * (compiles ? EVALUATION_SHAPES : 1),
      steps: batches.length,
    };
  } finally {
    dispose(stateTensors(state));
  }
}

function utterancesOf(dialogues: readonly Dialogue[]): number {
  return dialogues.reduce((sum, { speakers }) => sum + speakers.length, 0);
}
