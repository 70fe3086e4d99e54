// Ada2I against the official model: activations, losses, gradients and an optimiser step of a tiny configuration,
// computed by the official PyTorch code in float64 (values from the notes on the paper's code).
import {
  clipByGlobalNorm,
  createAdam,
  createEagerEngine,
  createRandomSource,
  encodeSafetensors,
  globalNorm,
  type HostTensor,
  type Inputs,
  keyFromSeed,
  type Parameters,
  parametersFromArrays,
  parseSafetensors,
  type RandomSource,
  type Targets,
  valueAndGradients,
  withVisiblePadding,
} from "@merclab/core";
import { createOnnxEngine } from "@merclab/engine-onnx";
import {
  ada2iEncoderOptions,
  ada2iFusionOptions,
  createAda2iEncoder,
  createAda2iFusion,
  officialNumHeads,
  pooledCores,
  weighFeatures,
} from "@merclab/fusion-ada2i";
import { assembleModel, type TrainState, trainStep } from "@merclab/trainer";
import { logSoftmax, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type GoldenVariant,
  goldenBatch,
  goldenModel,
  goldenParameters,
  type Letters,
  NAMES,
  partOf,
} from "./support/ada2i-golden.ts";

/** 1e-5 relative, plus the rounding of the printed decimals. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[], decimals = 6): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    const difference = Math.abs((actual[i] ?? Number.NaN) - value);
    const bound = 1e-5 * Math.abs(value) + 10 ** -decimals;
    expect(difference, `${actual[i]} against ${value} at ${i}`).toBeLessThanOrEqual(bound);
  });
}

const values = (x: Tensor): number[] => Array.from(x.dataSync());
const row = (x: Tensor2D, at: number): number[] => (x.arraySync() as number[][])[at] ?? [];

const ENCODED: Readonly<Record<string, readonly number[]>> = {
  "a 0": [0.31178, 0.30954, -0.516739, 0.026098, 0.523777, -0.371125],
  "a 4": [0.353701, 0.153152, -0.472595, 0.158193, 0.406938, -0.43892], // padding, which the code does not mask
  "t 0": [0.560448, -0.575076, -0.542049, 0.589861, 0.514757, -0.592538],
  "v 0": [0.253719, 0.26927, -0.245931, -0.286542, 0.20456, 0.260138],
};

const CORES: Readonly<Record<string, readonly number[]>> = {
  a: [0.21158, 0.186362, -0.070651, -0.483069, -0.292182, 0.183195, 0.078037, 0.013256, -0.035156],
  t: [-0.153152, 3.970579, -0.35331, -0.274868, -1.746329, 0.440069, 0.131685, -5.356141, 0.538913],
  v: [0.040484, 0.033366, -0.071565, -0.029775, -0.02215, 0.049881, -0.020583, -0.017809, 0.036917],
};

const WEIGHED: readonly Readonly<Record<string, readonly number[]>>[] = [
  {
    a: [0.136815, 0.245626, -0.479233, 0.011816, 0.377443, -0.259301],
    t: [0.370051, -0.544547, -0.288137, 0.314724, 0.508477, -0.3643],
    v: [0.223388, 0.139281, -0.148967, -0.256739, 0.148298, 0.141294],
  },
  {
    a: [0.088074, 0.221719, -0.334009, 0.005962, 0.282552, -0.229547],
    t: [0.332783, -0.371727, -0.144859, 0.242887, 0.444761, -0.213906],
    v: [0.148453, 0.07057, -0.117856, -0.221864, 0.084691, 0.080029],
  },
];

const MAPPING_LOSSES = [0.47245423, 0.38539832];

const LOG_PROBABILITIES = [
  [-1.964814, -2.444356, -2.356387, -2.180899, -1.73263, -0.945422],
  [-2.245238, -2.664248, -2.422993, -2.097974, -1.598077, -0.889648],
  [-2.022163, -2.490417, -2.37085, -2.163346, -1.702803, -0.930789],
  [-3.093271, -3.614539, -3.090266, -2.275146, -1.386638, -0.635763],
  [-3.287838, -3.901375, -3.357359, -2.422914, -1.390627, -0.562045],
  [-3.208012, -3.782408, -3.245293, -2.359445, -1.386855, -0.591483],
  [-2.26081, -2.160121, -1.725465, -1.655111, -1.697604, -1.477796],
  [-3.002104, -3.669776, -3.258758, -2.452437, -1.462732, -0.564379],
];

const PARTS = ["all", "a", "t", "v", "AFW", "head"] as const;
const GRADIENT_NORMS = {
  raw: [20.389841, 17.133661, 9.089209, 6.057793, 0.919009, 1.424123],
  clipped: [2, 1.680608, 0.891543, 0.594197, 0.090144, 0.139689],
  modulated: [1.812723, 1.680608, 0.550073, 0.362361, 0.090144, 0.139689],
};

interface Variant extends GoldenVariant {
  readonly name: string;
  readonly nll: number;
  readonly feature: number;
  readonly ratios: readonly number[];
  readonly first: readonly number[];
}

const FULL_RATIOS = [1, 1.00895723, 1.02999323];
const VARIANTS: readonly Variant[] = [
  {
    name: "AMW off",
    fusion: { weighting: "none" },
    nll: 1.8552657,
    feature: 0.8578525,
    ratios: FULL_RATIOS,
    first: [-1.866646, -1.897677, -1.710983, -1.848714, -1.928402, -1.55148],
  },
  {
    name: "AFW off",
    fusion: { layers: 0 },
    nll: 1.8601232,
    feature: 0,
    ratios: [1.1446791, 1, 1.0597687],
    first: [-2.940706, -2.557324, -1.730472, -1.040567, -1.395812, -2.39062],
  },
  {
    name: "both off",
    fusion: { layers: 0, weighting: "none" },
    nll: 1.7734234,
    feature: 0,
    ratios: [1.1446791, 1, 1.0597687],
    first: [-2.188412, -2.282915, -1.904744, -1.351818, -1.446097, -1.946303],
  },
  {
    name: "LSTM encoder",
    encoder: { kind: "lstm" },
    nll: 1.761778,
    feature: 0.3090295,
    ratios: [1.0094564, 1, 1.0092526],
    first: [-1.713954, -1.805181, -1.676565, -1.517507, -1.887297, -2.326372],
  },
  {
    name: "atv, smaller ranks",
    gamma: 1.2,
    nll: 2.2838901,
    feature: 0.8757487,
    ratios: [1, 1.0016972, 1.0183255],
    first: [-1.839662, -2.391444, -2.394811, -2.272248, -1.805172, -0.939265],
  },
  {
    name: "at",
    letters: ["a", "t"],
    gamma: 1.2,
    nll: 1.7869411,
    feature: 1.1241065,
    ratios: [1, 1.0570873],
    first: [-1.99499, -1.880734, -1.449428, -1.624917, -2.095672, -1.852231],
  },
  {
    name: "tv",
    letters: ["t", "v"],
    gamma: 1.2,
    nll: 2.2683916,
    feature: 0.8913557,
    ratios: [1.015828, 1],
    first: [-2.054925, -1.117493, -2.695547, -3.775996, -2.274226, -1.045538],
  },
  {
    name: "av",
    letters: ["a", "v"],
    gamma: 1.2,
    nll: 1.94483,
    feature: 0.8081229,
    ratios: [1.0326307, 1],
    first: [-1.13913, -2.556259, -3.077622, -1.760501, -1.217836, -2.425757],
  },
  {
    name: "t",
    letters: ["t"],
    gamma: 1.2,
    nll: 1.843598,
    feature: 1.2550408,
    ratios: [1],
    first: [-1.927356, -2.631635, -1.139175, -2.54747, -1.682257, -1.618527],
  },
];

describe.each([
  ["cpu", () => createEagerEngine("cpu")],
  ["wasm", () => createEagerEngine("wasm")],
  ["onnx", () => createOnnxEngine({ threads: 1 })],
] as const)("Ada2I on the %s engine", (_engineName, createEngine) => {
  const engine = createEngine();
  beforeAll(() => engine.start());
  afterAll(() => engine.dispose());

  const random = createRandomSource(keyFromSeed(0)); // nothing is drawn: no dropout, no noise
  const setup = (variant: GoldenVariant = {}) => {
    const made = goldenModel(variant);
    return {
      ...made,
      parameters: goldenParameters(made.model.parameters, variant.gamma),
      ...goldenBatch(variant.letters),
    };
  };
  /** Losses of training mode, ratios and log-probabilities. */
  const evaluate = async (variant: GoldenVariant) => {
    const { model, parameters, inputs, targets } = setup(variant);
    const run = engine.compile((p: Parameters, batch: Inputs, wanted: Targets, source: RandomSource) => {
      const { unimodal = {}, total, terms } = model.loss(p, batch, wanted, { random: source });
      const { shown } = model.balancer.balance(p, { unimodal, targets: wanted }, {});
      return { total, terms, shown, logProbabilities: logSoftmax(model.logits(p, batch, {})) };
    });
    return run(parameters, inputs, targets, random);
  };

  it("reproduces encoders, pooled cores and both layers of adaptive feature weighting", async () => {
    const { encoder, fusion, parameters, inputs } = setup();
    const options = ada2iFusionOptions.parse({ rank: 3, dropout: 0 });
    const run = engine.compile((p: Parameters, batch: Inputs, source: RandomSource) => {
      const seen = withVisiblePadding(batch);
      const observed = { modalities: encoder.modalities, present: seen.present, layout: seen.layout };
      const encoded = encoder.apply(p, seen, {});
      const context = { random: source };
      const first = weighFeatures(p, "net.mmt.layers.0", encoded, observed, options, context);
      const second = weighFeatures(p, "net.mmt.layers.1", first.streams, observed, options, context);
      const cores = pooledCores(p, "net.mmt.layers.0", encoded, observed, options);
      const losses = [first.loss as Tensor, second.loss as Tensor];
      return { encoded, cores, weighed: [{ ...first.streams }, { ...second.streams }], losses };
    });
    const found = await run(parameters, inputs, random);
    expect(fusion.dim).toBe(18);
    for (const [key, expected] of Object.entries(ENCODED)) {
      const [letter = "", time] = key.split(" ");
      expectClose(row(found.encoded[NAMES[letter as Letters]] as Tensor2D, Number(time)), expected);
    }
    Object.values(CORES).forEach((expected, j) => {
      expectClose(values(found.cores[j] as Tensor).slice(0, 9), expected);
    });
    WEIGHED.forEach((layer, l) => {
      for (const [letter, expected] of Object.entries(layer)) {
        expectClose(row(found.weighed[l]?.[NAMES[letter as Letters]] as Tensor2D, 0), expected);
      }
    });
    expectClose(
      found.losses.map((loss) => values(loss)[0] ?? Number.NaN),
      MAPPING_LOSSES,
      8,
    );
  });

  it("shows the weights of its last layer in evaluation, and nothing in training", async () => {
    const { model, encoder, fusion, parameters, inputs } = setup();
    const shown = await engine.compile((p: Parameters, batch: Inputs) => ({ ...model.shown(p, batch) }))(
      parameters,
      inputs,
    );
    const letters = Object.keys(WEIGHED[0] ?? {}) as Letters[];
    expect(Object.keys(shown)).toEqual(letters.map((letter) => `gate.${NAMES[letter]}`));
    for (const letter of letters) {
      const theta = row(shown[`gate.${NAMES[letter]}`] as Tensor2D, 0);
      const factors = WEIGHED[0]?.[letter]?.map((z, i) => ((theta[i] ?? Number.NaN) + 0.7) * z) ?? [];
      expectClose(factors, WEIGHED[1]?.[letter] ?? []);
    }
    const train = engine.compile((p: Parameters, batch: Inputs, source: RandomSource) => {
      const outputs = fusion.apply(p, encoder.apply(p, batch, {}), batch, { random: source });
      expect(outputs.shown).toBeUndefined();
      return { fused: outputs.fused };
    });
    await train(parameters, inputs, random);
  });

  it("reproduces log-probabilities, losses, disparity ratios and damping", async () => {
    const { total, terms, shown, logProbabilities } = await evaluate({});
    LOG_PROBABILITIES.forEach((expected, n) => {
      expectClose(row(logProbabilities, n), expected);
    });
    expect(Object.keys(terms)).toEqual(["task", "feature"]);
    expectClose(values(terms.task as Tensor), [2.35898733], 8);
    expectClose(values(terms.feature as Tensor), [0.85785254], 8);
    expectClose(values(total), [3.21683987], 8);
    const of = (kind: string) =>
      ["a", "t", "v"].map((m) => values(shown[`${kind}.${NAMES[m as Letters]}`] as Tensor)[0] ?? 0);
    expectClose(of("ratio"), FULL_RATIOS, 8);
    expectClose(of("kappa"), [1, 0.61698956, 0.60983276], 8);
  });

  it("reproduces gradient norms raw, clipped and modulated", async () => {
    const { model, parameters, inputs, targets } = setup();
    const run = engine.compile((p: Parameters, batch: Inputs, wanted: Targets, source: RandomSource) => {
      const { gradients: raw } = valueAndGradients(() => model.loss(p, batch, wanted, { random: source }).total, p);
      const { unimodal = {} } = model.loss(p, batch, wanted, { random: source });
      const { gradients: modulated } = model.balancer.balance(raw, { unimodal, targets: wanted }, { random: source });
      const stages: Record<string, Parameters> = { raw, clipped: clipByGlobalNorm(raw, 2), modulated };
      const norms = Object.fromEntries(
        Object.entries(stages).map(([stage, gradients]) => [
          stage,
          PARTS.map((part) => globalNorm(Object.fromEntries(partOf(gradients, part).map((g, i) => [`${i}`, g])))),
        ]),
      );
      return { norms, weight: raw["net.fc_out.weight"] as Tensor2D, bias: raw["net.fc_out.bias"] as Tensor };
    });
    const found = await run(parameters, inputs, targets, random);
    for (const [stage, expected] of Object.entries(GRADIENT_NORMS)) {
      expectClose(
        (found.norms[stage] ?? []).map((norm) => values(norm)[0] ?? Number.NaN),
        expected,
      );
    }
    expectClose(
      row(found.weight, 0).slice(0, 6),
      [-0.0357896, 0.0239907, 0.2673281, -0.0172147, -0.2523204, 0.0343958],
    );
    expectClose(values(found.bias), [-0.1680592, -0.0687483, -0.1734225, -0.010793, 0.0905867, 0.3304363]);
  });

  it("follows the official model over one Adam step on modulated gradients", async () => {
    const { model, parameters, inputs, targets } = setup();
    const optimizer = createAdam({
      lr: 2e-4,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 1e-8,
      decay: "coupled",
      maxGradientNorm: null,
    });
    const step = engine.compile((current: TrainState, batch: Inputs, wanted: Targets, source: RandomSource) =>
      trainStep(model, optimizer, current, { inputs: batch, targets: wanted }, source),
    );
    let state: TrainState = { parameters, optimizer: optimizer.init(parameters) };
    ({ state } = await step(state, inputs, targets, random));
    const { losses } = await step(state, inputs, targets, random);
    const of = (name: string) => values(losses[name] as Tensor)[0] ?? Number.NaN;
    const close = (name: string, expected: number) => expect(Math.abs(of(name) / expected - 1)).toBeLessThan(1e-3);
    // The first step of Adam is sign-like: where a gradient is nearly zero, float32 may step the other way.
    close("task", 1.929396);
    close("feature", 0.810674);
    close("ratio.audio", 1.012437);
    close("ratio.text", 1);
    close("ratio.visual", 1.0204);
  });

  it("evaluates a dialogue alone as the official model does, and the same in any batch where padding is masked", async () => {
    const official = [-2.2630643, -2.8054403, -2.6147482, -2.2356552, -1.6110914, -0.7858968];
    for (const padding of ["as-published", "masked"] as const) {
      const { model } = goldenModel({}, padding);
      const parameters = goldenParameters(model.parameters);
      const predict = engine.compile((p: Parameters, batch: Inputs) => logSoftmax(model.logits(p, batch, {})));
      expectClose(row(await predict(parameters, goldenBatch(["a", "t", "v"], [3]).inputs), 0), official, 7);
      const beside = row(await predict(parameters, goldenBatch().inputs), 0);
      expectClose(beside, padding === "masked" ? official : (LOG_PROBABILITIES[0] ?? []));
    }
  });

  it.each(VARIANTS)("reproduces the variant $name", async (variant) => {
    const { terms, shown, logProbabilities } = await evaluate(variant);
    expectClose(values(terms.task as Tensor), [variant.nll], 7);
    expectClose(terms.feature === undefined ? [0] : values(terms.feature), [variant.feature], 7);
    const letters = variant.letters ?? ["a", "t", "v"];
    expectClose(
      letters.map((letter) => values(shown[`ratio.${NAMES[letter]}`] as Tensor)[0] ?? Number.NaN),
      variant.ratios,
      7,
    );
    expectClose(row(logProbabilities, 0), variant.first);
  });
});

