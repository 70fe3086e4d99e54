// One trial on every engine: the same losses and predictions, and the same bits when it is repeated on one. The engine
// of GPUs takes part where there is one, or the software adapter that chromium brings.
import { corePlugins, createEagerEngine, type Engine, type LoadedDataset, type Plugin } from "@merclab/core";
import { plugins as dataPlugins } from "@merclab/data";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { createOnnxEngine } from "@merclab/engine-onnx";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { createModel, trainerOptions, trainTrial } from "@merclab/trainer";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { useAdapter } from "../packages/jit/test/webgpu-adapter.ts";

const adapter = useAdapter();

/** Largest relative difference of a loss, and difference of a probability, between engines after two epochs. */
const TOLERANCE = 1e-4;
/** Of a GPU, whose exp, tanh and division are less exact than a processor's. */
const WEBGPU_TOLERANCE = 1e-3;

const plugins = [...corePlugins, ...dataPlugins, ...encoderPlugins, ...sdtPlugins, ...lmamPlugins];

function part<K extends Plugin["kind"]>(kind: K, name: string, options: object) {
  const plugin = plugins.find((each) => each.kind === kind && each.name === name) as unknown as Plugin<K>;
  return { plugin, options: plugin.options.parse(options) };
}

const METHODS = {
  sdt: {
    encoder: part("encoder", "sdt", { dim: 16, numHeads: 2 }),
    fusion: part("fusion", "sdt", {}),
    objective: part("objective", "self-distillation", {}),
  },
  lmam: {
    encoder: part("encoder", "transformer", { dim: 16, numHeads: 2 }),
    fusion: part("fusion", "lmam", { rank: 4 }),
    objective: part("objective", "cross-entropy", {}),
  },
  "bc-lstm": {
    encoder: part("encoder", "bc-lstm", { dim: 8 }),
    fusion: part("fusion", "lmam", {}),
    objective: part("objective", "cross-entropy", {}),
  },
  "dialogue-rnn": {
    encoder: part("encoder", "dialogue-rnn", { dim: 8, globalDim: 6, partyDim: 4 }),
    fusion: part("fusion", "lmam", { placement: "early-residual" }),
    objective: part("objective", "cross-entropy", {}),
  },
  "dialogue-gcn": {
    encoder: part("encoder", "dialogue-gcn", { dim: 8, past: 3 }),
    fusion: part("fusion", "lmam", { placement: "early" }),
    objective: part("objective", "cross-entropy", {}),
  },
  mmgcn: {
    encoder: part("encoder", "mmgcn", { dim: 8 }),
    fusion: part("fusion", "lmam", {}),
    objective: part("objective", "cross-entropy", {}),
  },
};

const ENGINES: Readonly<Record<string, () => Engine>> = {
  cpu: () => createEagerEngine("cpu"),
  wasm: () => createEagerEngine("wasm"),
  onnx: () => createOnnxEngine({ threads: 1 }),
};

interface Study {
  readonly dialogues: { readonly train: number; readonly valid: number; readonly test: number };
  readonly lengths: readonly [number, number];
  readonly batchSize: number;
}

const LARGE: Study = { dialogues: { train: 13, valid: 3, test: 5 }, lengths: [3, 9], batchSize: 5 };
/** Two steps an epoch of one shape, since a software adapter takes seconds for every graph. */
const SMALL: Study = { dialogues: { train: 4, valid: 2, test: 2 }, lengths: [4, 4], batchSize: 2 };

/** The plain objective of every other task. */
const TASKS = {
  sentiment: "huber",
  "emotion-set": "binary-cross-entropy",
} as const;

