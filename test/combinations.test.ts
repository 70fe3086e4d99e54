// Every encoder with every fusion, objective and balancer: a few training steps where they fit, a reason where they do
// not; and the same losses on every engine.
import {
  createAdam,
  createEagerEngine,
  createRandomSource,
  type Dataset,
  type Engine,
  foldKey,
  initialParameters,
  keyFromSeed,
  type Parameters,
  type Plugin,
  type RandomSource,
} from "@merclab/core";
import { plugins as dataPlugins, packBatch } from "@merclab/data";
import { createOnnxEngine } from "@merclab/engine-onnx";
import { createModel, type TrainingBatch, type TrainState, trainableParameters, trainStep } from "@merclab/trainer";
import { dispose, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BALANCERS,
  COMBINATIONS,
  type Combination,
  ENCODERS,
  FUSIONS,
  OBJECTIVES,
  PAIRS,
} from "./support/combinations.ts";
import { ALL, partsOf } from "./support/contract.ts";

const STEPS = 2;
const TOLERANCE = 1e-4;

const tensorsOf = ({ parameters, optimizer }: TrainState): Tensor[] => [
  ...Object.values(parameters),
  ...Object.values(optimizer),
];

async function synthetic(options: Readonly<Record<string, unknown>>): Promise<Dataset> {
  const plugin = dataPlugins.find(({ name }) => name === "synthetic") as Plugin<"dataset">;
  const small = {
    dialogues: { train: 6, valid: 2, test: 2 },
    lengths: [2, 4],
    widths: { text: 8, audio: 6, visual: 5 },
  };
  return (await plugin.create(plugin.options.parse({ ...small, ...options }), { dataRoot: undefined }).load()).dataset;
}

/** Losses of a few steps with dropout, and the loss without it before and after them. */
async function train(combination: Combination, dataset: Dataset, engine: Engine) {
  const model = createModel(partsOf(combination), dataset);
  const optimizer = createAdam({
    lr: 0.01,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: 0,
    decay: "coupled",
    maxGradientNorm: null,
  });
  const key = keyFromSeed(1);
  const batch = packBatch(dataset.splits.train, dataset.modalities);
  const { inputs, targets } = batch;
  if (targets === undefined) {
    throw new Error("training dialogues have labels");
  }
  const lossOf = (values: Parameters): number =>
    tidy(() => model.loss(values, inputs, targets, {}).total.dataSync()[0] ?? Number.NaN);
  const step = engine.compile((state: TrainState, given: TrainingBatch, random: RandomSource) =>
    trainStep(model, optimizer, state, given, random),
  );
  const parameters = initialParameters(model.parameters, key);
  let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
  const before = lossOf(parameters);
  const losses: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const result = await step(state, { inputs, targets }, createRandomSource(foldKey(key, "step", i)));
    losses.push(result.losses.total?.dataSync()[0] ?? Number.NaN);
    const kept = new Set(tensorsOf(result.state));
    dispose(tensorsOf(state).filter((tensor) => !kept.has(tensor)));
    dispose({ ...result.losses });
    state = result.state;
  }
  const after = lossOf(state.parameters);
  batch.dispose();
  dispose(tensorsOf(state));
  return { losses, before, after };
}

const lossesOnWasm = new Map<string, readonly number[]>();

describe("combinations of encoder, fusion, objective and balancer", () => {
  const engine = createEagerEngine("wasm");
  let dataset: Dataset;
  beforeAll(async () => {
    await engine.start();
    dataset = await synthetic({});
  });

  it("name every encoder, fusion, objective and balancer that comes with merclab", () => {
    const named = (kind: string) => new Set(ALL.filter((plugin) => plugin.kind === kind).map(({ name }) => name));
    expect(new Set(ENCODERS.map(([name]) => name))).toEqual(named("encoder"));
    expect(new Set(FUSIONS.map(({ choice }) => choice[0]))).toEqual(named("fusion"));
    expect(new Set(OBJECTIVES.map(({ name }) => name))).toEqual(named("objective"));
    expect(new Set(BALANCERS)).toEqual(named("balancer"));
  });

  for (const combination of COMBINATIONS) {
    const { name, reason } = combination;
    if (reason === undefined) {
      it(`${name} trains`, async () => {
        const { losses, before, after } = await train(combination, dataset, engine);
        lossesOnWasm.set(name, losses);
        expect(after).toBeLessThan(before);
      });
    } else {
      it(`${name} is refused`, () => {
        expect(() => createModel(partsOf(combination), dataset)).toThrow(reason);
      });
    }
  }
});

