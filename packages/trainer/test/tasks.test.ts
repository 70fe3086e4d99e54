// Tasks other than single-label classes: what fits them, what is learned, and which epoch is chosen.
import { corePlugins, createEagerEngine, type Plugin, type Task } from "@merclab/core";
import { plugins as dataPlugins } from "@merclab/data";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as ada2iPlugins } from "@merclab/fusion-ada2i";
import { plugins as cmathPlugins } from "@merclab/fusion-cmath";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { describe, expect, it } from "vitest";
import { createModel, selectionMetric, trainerOptions, trainTrial } from "../src/index.ts";

const plugins = [...corePlugins, ...dataPlugins, ...encoderPlugins, ...sdtPlugins, ...ada2iPlugins, ...cmathPlugins];

function part<K extends Plugin["kind"]>(kind: K, name: string, options: object = {}) {
  const plugin = plugins.find((each) => each.kind === kind && each.name === name) as unknown as Plugin<K>;
  return { plugin, options: plugin.options.parse(options) };
}

const PLAIN = { sentiment: "l1", "emotion-set": "binary-cross-entropy", humour: "cross-entropy" } as const;

async function load(task: keyof typeof PLAIN) {
  const { plugin, options } = part("dataset", "synthetic", {
    task,
    dialogues: { train: 30, valid: 6, test: 6 },
    lengths: [3, 8],
  });
  return (await plugin.create(options, { dataRoot: undefined }).load()).dataset;
}

const model = (dataset: Awaited<ReturnType<typeof load>>, objective: string, more: object = {}) =>
  createModel(
    {
      encoder: part("encoder", "linear", { dim: 8, dropout: 0 }),
      fusion: part("fusion", "sdt"),
      objective: part("objective", objective),
      ...more,
    },
    dataset,
  );

const trainedWith = {
  sentiment: ["l1", "mse", "huber"],
  "emotion-set": ["binary-cross-entropy"],
  humour: ["cross-entropy"],
} as const;

describe.each(Object.keys(PLAIN) as (keyof typeof PLAIN)[])("%s", (task) => {
  it.each(trainedWith[task])("is learned with %s", async (objective) => {
    const dataset = await load(task);
    const engine = createEagerEngine("wasm");
    await engine.start();
    const options = trainerOptions.parse({ epochs: 6, batchSize: 6 });
    const optimizer = part("optimizer", "adam", { lr: 2e-2 });
    const { epochs, selectedEpoch, testProbabilities } = await trainTrial(
      {
        model: model(dataset, objective),
        optimizer: optimizer.plugin.create(optimizer.options, { epochs: 6, stepsPerEpoch: 5 }),
        engine,
        dataset,
        options,
        seed: 1,
      },
      () => {},
    );
    await engine.dispose();
    expect(epochs.at(-1)?.train.total).toBeLessThan(0.85 * (epochs[0]?.train.total ?? 0));
    const metric = selectionMetric(options, dataset.task);
    const values = epochs.map(({ valid }) => valid[metric] ?? Number.NaN);
    const best = metric === "mae" ? Math.min(...values) : Math.max(...values);
    expect(selectedEpoch).toBe(values.indexOf(best) + 1);
    const outputs = [...(testProbabilities[0] ?? [])];
    const width = { sentiment: 1, "emotion-set": 4, humour: 2 }[task];
    const utterances = dataset.splits.test.reduce((sum, { speakers }) => sum + speakers.length, 0);
    expect(outputs).toHaveLength(width * utterances);
    expect(outputs.every((value) => value > 0 && value < 1)).toBe(task !== "sentiment");
  });
});

describe("what has no meaning for a task is refused", () => {
  it.each([
    ["cross-entropy", "sentiment", "objective=l1"],
    ["self-distillation", "sentiment", "objective=l1"],
    ["hierarchical-distillation", "emotion-set", "objective=binary-cross-entropy"],
    ["modal-cross-entropy", "sentiment", "objective=l1"],
    ["l1", "humour", "objective=cross-entropy"],
    ["binary-cross-entropy", "sentiment", "objective=l1"],
  ] as const)("objective %s for %s", async (objective, task, hint) => {
    const dataset = await load(task);
    expect(() => model(dataset, objective)).toThrow(
      expect.objectContaining({
        code: "combination",
        message: expect.stringMatching(
          new RegExp(`^objective ${objective} is for .* this one is ${dataset.task.type}$`),
        ),
        hint: expect.stringContaining(hint),
      }),
    );
  });

  it.each(["ogm-ge", "disparity-ratio"])("balancer %s for scores", async (name) => {
    const dataset = await load("sentiment");
    expect(() => model(dataset, "l1", { balancer: part("balancer", name) })).toThrow(
      expect.objectContaining({
        message: `balancer ${name} is for single-label tasks; this one is regression`,
        hint: "Leave the gradients alone with balancer=none.",
      }),
    );
    expect(() => model(dataset, "l1", { balancer: part("balancer", "none") })).not.toThrow();
  });

  it("Ada2I's weighting over the outputs where there is one output", async () => {
    const dataset = await load("sentiment");
    const withWeighting = (weighting: string) =>
      model(dataset, "l1", {
        encoder: part("encoder", "ada2i", { dim: 8, numHeads: 2 }),
        fusion: part("fusion", "ada2i", { weighting }),
      });
    expect(() => withWeighting("channel")).toThrow(/only their signs would be left/);
    expect(() => withWeighting("cosine")).not.toThrow();
    expect(() => withWeighting("none")).not.toThrow();
  });
});

describe("the metric that chooses the epoch", () => {
  const regression: Task = { type: "regression", range: [-3, 3] };

  it("is the task's own unless another of its metrics is named", () => {
    expect(selectionMetric({ selectBy: null }, regression)).toBe("mae");
    expect(selectionMetric({ selectBy: "pearson-r" }, regression)).toBe("pearson-r");
    expect(selectionMetric({ selectBy: null }, { type: "multi-label", labels: ["a"], threshold: 0.5 })).toBe(
      "macro-f1",
    );
    expect(selectionMetric({ selectBy: null }, { type: "single-label", classes: ["a", "b"] })).toBe("weighted-f1");
  });

  it("must belong to the task, and to its scale", () => {
    expect(() => selectionMetric({ selectBy: "accuracy" }, regression)).toThrow(
      expect.objectContaining({ code: "config", hint: expect.stringContaining("without selectBy it is mae") }),
    );
    expect(() => selectionMetric({ selectBy: "acc-7" }, { type: "regression", range: [0, 1] })).toThrow(/acc-7/);
  });
});
