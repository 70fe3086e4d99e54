// Every encoder with every fusion, objective and balancer: a few training steps where they fit, a reason where they do
// not. What fits is told by what the parts say they give and need, written down here a second time.
import {
  createAdam,
  createEagerEngine,
  createRandomSource,
  type Dataset,
  foldKey,
  initialParameters,
  keyFromSeed,
  type Parameters,
  type Plugin,
} from "@merclab/core";
import { plugins as dataPlugins, packBatch } from "@merclab/data";
import { createModel, type TrainState, trainableParameters, trainStep } from "@merclab/trainer";
import { dispose, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { ALL, type ModelChoice, partsOf } from "./support/contract.ts";

type Options = Readonly<Record<string, unknown>>;
type Choice = readonly [string, Options];

const ENCODERS: readonly Choice[] = [
  ["linear", { dim: 8 }],
  ["transformer", { dim: 8, numHeads: 2 }],
  ["sdt", { dim: 8, numHeads: 2 }],
  ["ada2i", { dim: 8, feedForwardDim: 8 }],
  ["ada2i", { dim: 8, kind: "lstm" }],
  ["cmath", { dim: 8 }],
  ["bc-lstm", { dim: 8 }],
  ["dialogue-rnn", { dim: 8, globalDim: 4, partyDim: 4 }],
  ["dialogue-gcn", { dim: 8 }],
  ["mmgcn", { dim: 8 }],
];

/** Recurrent and graph encoders train with every fusion, and with every balancer once; the rest is told by refusals. */
const HOSTS = ["bc-lstm", "dialogue-rnn", "dialogue-gcn", "mmgcn"];

/** Encoders with one stream of all modalities. */
const JOINT = ["dialogue-rnn", "dialogue-gcn"];

/** Why a fusion cannot stand behind an encoder. */
function misfit([encoder]: Choice, { choice: [fusion, { placement }] }: FusionChoice): string | undefined {
  if (!JOINT.includes(encoder)) {
    return undefined;
  }
  if (fusion === "lmam" && placement === undefined) {
    return "this encoder gives one stream of all of them (joint)";
  }
  return fusion === "cross-attention" ? "fusion cross-attention needs two modalities" : undefined;
}

interface FusionChoice {
  readonly choice: Choice;
  readonly streams?: boolean;
  /** It can tell what it makes of one modality alone. */
  readonly alone?: boolean;
  readonly latent?: boolean;
  readonly auxiliary?: boolean;
}

const FUSIONS: readonly FusionChoice[] = [
  { choice: ["sdt", {}], streams: true, alone: true },
  { choice: ["lmam", { rank: 2 }] },
  { choice: ["lmam", {}] },
  { choice: ["lmam", { variant: "as-described", rank: 2 }] },
  { choice: ["lmam", { rank: 2, placement: "early-residual" }] },
  { choice: ["ada2i", { rank: 2 }], streams: true, alone: true },
  { choice: ["ada2i", { variant: "as-described", rank: 2 }], streams: true, alone: true, auxiliary: true },
  { choice: ["cmath", { numHeads: 2 }], streams: true, latent: true },
  { choice: ["cmath", { numHeads: 2, fusion: "poe" }], streams: true, alone: true, latent: true },
  { choice: ["cmath", { numHeads: 2, fusion: "deterministic" }], streams: true },
  { choice: ["concat", {}], streams: true, alone: true },
  { choice: ["sum", {}], streams: true, alone: true },
  { choice: ["gated", {}], streams: true, alone: true },
  { choice: ["tfn", { modalityDim: 2 }], streams: true, alone: true },
  { choice: ["lmf", { rank: 2 }], streams: true, alone: true },
  { choice: ["cross-attention", { numHeads: 2 }], streams: true, alone: true },
  { choice: ["self-attention", { numHeads: 2 }], streams: true, alone: true },
];

const OBJECTIVES: readonly {
  readonly name: string;
  readonly needs: readonly ("streams" | "latent" | "auxiliary")[];
}[] = [
  { name: "cross-entropy", needs: [] },
  { name: "self-distillation", needs: ["streams"] },
  { name: "hierarchical-distillation", needs: ["streams", "latent"] },
  { name: "modal-cross-entropy", needs: ["auxiliary"] },
];
const BALANCERS = ["none", "ogm-ge", "disparity-ratio"] as const;

const REASONS = {
  streams: "per-modality streams",
  latent: "latent distributions",
  auxiliary: "auxiliary logits",
} as const;

interface Combination extends ModelChoice {
  readonly name: string;
  /** Why it is refused; undefined where it is not. */
  readonly reason: string | undefined;
}

const tensorsOf = ({ parameters, optimizer }: TrainState): Tensor[] => [
  ...Object.values(parameters),
  ...Object.values(optimizer),
];

const isTrained = ({ encoder: [encoder], fusion: [fusion], objective, balancer, reason }: Combination): boolean =>
  !HOSTS.includes(encoder) ||
  reason !== undefined ||
  (objective?.[0] === "cross-entropy" && (balancer?.[0] === "none" || fusion === "concat"));

const COMBINATIONS: readonly Combination[] = ENCODERS.flatMap((encoder) =>
  FUSIONS.flatMap((fusion) =>
    OBJECTIVES.flatMap(({ name: objective, needs }) =>
      BALANCERS.map((balancer): Combination => {
        const [fusionName] = fusion.choice;
        const lacking = needs.find((need) => fusion[need] !== true);
        const reason =
          misfit(encoder, fusion) ??
          (lacking !== undefined
            ? `objective ${objective} needs ${REASONS[lacking]}; fusion ${fusionName} gives none`
            : balancer !== "none" && fusion.alone !== true
              ? `balancer ${balancer} needs what the classifier makes of one modality alone; fusion ${fusionName} cannot tell`
              : balancer !== "none" && JOINT.includes(encoder[0])
                ? `balancer ${balancer} needs encoder parameters that serve one modality alone; encoder ${encoder[0]} has none for joint`
                : undefined);
        return {
          name: `${encoder.map((x) => JSON.stringify(x)).join(" ")} + ${JSON.stringify(fusion.choice)} + ${objective} + ${balancer}`,
          reason,
          encoder,
          fusion: fusion.choice,
          objective: [objective],
          balancer: [balancer],
        };
      }),
    ),
  ),
).filter(isTrained);

describe("combinations of encoder, fusion, objective and balancer", () => {
  let dataset: Dataset;

  beforeAll(async () => {
    await createEagerEngine("wasm").start();
    const synthetic = dataPlugins.find(({ name }) => name === "synthetic") as Plugin<"dataset">;
    const options = synthetic.options.parse({
      dialogues: { train: 6, valid: 2, test: 2 },
      lengths: [2, 4],
      widths: { text: 8, audio: 6, visual: 5 },
    });
    ({ dataset } = await synthetic.create(options, { dataRoot: undefined }).load());
  });

  it("name every encoder, fusion, objective and balancer that comes with merclab", () => {
    const named = (kind: string) => ALL.filter((plugin) => plugin.kind === kind).map(({ name }) => name);
    expect(new Set(ENCODERS.map(([name]) => name))).toEqual(new Set(named("encoder")));
    expect(new Set(FUSIONS.map(({ choice }) => choice[0]))).toEqual(new Set(named("fusion")));
    expect(new Set(OBJECTIVES.map(({ name }) => name))).toEqual(new Set(named("objective")));
    expect(new Set(BALANCERS)).toEqual(new Set(named("balancer")));
  });

  it.each(COMBINATIONS.filter(({ reason }) => reason === undefined))("$name trains", (combination) => {
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
    const parameters = initialParameters(model.parameters, key);
    const lossOf = (values: Parameters): number =>
      tidy(() => model.loss(values, inputs, targets, {}).total.dataSync()[0] ?? Number.NaN);
    const initial = lossOf(parameters);
    let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
    for (let step = 0; step < 3; step++) {
      const random = createRandomSource(foldKey(key, "step", step));
      const before = state;
      state = tidy(() => {
        const { parameters: next, optimizer: moments } = trainStep(
          model,
          optimizer,
          before,
          { inputs, targets },
          random,
        ).state;
        return { parameters: { ...next }, optimizer: { ...moments } };
      });
      const kept = new Set(tensorsOf(state));
      dispose(tensorsOf(before).filter((tensor) => !kept.has(tensor)));
    }
    const trained = lossOf(state.parameters);
    expect(trained).toBeLessThan(initial);
    batch.dispose();
    dispose(tensorsOf(state));
  });

  it.each(COMBINATIONS.filter(({ reason }) => reason !== undefined))("$name is refused", (combination) => {
    expect(() => createModel(partsOf(combination), dataset)).toThrow(combination.reason);
  });
});