describe("dialogues of one speaker", () => {
  const engine = createEagerEngine("wasm");
  let dataset: Dataset;
  beforeAll(async () => {
    await engine.start();
    const two = await synthetic({});
    const train = two.splits.train.map((dialogue) => ({ ...dialogue, speakers: dialogue.speakers.map(() => 0) }));
    dataset = { ...two, numSpeakers: 1, splits: { ...two.splits, train } };
  });

  for (const encoder of ENCODERS) {
    it(`are what ${JSON.stringify(encoder)} trains on`, async () => {
      const name = "of one speaker";
      const { before, after } = await train({ name, encoder, fusion: ["concat"], reason: undefined }, dataset, engine);
      expect(after).toBeLessThan(before);
    });
  }
});

describe.each([
  ["cpu", () => createEagerEngine("cpu")],
  ["onnx", () => createOnnxEngine({ threads: 1 })],
] as const)("on %s", (_, create) => {
  const engine = create();
  let dataset: Dataset;
  beforeAll(async () => {
    await engine.start();
    dataset = await synthetic({});
  });
  afterAll(() => engine.dispose());

  for (const combination of PAIRS) {
    it(`${combination.name} has the losses of wasm`, async () => {
      const { losses } = await train(combination, dataset, engine);
      losses.forEach((loss, i) => {
        const wanted = lossesOnWasm.get(combination.name)?.[i] ?? Number.NaN;
        expect(Math.abs(loss - wanted), `step ${i}: ${loss} and ${wanted}`).toBeLessThanOrEqual(
          TOLERANCE * Math.max(1, Math.abs(wanted)),
        );
      });
    });
  }
});

describe.each([
  ["humour", "single-label"],
  ["sentiment", "regression"],
  ["emotion-set", "multi-label"],
] as const)("the task %s", (task, type) => {
  const engine = createEagerEngine("wasm");
  let dataset: Dataset;
  beforeAll(async () => {
    await engine.start();
    dataset = await synthetic({ task });
  });
  const combinations = OBJECTIVES.flatMap(({ name: objective }) =>
    BALANCERS.map((balancer) => {
      const misfit = (
        [
          ["objective", objective],
          ["balancer", balancer],
        ] as const
      ).find(([kind, name]) => {
        const plugin = ALL.find((each) => each.kind === kind && each.name === name) as Plugin<"objective" | "balancer">;
        return !(plugin.tasks ?? ["single-label"]).includes(type);
      });
      const parts = {
        encoder: ["linear", { dim: 8 }],
        fusion: ["ada2i", { variant: "as-described", rank: 2 }],
      } as const;
      const name = `${objective} + ${balancer}`;
      return { ...parts, name, misfit, objective: [objective] as const, balancer: [balancer] as const };
    }),
  ).filter(({ objective: [name] }) => name !== "hierarchical-distillation"); // needs distributions, which Ada2I has not

  it.each(combinations)("with $name trains, or is refused with the reason", async ({ misfit, ...combination }) => {
    if (misfit === undefined) {
      const { before, after } = await train({ ...combination, reason: undefined }, dataset, engine);
      expect(after).toBeLessThan(before);
    } else {
      const [kind, name] = misfit;
      const model = () => createModel(partsOf(combination), dataset);
      expect(model).toThrow(new RegExp(`^${kind} ${name} is for .* tasks; this one is ${type}$`));
    }
  });
});