interface Published {
  readonly dims: Readonly<Record<string, number>>;
  readonly hidden: number;
  readonly rank: number;
  readonly classes: number;
}

const FEATURES = { text: 768, audio: 512, visual: 1024 };
const CORPORA: Readonly<Record<string, Published>> = {
  iemocap: { dims: FEATURES, hidden: 300, rank: 11, classes: 6 },
  meld: { dims: { text: 768, audio: 300, visual: 342 }, hidden: 200, rank: 6, classes: 7 },
  mosei7: { dims: FEATURES, hidden: 500, rank: 10, classes: 7 },
  mosei2: { dims: FEATURES, hidden: 500, rank: 10, classes: 2 },
  iemocapDefaults: { dims: FEATURES, hidden: 200, rank: 8, classes: 6 },
};

function publishedModel(corpus: string, modalities = ["text", "audio", "visual"], encoder = {}, fusion = {}) {
  const { dims, hidden, rank, classes } = CORPORA[corpus] as Published;
  const task = { type: "single-label" as const, classes: Array.from({ length: classes }, (_, c) => `c${c}`) };
  const site = { modalities: modalities.map((name) => ({ name, dim: dims[name] ?? 0 })), numSpeakers: 2 };
  const made = createAda2iEncoder(ada2iEncoderOptions.parse({ dim: hidden, ...encoder }), site);
  const objective = { parameters: [], needs: new Set<never>(), loss: () => ({ total: 0 as never, terms: {} }) };
  return assembleModel(
    { encoder: made, fusion: createAda2iFusion(ada2iFusionOptions.parse({ rank, ...fusion }), made), objective },
    task,
  );
}

