// One trial: epochs of training, after each the validation part scored and the test part predicted. Test labels are
// not here: predictions of every epoch are handed out, and scored later by somebody else.
import {
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
  type RandomSource,
  taskScores,
  visibleLabels,
} from "@merclab/core";
import { bucketsOfTraining, epochBatches, packBatch } from "@merclab/data";
import { dispose, scalar, type Tensor } from "@tensorflow/tfjs-core";
import type { Checkpoints } from "./checkpoint.ts";
import { createPredictor } from "./evaluation.ts";
import type { Model } from "./model.ts";
import { createSelectedWeightsKeeper, type SelectedWeights } from "./selected-weights.ts";
import { selectionMetric, type TrainerOptions } from "./settings.ts";
import { type TrainingBatch, type TrainState, trainableParameters, trainStep } from "./step.ts";

export interface EpochReport {
  /** From 1. */
  readonly epoch: number;
  /** Mean loss terms over the training utterances, by name; `total` is what was minimised. */
  readonly train: Readonly<Record<string, number>>;
  /** `total` of every step, in order: tells where a repetition parts. */
  readonly stepLosses: readonly number[];
  /** Metrics on the validation part. */
  readonly valid: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface TrialOutcome {
  readonly epochs: readonly EpochReport[];
  /** Epoch with the best validation score, the earliest on ties. */
  readonly selectedEpoch: number;
  /**
   * Per epoch, row-major `[test utterances, outputDim]`, dialogues in the order of the data set; in regression these are
   * scores.
   */
  readonly testProbabilities: readonly Float32Array[];
  /** Those of `selectedEpoch`; absent where they were not asked for. */
  readonly weights?: SelectedWeights;
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

/** How a trial may stop and go on. */
export interface Course {
  readonly checkpoints?: Checkpoints;
  /** At least so many seconds lie between two checkpoints; 0 = one after every epoch. */
  readonly checkpointSeconds?: number;
  /** Asked after every epoch: true ends the trial there, with a checkpoint. */
  readonly isPausing?: () => boolean;
  /**
   * Whether the outcome has the weights of the selected epoch: a copy after each epoch that is the best so far. Changes
   * no number.
   */
  readonly keepWeights?: boolean;
}

/**
 * Trains, from the last checkpoint where there is one; the engine must have been started.
 *
 * @param onEpoch called after each epoch
 * @returns undefined when it was paused; the checkpoint is then written
 * @throws MerclabError `data` or `sealed` before training when there is nothing to learn from or to choose an epoch by;
 *   `diverged` when a loss or a prediction is no longer finite
 */
export function trainTrial(
  trial: Trial,
  onEpoch: (report: EpochReport) => void,
  course?: Course & { readonly isPausing?: never },
): Promise<TrialOutcome>;
export function trainTrial(
  trial: Trial,
  onEpoch: (report: EpochReport) => void,
  course: Course,
): Promise<TrialOutcome | undefined>;
export async function trainTrial(
  trial: Trial,
  onEpoch: (report: EpochReport) => void,
  { checkpoints, checkpointSeconds = 0, isPausing = () => false, keepWeights = false }: Course = {},
): Promise<TrialOutcome | undefined> {
  const { model, engine, dataset, options } = trial;
  checkLabels(dataset);
  const metric = selectionMetric(options, dataset.task);
  const key = keyFromSeed(trial.seed);
  const predict = createPredictor(model, engine, dataset.modalities, options.evaluationBatchSize);
  const step = createStep(trial);
  const checkpoint = await checkpoints?.load(keepWeights);
  const selected = keepWeights ? createSelectedWeightsKeeper(model.parameters, checkpoint?.selected) : undefined;
  let state = checkpoint?.state ?? initialState(trial);

  const epochs: EpochReport[] = [...(checkpoint?.epochs ?? [])];
  const testProbabilities: Float32Array[] = [...(checkpoint?.testProbabilities ?? [])];
  const started = performance.now() - 1000 * (checkpoint?.seconds ?? 0);
  const secondsSince = (time: number): number => (performance.now() - time) / 1000;
  let savedAt = performance.now();
  try {
    for (let epoch = epochs.length + 1; epoch <= options.epochs; epoch++) {
      const epochStarted = performance.now();
      const batches = epochBatches(dataset.splits.train, options.batchSize, foldKey(key, "order", epoch));
      const losses = new WeightedMeans();
      const stepLosses: number[] = [];
      for (const [i, dialogues] of batches.entries()) {
        const progress = (epoch - 1 + i / batches.length) / options.epochs;
        const result = await step(state, dialogues, foldKey(key, "step", epoch, i), { epoch, progress });
        state = result.state;
        losses.add(result.losses, result.utterances);
        stepLosses.push(result.losses.total ?? Number.NaN);
        if (!Number.isFinite(result.losses.total)) {
          throw divergence(`the loss became ${result.losses.total} in epoch ${epoch}, step ${i + 1}`);
        }
        await yieldToEvents();
      }
      const valid = await predict(state.parameters, dataset.splits.valid);
      const test = await predict(state.parameters, dataset.splits.test);
      if (![valid, test].every((predictions) => predictions.every(Number.isFinite))) {
        throw divergence(`predictions are not finite after epoch ${epoch}`);
      }
      // Whoever it trained for may be gone, and another process at the same epoch: then it ends here, and stores nothing.
      await yieldToEvents();
      testProbabilities.push(test);
      const seconds = secondsSince(epochStarted);
      const scores = score(dataset, dataset.splits.valid, valid);
      const report = { epoch, train: losses.means(), stepLosses, valid: scores, seconds };
      epochs.push(report);
      if (selected !== undefined && selectEpoch(epochs, metric) === epoch) {
        await selected.keep(epoch, state.parameters);
      }
      onEpoch(report);
      const pausing = checkpoints !== undefined && epoch < options.epochs && isPausing();
      if (pausing || (epoch < options.epochs && secondsSince(savedAt) >= checkpointSeconds)) {
        const kept = selected?.kept === undefined ? {} : { selected: selected.kept };
        await checkpoints?.save({ state, epochs, testProbabilities, ...kept, seconds: secondsSince(started) });
        savedAt = performance.now();
      }
      if (pausing) {
        return undefined;
      }
    }
  } finally {
    dispose(stateTensors(state));
  }
  const seconds = secondsSince(started);
  return {
    epochs,
    selectedEpoch: selectEpoch(epochs, metric),
    testProbabilities,
    ...(selected?.kept === undefined ? {} : { weights: selected.kept }),
    seconds,
  };
}

/** What training starts from; the tensors are the caller's. */
export function initialState({ model, optimizer, seed }: Trial): TrainState {
  const parameters = initialParameters(model.parameters, foldKey(keyFromSeed(seed), "initial"));
  return { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
}

/** The epoch with the best validation value of a metric; the earliest on ties. */
export function selectEpoch(epochs: readonly EpochReport[], metric: string): number {
  const sign = metricDescriptor(metric).higherIsBetter ? 1 : -1;
  let best = { epoch: 0, value: Number.NEGATIVE_INFINITY };
  for (const { epoch, valid } of epochs) {
    const value = sign * (valid[metric] ?? Number.NaN);
    if (Number.isNaN(value)) {
      throw new RangeError(`selectEpoch: epoch ${epoch} has no ${metric} on the validation part`);
    }
    if (best.epoch === 0 || value > best.value) {
      best = { epoch, value };
    }
  }
  return best.epoch;
}

/** Training and validation need dialogues, and labels; test labels are left alone. */
function checkLabels({ name, splits }: Dataset): void {
  for (const split of ["train", "valid"] as const) {
    if (splits[split].length === 0) {
      throw new MerclabError("data", `data set "${name}" has no dialogues in its ${split} part`, {
        hint: split === "valid" ? "The epoch is chosen on it; the test part is never used for that." : undefined,
      });
    }
    splits[split].forEach(visibleLabels);
  }
}

function divergence(message: string): MerclabError {
  return new MerclabError("diverged", message, {
    hint: "Try a smaller optimizer.lr, or optimizer.maxGradientNorm=1.",
  });
}

interface StepReport {
  readonly state: TrainState;
  readonly losses: Readonly<Record<string, number>>;
  readonly utterances: number;
}

/** A training step on dialogues; frees the batch and the state that it replaces. */
export function createStep({ model, optimizer, engine, dataset, options }: Trial) {
  const buckets =
    engine.compilesShapes === true ? bucketsOfTraining(dataset.splits.train, options.batchSize) : undefined;
  const compiled = engine.compile(
    (state: TrainState, batch: TrainingBatch, random: RandomSource) =>
      trainStep(model, optimizer, state, batch, random),
    { donate: [0] },
  );
  return async (
    state: TrainState,
    dialogues: readonly Dialogue[],
    key: Key,
    time: { readonly epoch: number; readonly progress: number },
  ): Promise<StepReport> => {
    const clock = { epoch: scalar(time.epoch), progress: scalar(time.progress) };
    const batch = packBatch(dialogues, dataset.modalities, buckets?.of(dialogues));
    try {
      if (batch.targets === undefined) {
        throw new MerclabError("sealed", "a training batch has no labels");
      }
      const { inputs, targets } = batch;
      const result = await compiled(state, { inputs, targets, clock }, createRandomSource(key));
      const losses = Object.fromEntries(
        Object.entries(result.losses).map(([name, value]) => [name, value.dataSync()[0] ?? Number.NaN]),
      );
      dispose({ ...result.losses });
      const utterances = dialogues.reduce((sum, { speakers }) => sum + speakers.length, 0);
      return { state: result.state, losses, utterances };
    } finally {
      dispose(clock);
      batch.dispose();
    }
  };
}

export function stateTensors(state: TrainState): Tensor[] {
  return [...Object.values(state.parameters), ...Object.values(state.optimizer)];
}

function score(dataset: Dataset, dialogues: readonly Dialogue[], predictions: Float32Array): Record<string, number> {
  const labels = dialogues.flatMap((dialogue) => Array.from(visibleLabels(dialogue)));
  return { ...taskScores(dataset.task, labels, predictions).metrics };
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