/** Dropout on, clipping on, a rate that changes: everything that a trial can have. */
async function train(
  method: keyof typeof METHODS,
  engine: Engine,
  { dialogues, lengths, batchSize }: Study,
  task?: keyof typeof TASKS,
) {
  const parts =
    task === undefined ? METHODS[method] : { ...METHODS[method], objective: part("objective", TASKS[task], {}) };
  const source = part("dataset", "synthetic", { task, seed: 3, dialogues, lengths });
  const { dataset }: LoadedDataset = await source.plugin.create(source.options, { dataRoot: undefined }).load();
  const options = trainerOptions.parse({ epochs: 2, batchSize, evaluationBatchSize: 4 });
  const optimizer = part("optimizer", "adam", {
    lr: 3e-3,
    maxGradientNorm: 1,
    schedule: { kind: "cosine", warmupEpochs: 1 },
  });
  await engine.start();
  const before = memory().numTensors;
  const outcome = await trainTrial(
    {
      model: createModel(parts, dataset),
      optimizer: optimizer.plugin.create(optimizer.options, {
        epochs: options.epochs,
        stepsPerEpoch: Math.ceil(dataset.splits.train.length / options.batchSize),
      }),
      engine,
      dataset,
      options,
      seed: 5,
    },
    () => {},
  );
  expect(memory().numTensors).toBe(before);
  await engine.dispose();
  return {
    losses: outcome.epochs.map(({ train: losses }) => losses),
    probabilities: outcome.testProbabilities.map((values) => [...values]),
  };
}

type Outcome = Awaited<ReturnType<typeof train>>;

function expectSameTraining(name: string, { losses, probabilities }: Outcome, expected: Outcome, tolerance: number) {
  losses.forEach((terms, epoch) => {
    expect(Object.keys(terms)).toEqual(Object.keys(expected.losses[epoch] ?? {}));
    for (const [term, value] of Object.entries(terms)) {
      const wanted = expected.losses[epoch]?.[term] ?? Number.NaN;
      expect(Math.abs(value - wanted), `${name}: ${term} of epoch ${epoch + 1}`).toBeLessThanOrEqual(
        tolerance * Math.max(1, Math.abs(wanted)),
      );
    }
  });
  const differences = probabilities.flatMap((values, epoch) =>
    values.map((value, i) => Math.abs(value - (expected.probabilities[epoch]?.[i] ?? Number.NaN))),
  );
  expect(Math.max(...differences), `${name}: predictions`).toBeLessThanOrEqual(tolerance);
}

describe.each(Object.keys(METHODS) as (keyof typeof METHODS)[])("a trial of %s", (method) => {
  it("has the same losses and predictions on every engine, and the same bits on one", async () => {
    const results = new Map<string, Outcome>();
    for (const [name, create] of Object.entries(ENGINES)) {
      const first = await train(method, create(), LARGE);
      results.set(name, first);
      if (name !== "cpu") {
        expect(await train(method, create(), LARGE), `${name} repeated`).toEqual(first);
      }
    }
    const reference = results.get("cpu") as Outcome;
    for (const [name, outcome] of results) {
      expectSameTraining(name, outcome, reference, TOLERANCE);
    }
  }, 300_000);

  it.skipIf(!adapter)(
    "has them on a GPU",
    async () => {
      const onGpu = () => train(method, createOnnxEngine({ threads: 1 }, "webgpu"), SMALL);
      const first = await onGpu();
      expect(await onGpu()).toEqual(first);
      for (const name of ["cpu", "wasm", "onnx"] as const) {
        const outcome = await train(method, (ENGINES[name] as () => Engine)(), SMALL);
        expectSameTraining(`onnx-webgpu and ${name}`, first, outcome, WEBGPU_TOLERANCE);
      }
    },
    300_000,
  );
});

describe.each(Object.keys(TASKS) as (keyof typeof TASKS)[])("a trial of another task, %s", (task) => {
  it("has the same losses and predictions on every engine", async () => {
    const outcomes: Outcome[] = [];
    for (const create of Object.values(ENGINES)) {
      outcomes.push(await train("lmam", create(), LARGE, task));
    }
    Object.keys(ENGINES).forEach((name, i) => {
      expectSameTraining(name, outcomes[i] as Outcome, outcomes[0] as Outcome, TOLERANCE);
    });
  }, 300_000);
});