describe("the published configurations", () => {
  it.each([
    ["iemocap", 35_670_850],
    ["meld", 18_564_043],
    ["mosei7", 37_222_727],
    ["mosei2", 37_215_222],
    ["iemocapDefaults", 34_955_278],
  ])("%s has %d parameters, in 152 tensors", (corpus, total) => {
    const { count, parameters } = publishedModel(corpus);
    expect(count).toEqual({ total, trainable: total });
    expect(parameters).toHaveLength(152);
  });

  it.each([
    ["iemocap", [18_281_518, 28_930_094, 24_130_094, 6_740_762, 11_540_762, 17_389_338, 34_829_986, 5_785_470]],
    ["meld", [14_641_567, 15_210_499, 7_276_027, 3_353_551, 11_288_023, 3_922_483, 18_249_499, 2_416_351]],
    ["mosei7", [19_264_903, 30_015_879, 25_164_679, 7_206_855, 12_058_055, 17_957_831, 35_296_487, 12_568_747]],
  ] as const)("%s on subsets, without AFW and with LSTMs", (corpus, totals) => {
    const subsets = [["audio", "text"], ["text", "visual"], ["audio", "visual"], ["audio"], ["text"], ["visual"]];
    const all = ["text", "audio", "visual"];
    expect([
      ...subsets.map((modalities) => publishedModel(corpus, modalities).count.total),
      publishedModel(corpus, all, {}, { layers: 0 }).count.total,
      publishedModel(corpus, all, { kind: "lstm" }).count.total,
    ]).toEqual(totals);
  });

  it("choose 5 to 14 heads where one divides the width", () => {
    expect([512, 768, 1024, 300, 342, 10, 11, 12, 73].map(officialNumHeads)).toEqual([8, 6, 8, 5, 6, 5, 11, 6, 1]);
  });

  it("name their tensors as the official state dict does, in its order, whatever the order of the data set", () => {
    const both = (name: string) => [`${name}.weight`, `${name}.bias`];
    const encoder = (m: string) => [
      ...[0, 1].flatMap((i) => {
        const layer = `net.encoder.${m}.transformer_encoder.layers.${i}`;
        return [
          `${layer}.self_attn.in_proj_weight`,
          `${layer}.self_attn.in_proj_bias`,
          ...["self_attn.out_proj", "linear1", "linear2", "norm1", "norm2"].flatMap((part) => both(`${layer}.${part}`)),
        ];
      }),
      ...both(`net.encoder.${m}.lin_out`),
    ];
    const layer = (l: number) => [
      ...["trans_q1", "trans_q2", "trans_k1", "trans_k2", "lin_att"].flatMap((part) =>
        [0, 1, 2].flatMap((j) => both(`net.mmt.layers.${l}.attention.${part}.${j}.lin`)),
      ),
      ...[0, 1, 2].flatMap((j) => both(`net.mmt.layers.${l}.wmn.fc.${j}`)),
    ];
    expect(publishedModel("iemocap", ["visual", "text", "audio"]).parameters.map(({ name }) => name)).toEqual([
      ...["a", "t", "v"].flatMap(encoder),
      ...layer(0),
      ...layer(1),
      ...both("net.fc_out"),
    ]);
  });
});

describe("official weights", () => {
  beforeAll(() => createEagerEngine("cpu").start());

  it("load from safetensors by name", () => {
    const { model } = goldenModel();
    const official = new Map<string, HostTensor>(
      model.parameters.map(({ name, shape }, p) => {
        const size = shape.reduce((a, b) => a * b, 1);
        return [name, { shape, data: Float32Array.from({ length: size }, (_, k) => p + k / size) }];
      }),
    );
    const loaded = parametersFromArrays(model.parameters, parseSafetensors(encodeSafetensors(official)));
    expect(Object.keys(loaded)).toHaveLength(152);
    for (const [name, value] of Object.entries(loaded)) {
      expect(values(value)).toEqual(Array.from(official.get(name)?.data ?? []));
    }
  });
});
