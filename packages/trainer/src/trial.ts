// One trial: epochs of training, after each the validation part scored and the test part predicted. Test labels are
// not here: predictions of every epoch are handed out, and scored later by somebody else.
import {
  classificationMetrics,
  createRandomSource,
  type Dataset,
  type Dialogue,
  type Engine,
  foldKey,
  initialParameters,
  type Key,
  keyFromSeed,
  MerclabError,
  metricDescriptor,
  type Optimizer,
  outputDim,
  type RandomSource,
  visibleLabels,
} from "@merclab/core";
import { epochBatches, packBatch } from "@merclab/data";
import { dispose, type Tensor } from "@tensorflow/tfjs-core";
import { createPredictor } from "./evaluation.ts";
import type { Model } from "./model.ts";
import type { TrainerOptions } from "./settings.ts";
import { type TrainingBatch, type TrainState, trainableParameters, trainStep } from "./step.ts";

export interface EpochReport {
  /** From 1. */
  readonly epoch: number;
  /** Mean loss terms over the training utterances, by name; `total` is what was minimised. */
  readonly train: Readonly<Record<string, number>>;
  /** Metrics on the validation part. */
  readonly valid: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface TrialOutcome {
  readonly epochs: readonly EpochReport[];
  /** Epoch with the best validation score, the earliest on ties. */
  readonly selectedEpoch: number;
  /** Per epoch, row-major `[test utterances, classes]`, dialogues in the order of the data set. */
  readonly testProbabilities: readonly Float32Array[];
  readonly seconds: number;
}

export interface Trial {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly options: TrainerOptions;
  readonly seed: number;
}

/**
 * Trains; the engine must have been started.
 *
 * @param onEpoch called after each epoch
 * @throws MerclabError `diverged` when a loss is no longer finite
 */
export async function trainTrial(trial: Trial, onEpoch: (report: EpochReport) => void): Promise<TrialOutcome> {
  const { model, optimizer, engine, dataset, options } = trial;
  const key = keyFromSeed(trial.seed);
  const predict = createPredictor(model, engine, dataset.modalities, options.evaluationBatchSize);
  const parameters = initialParameters(model.parameters, foldKey(key, "initial"));
  let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
  const step = createStep(trial);

  const epochs: EpochReport[] = [];
  const testProbabilities: Float32Array[] = [];
  const started = performance.now();
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    const epochStarted = performance.now();
    const batches = epochBatches(dataset.splits.train, options.batchSize, foldKey(key, "order", epoch));
    const losses = new WeightedMeans();
    for (const [i, dialogues] of batches.entries()) {
      const result = step(state, dialogues, foldKey(key, "step", epoch, i));
      state = result.state;
      losses.add(result.losses, result.utterances);
      if (!Number.isFinite(result.losses.total ?? Number.NaN)) {
        throw new MerclabError("diverged", `the loss became ${result.losses.total} in epoch ${epoch}, step ${i + 1}`, {
          hint: "Try a smaller optimizer.lr, or optimizer.maxGradientNorm=1.",
        });
      }
      await yieldToEvents();
    }
    const valid = score(dataset, dataset.splits.valid, await predict(state.parameters, dataset.splits.valid));
    testProbabilities.push(await predict(state.parameters, dataset.splits.test));
    const seconds = (performance.now() - epochStarted) / 1000;
    const report = { epoch, train: losses.means(), valid, seconds };
    epochs.push(report);
    onEpoch(report);
  }
  const seconds = (performance.now() - started) / 1000;
  dispose(stateTensors(state));
  return { epochs, selectedEpoch: selectEpoch(epochs, options.selectBy), testProbabilities, seconds };
}

/** The epoch with the best validation value of a metric; the earliest on ties. */
export function selectEpoch(epochs: readonly EpochReport[], metric: string): number {
  const sign = metricDescriptor(metric).higherIsBetter ? 1 : -1;
  let best: EpochReport | undefined;
  for (const report of epochs) {
    if (best === undefined || sign * (report.valid[metric] ?? 0) > sign * (best.valid[metric] ?? 0)) {
      best = report;
    }
  }
  return best?.epoch ?? 0;
}

interface StepReport {
  readonly state: TrainState;
  readonly losses: Readonly<Record<string, number>>;
  readonly utterances: number;
}

/** A training step on dialogues; frees the batch and the state that it replaces. */
function createStep({ model, optimizer, engine, dataset }: Trial) {
  const compiled = engine.compile((state: TrainState, batch: TrainingBatch, random: RandomSource) =>
    trainStep(model, optimizer, state, batch, random),
  );
  return (state: TrainState, dialogues: readonly Dialogue[], key: Key): StepReport => {
    const batch = packBatch(dialogues, dataset.modalities);
    if (batch.targets === undefined) {
      throw new MerclabError("sealed", "a training batch has no labels");
    }
    const result = compiled(state, { inputs: batch.inputs, targets: batch.targets }, createRandomSource(key));
    const losses = Object.fromEntries(
      Object.entries(result.losses).map(([name, value]) => [name, value.dataSync()[0] ?? Number.NaN]),
    );
    dispose({ ...result.losses });
    disposeReplaced(state, result.state);
    batch.dispose();
    return {
      state: result.state,
      losses,
      utterances: dialogues.reduce((sum, each) => sum + each.utteranceIds.length, 0),
    };
  };
}

/** Tensors of the old state that the new one does not hold. */
function disposeReplaced(old: TrainState, next: TrainState): void {
  const kept = new Set(stateTensors(next));
  dispose(stateTensors(old).filter((tensor) => !kept.has(tensor)));
}

function stateTensors(state: TrainState): Tensor[] {
  return [...Object.values(state.parameters), ...Object.values(state.optimizer)];
}

function score(dataset: Dataset, dialogues: readonly Dialogue[], probabilities: Float32Array): Record<string, number> {
  const labels = dialogues.flatMap((dialogue) => Array.from(visibleLabels(dialogue)));
  const metrics = classificationMetrics(labels, { probabilities }, outputDim(dataset.task));
  return Object.fromEntries(
    Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

/** Means of named values, weighted by utterances. */
class WeightedMeans {
  private readonly sums = new Map<string, number>();
  private weight = 0;

  add(values: Readonly<Record<string, number>>, weight: number): void {
    this.weight += weight;
    for (const [name, value] of Object.entries(values)) {
      this.sums.set(name, (this.sums.get(name) ?? 0) + weight * value);
    }
  }

  means(): Record<string, number> {
    return Object.fromEntries([...this.sums].map(([name, sum]) => [name, sum / this.weight]));
  }
}

/** Lets messages and signals through between steps. */
function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
