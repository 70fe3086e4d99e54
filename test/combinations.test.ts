// Every encoder with every fusion and objective: a few training steps where they fit, a reason where they do not.
import {
  corePlugins,
  createAdam,
  createEagerEngine,
  createRandomSource,
  type Dataset,
  foldKey,
  initialParameters,
  keyFromSeed,
  type Plugin,
} from "@merclab/core";
import { plugins as dataPlugins, packBatch } from "@merclab/data";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { createModel, type ModelParts, type TrainState, trainableParameters, trainStep } from "@merclab/trainer";
import { beforeAll, describe, expect, it } from "vitest";

const ALL: readonly Plugin[] = [...corePlugins, ...dataPlugins, ...encoderPlugins, ...sdtPlugins, ...lmamPlugins];

function find(kind: string, name: string): Plugin {
  const plugin = ALL.find((each) => each.kind === kind && each.name === name);
  if (plugin === undefined) {
    throw new Error(`no ${kind} ${name}`);
  }
  return plugin;
}

function part<K extends "encoder" | "fusion" | "objective">(kind: K, name: string, options: object): ModelParts[K] {
  const plugin = find(kind, name);
  return { plugin, options: plugin.options.parse(options) } as ModelParts[K];
}

const ENCODERS = [
  ["linear", { dim: 8 }],
  ["transformer", { dim: 8, numHeads: 2 }],
  ["sdt", { dim: 8, numHeads: 2 }],
] as const;
const FUSIONS = [
  ["sdt", {}],
  ["lmam", { rank: 2 }],
  ["lmam", {}],
  ["lmam", { variant: "as-described", rank: 2 }],
] as const;
const OBJECTIVES = ["cross-entropy", "self-distillation"] as const;

const COMBINATIONS = ENCODERS.flatMap(([encoder, encoderOptions]) =>
  FUSIONS.flatMap(([fusion, fusionOptions]) =>
    OBJECTIVES.map((objective) => ({
      name: `${encoder} + ${fusion} ${JSON.stringify(fusionOptions)} + ${objective}`,
      legal: !(fusion === "lmam" && objective === "self-distillation"),
      parts: {
        encoder: part("encoder", encoder, encoderOptions),
        fusion: part("fusion", fusion, fusionOptions),
        objective: part("objective", objective, {}),
      },
    })),
  ),
);

describe("combinations of encoder, fusion and objective", () => {
  let dataset: Dataset;

  beforeAll(async () => {
    await createEagerEngine("wasm").start();
    const synthetic = find("dataset", "synthetic") as Plugin<"dataset">;
    const options = synthetic.options.parse({ dialogues: { train: 8, valid: 2, test: 2 } });
    ({ dataset } = await synthetic.create(options, { dataRoot: undefined }).load());
  });

  it.each(COMBINATIONS.filter(({ legal }) => legal))("$name trains", ({ parts }) => {
    const model = createModel(parts, dataset);
    const optimizer = createAdam({
      lr: 0.01,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0,
      decay: "coupled",
      maxGradientNorm: null,
    });
    const key = keyFromSeed(1);
    const { inputs, targets } = packBatch(dataset.splits.train, dataset.modalities);
    if (targets === undefined) {
      throw new Error("training dialogues have labels");
    }
    const parameters = initialParameters(model.parameters, key);
    const initial = model.loss(parameters, inputs, targets, {}).total.dataSync()[0] ?? Number.NaN;
    let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
    for (let step = 0; step < 4; step++) {
      const random = createRandomSource(foldKey(key, "step", step));
      ({ state } = trainStep(model, optimizer, state, { inputs, targets }, random));
    }
    const trained = model.loss(state.parameters, inputs, targets, {}).total.dataSync()[0] ?? Number.NaN;
    expect(trained).toBeLessThan(initial);
  });

  it.each(COMBINATIONS.filter(({ legal }) => !legal))("$name is refused with the reason", ({ parts }) => {
    expect(() => createModel(parts, dataset)).toThrow(
      "objective self-distillation needs per-modality streams; fusion lmam gives none",
    );
  });
});
