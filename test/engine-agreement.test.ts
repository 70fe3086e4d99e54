// One trial on every engine: the same losses and scores, and the same bits when it is repeated on one.
import { corePlugins, createEagerEngine, type Engine, type LoadedDataset, type Plugin } from "@merclab/core";
import { plugins as dataPlugins } from "@merclab/data";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { createOnnxEngine } from "@merclab/engine-onnx";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { createModel, trainerOptions, trainTrial } from "@merclab/trainer";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

/** Largest relative difference of a loss, and difference of a probability, between engines after two epochs. */
const TOLERANCE = 1e-4;

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
};

const ENGINES: Readonly<Record<string, () => Engine>> = {
  cpu: () => createEagerEngine("cpu"),
  wasm: () => createEagerEngine("wasm"),
  onnx: () => createOnnxEngine({ threads: 1 }),
};

/** The plain objective of every other task. */
const TASKS = {
  sentiment: "huber",
  "emotion-set": "binary-cross-entropy",
} as const;

/** Dropout on, clipping on, a rate that changes: everything that a trial can have. */
async function train(method: keyof typeof METHODS, engine: Engine, task?: keyof typeof TASKS) {
  const parts =
    task === undefined ? METHODS[method] : { ...METHODS[method], objective: part("objective", TASKS[task], {}) };
  const source = part("dataset", "synthetic", {
    task,
    seed: 3,
    dialogues: { train: 13, valid: 3, test: 5 },
    lengths: [3, 9],
  });
  const { dataset }: LoadedDataset = await source.plugin.create(source.options, { dataRoot: undefined }).load();
  const options = trainerOptions.parse({ epochs: 2, batchSize: 5, evaluationBatchSize: 4 });
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

type Trained = Awaited<ReturnType<typeof train>>;

function expectAgreement(results: ReadonlyMap<string, Trained>): void {
  const reference = results.get("cpu");
  for (const [name, { losses, probabilities }] of results) {
    losses.forEach((terms, epoch) => {
      for (const [term, value] of Object.entries(terms)) {
        const expected = reference?.losses[epoch]?.[term] ?? Number.NaN;
        expect(Math.abs(value - expected), `${name}: ${term} of epoch ${epoch + 1}`).toBeLessThanOrEqual(
          TOLERANCE * Math.max(1, Math.abs(expected)),
        );
      }
    });
    const differences = probabilities.flatMap((values, epoch) =>
      values.map((value, i) => Math.abs(value - (reference?.probabilities[epoch]?.[i] ?? Number.NaN))),
    );
    expect(Math.max(...differences), `${name}: predictions`).toBeLessThanOrEqual(TOLERANCE);
  }
}

describe.each(Object.keys(METHODS) as (keyof typeof METHODS)[])("a trial of %s", (method) => {
  it("has the same losses and predictions on every engine, and the same bits on one", async () => {
    const results = new Map<string, Trained>();
    for (const [name, create] of Object.entries(ENGINES)) {
      const first = await train(method, create());
      results.set(name, first);
      if (name !== "cpu") {
        expect(await train(method, create()), `${name} repeated`).toEqual(first);
      }
    }
    expectAgreement(results);
  }, 300_000);
});

describe.each(Object.keys(TASKS) as (keyof typeof TASKS)[])("a trial of another task, %s", (task) => {
  it("has the same losses and predictions on every engine", async () => {
    const results = new Map<string, Trained>();
    for (const [name, create] of Object.entries(ENGINES)) {
      results.set(name, await train("lmam", create(), task));
    }
    expectAgreement(results);
  }, 300_000);
});
