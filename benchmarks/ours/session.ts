// Our side of a row: the model of its settings, trained on an engine as the trainer does it.
import {
  createRandomSource,
  type Engine,
  foldKey,
  initialParameters,
  keyFromSeed,
  type PluginKind,
  type PluginRegistry,
  type RandomSource,
} from "@merclab/core";
import { bucketsOfTraining, packBatch } from "@merclab/data";
import {
  createModel,
  createPredictor,
  loadWeights,
  type Model,
  saveWeights,
  type TrainingBatch,
  type TrainState,
  trainableParameters,
  trainStep,
} from "@merclab/trainer";
import { dispose, type Tensor } from "@tensorflow/tfjs-core";
import type { BatchAnswer } from "../protocol.ts";
import type { RowFolder, RowSettings } from "../row-folder.ts";
import type { Choice } from "../rows.ts";

export type BatchFigures = Omit<BatchAnswer, "cpuMs">;

export interface Session {
  readonly model: Model;
  epochStep(batch: number): Promise<BatchFigures>;
  evaluate(batch: number): Promise<BatchFigures>;
  /** Row-major `[utterances, classes]`. */
  predict(batch: number): Promise<Float32Array>;
  /** Graphs of the training step, and mean milliseconds to trace and compile one; undefined on eager engines. */
  figures(): Promise<{ readonly graphs: number; readonly traceMs: number; readonly compileMs: number } | undefined>;
  saveWeights(file: string): Promise<void>;
  loadWeights(file: string): Promise<void>;
}

/** @param engine started */
export function openSession({ settings, dialogues }: RowFolder, engine: Engine, registry: PluginRegistry): Session {
  const { modalities } = settings;
  const model = modelOf(settings, registry);
  const optimizer = registry.get("optimizer", settings.optimizer.name).create(settings.optimizer.options, {
    epochs: 1,
    stepsPerEpoch: settings.batches.length,
  });
  const key = keyFromSeed(settings.seed);
  const begin = (parameters: Readonly<Record<string, Tensor>>): TrainState => ({
    parameters,
    optimizer: optimizer.init(trainableParameters(model, parameters)),
  });
  let state = begin(initialParameters(model.parameters, foldKey(key, "initial")));
  let steps = 0;

  const step = engine.compile(
    (current: TrainState, batch: TrainingBatch, random: RandomSource) =>
      trainStep(model, optimizer, current, batch, random),
    { donate: [0] },
  );
  const predictor = createPredictor(
    model,
    engine,
    modalities,
    Math.max(...settings.batches.map(({ length }) => length)),
  );
  const batchSize = Math.max(...settings.batches.map(({ length }) => length));
  const buckets = engine.compilesShapes === true ? bucketsOfTraining(dialogues, batchSize) : undefined;
  const dialoguesOf = (batch: number) => (settings.batches[batch] ?? []).flatMap((place) => dialogues[place] ?? []);
  const sizeOf = (batch: number) => {
    const lengths = dialoguesOf(batch).map(({ speakers }) => speakers.length);
    const utterances = lengths.reduce((sum, length) => sum + length, 0);
    const { tokens, time } = bucketFor(batch);
    return {
      utterances,
      places: tokens ?? utterances,
      shape: `${tokens ?? utterances} x ${time ?? Math.max(...lengths)} x ${lengths.length}`,
    };
  };
  const bucketFor = (batch: number): { readonly tokens?: number; readonly time?: number } =>
    buckets?.of(dialoguesOf(batch)) ?? {};

  /** Milliseconds that the compiled step took so far, by phase; empty on eager engines. */
  const msByPhase = async (): Promise<Record<string, number>> => {
    const sums: Record<string, number> = {};
    for (const { runs, runMs } of (await step.explain?.()) ?? []) {
      for (const [name, ms] of Object.entries(runMs)) {
        sums[name] = (sums[name] ?? 0) + ms * runs;
      }
    }
    return sums;
  };

  return {
    model,
    async figures() {
      const graphs = (await step.explain?.()) ?? [];
      const mean = (of: (graph: (typeof graphs)[number]) => number): number =>
        graphs.reduce((sum, graph) => sum + of(graph), 0) / graphs.length;
      return graphs.length === 0
        ? undefined
        : {
            graphs: graphs.length,
            traceMs: mean(({ traceMs }) => traceMs),
            compileMs: mean(({ compileMs }) => compileMs),
          };
    },
    async epochStep(index) {
      const started = performance.now();
      const batch = packBatch(dialoguesOf(index), modalities, bucketFor(index));
      if (batch.targets === undefined) {
        throw new Error("a training batch has no labels");
      }
      const packed = performance.now();
      const before = await msByPhase();
      const random = createRandomSource(foldKey(key, "step", steps++));
      const result = await step(state, { inputs: batch.inputs, targets: batch.targets }, random);
      const losses = Object.fromEntries(
        Object.entries(result.losses).map(([name, value]) => [name, value.dataSync()[0] ?? Number.NaN]),
      );
      dispose({ ...result.losses });
      state = result.state;
      batch.dispose();
      const ended = performance.now();
      const after = await msByPhase();
      const inside = Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)] as const);
      const rest = ended - packed - inside.reduce((sum, [, ms]) => sum + ms, 0);
      const phases = { batch: packed - started, ...Object.fromEntries(inside), step: rest };
      return { ms: ended - started, phases, losses, ...sizeOf(index) };
    },
    async evaluate(index) {
      const started = performance.now();
      await predictor(state.parameters, dialoguesOf(index));
      return { ms: performance.now() - started, phases: {}, ...sizeOf(index) };
    },
    predict: (index) => predictor(state.parameters, dialoguesOf(index)),
    saveWeights: (file) => saveWeights(model, state.parameters, file),
    async loadWeights(file) {
      const next = begin(await loadWeights(model, file));
      disposeReplaced(state, next);
      state = next;
    },
  };
}

function modelOf(settings: RowSettings, registry: PluginRegistry): Model {
  const part = <K extends PluginKind>(kind: K, { name, options }: Choice) => ({
    plugin: registry.get(kind, name),
    options,
  });
  return createModel(
    {
      encoder: part("encoder", settings.encoder),
      fusion: part("fusion", settings.fusion),
      objective: part("objective", settings.objective),
    },
    {
      ...settings,
      task: { type: "single-label", classes: settings.classes },
      trainUtterances: settings.trainClassCounts.reduce((sum, count) => sum + count, 0),
    },
  );
}

/** Tensors of the old state that the new one does not hold. */
function disposeReplaced(old: TrainState, next: TrainState): void {
  const kept = new Set(stateTensors(next));
  dispose(stateTensors(old).filter((tensor) => !kept.has(tensor)));
}

function stateTensors(state: TrainState): Tensor[] {
  return [...Object.values(state.parameters), ...Object.values(state.optimizer)];
}
