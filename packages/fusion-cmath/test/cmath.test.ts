// CMATH's formulas on numbers worked by hand, parameter counts, each term on and off, and what is refused.
import {
  type Context,
  countParameters,
  createEagerEngine,
  createLayout,
  createRandomSource,
  type FusionOutputs,
  type Inputs,
  initialParameters,
  keyFromSeed,
  klDivergence,
  MerclabError,
  type ParameterSpec,
} from "@merclab/core";
import { scalar, type Tensor, type Tensor1D, type Tensor2D, tensor1d, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  cmathEncoderOptions,
  cmathFusionOptions,
  convolve,
  createCmathEncoder,
  createCmathFusion,
  createHierarchicalDistillation,
  gaussianDivergence,
  hierarchicalDistillationOptions,
  mixture,
  priorDivergence,
  product,
} from "../src/index.ts";

type Options = Readonly<Record<string, unknown>>;

interface Shape {
  readonly dims: Readonly<Record<string, number>>;
  readonly classes: number;
  readonly numSpeakers: number;
}

const TOY: Shape = { dims: { text: 10, audio: 12, visual: 7 }, classes: 6, numSpeakers: 2 };
const IEMOCAP: Shape = { dims: { text: 1024, audio: 1582, visual: 342 }, classes: 6, numSpeakers: 2 };
const MELD: Shape = { dims: { text: 1024, audio: 300, visual: 342 }, classes: 7, numSpeakers: 9 };

function cmath(shape: Shape, encoderGiven: Options = {}, fusionGiven: Options = {}, objectiveGiven: Options = {}) {
  const modalities = Object.entries(shape.dims).map(([name, dim]) => ({ name, dim }));
  const encoder = createCmathEncoder(cmathEncoderOptions.parse(encoderGiven), { ...shape, modalities });
  const fusion = createCmathFusion(cmathFusionOptions.parse(fusionGiven), encoder);
  const objective = createHierarchicalDistillation(hierarchicalDistillationOptions.parse(objectiveGiven), {
    task: { type: "single-label", classes: Array.from({ length: shape.classes }, (_, c) => `c${c}`) },
    modalities: encoder.modalities,
    dim: fusion.streamDim ?? encoder.dim,
    ...(fusion.latent === undefined ? {} : { latent: fusion.latent }),
    trainClassCounts: new Array(shape.classes).fill(1),
    trainUtterances: shape.classes,
  });
  const specs: ParameterSpec[] = [...encoder.parameters, ...fusion.parameters, ...objective.parameters];
  const head = (fusion.dim + 1) * shape.classes;
  return { encoder, fusion, objective, specs, total: countParameters(specs).total + head };
}

/** Section 8 of the notes: the formula of every part, for three or fewer modalities. */
function formula(
  shape: Shape,
  { d, k, w, mode = "concat", L = 1 }: { d: number; k: number; w: number; mode?: string; L?: number },
) {
  const widths = Object.values(shape.dims);
  const m = widths.length;
  const D = widths.reduce((sum, dim) => sum + dim, 0);
  const C = shape.classes;
  const encoder = k * w * (D + m * d) + m * (w + d) + 2 * m * d;
  const decoder = k * w * (D + m * d) + m * w + D;
  const blocks = 4 * m * (d * d + d) + (m - 1) * (2 * d * d + d) + (2 * m + 4) * d + 2 * d * d + 2 * d;
  const cma = m * (L * blocks + 2 * d);
  const fusion = mode === "poe" || mode === "moe" ? 0 : m * d * d + d + 2 * (d * d + d);
  const latent = 2 * m * (d * d + d);
  const classifiers = m * (d * C + C) + d * C + C;
  return (shape.numSpeakers + 1) * d + encoder + decoder + cma + fusion + latent + classifiers;
}

describe("parameters", () => {
  it.each([
    ["concat", 10_429, 189],
    ["poe", 10_085, 183],
  ])("of the toy configuration, %s: %d numbers in %d tensors", (fusion, total, tensors) => {
    const model = cmath(TOY, { dim: 8 }, { numHeads: 2, fusion });
    expect(model.total).toBe(total);
    expect(model.specs.length + 2).toBe(tensors);
  });

  it.each([
    ["IEMOCAP", IEMOCAP, { dim: 256 }, 15_714_460],
    ["MELD", MELD, { dim: 256 }, 11_777_694],
    ["IEMOCAP, kernel 1", IEMOCAP, { dim: 256, kernel: 1 }, 8_104_092],
    ["MELD, kernel 1", MELD, { dim: 256, kernel: 1 }, 6_792_862],
    ["IEMOCAP, narrow", IEMOCAP, { dim: 128 }, 6_203_932],
    ["MELD, narrow", MELD, { dim: 128 }, 4_234_910],
    ["IEMOCAP at SDT's width", IEMOCAP, { dim: 1024, kernel: 1, middleDim: 1024 }, 80_627_612],
    ["MELD at SDT's width", MELD, { dim: 1024, kernel: 1, middleDim: 1024 }, 78_012_062],
  ] as const)("of %s", (_name, shape, encoder, total) => {
    const {
      dim: d,
      kernel: k = 3,
      middleDim: w = 2 * encoder.dim,
    } = encoder as { dim: number; kernel?: number; middleDim?: number };
    expect(cmath(shape, encoder).total).toBe(total);
    expect(formula(shape, { d, k, w })).toBe(total);
  });

  it("follow the formula for two modalities, two blocks and the product of experts", () => {
    const two: Shape = { ...TOY, dims: { text: 10, audio: 12 } };
    const made = cmath(two, { dim: 8, kernel: 5, middleDim: 6 }, { numHeads: 2, numBlocks: 2, fusion: "poe" });
    expect(made.total).toBe(formula(two, { d: 8, k: 5, w: 6, mode: "poe", L: 2 }));
  });

  it("of the CMA-Transformer at width 256: full, self only, a fixed centre, every one in turn", () => {
    const count = (fusion: Options) => {
      const { parameters } = cmath(IEMOCAP, { dim: 256 }, { fusion: "poe", ...fusion }).fusion;
      return countParameters(parameters.filter(({ name }) => /\.(block|out_norm)\b/.test(name))).total;
    };
    expect(count({ interaction: "self" })).toBe(3 * 396_288);
    expect(count({ central: "text" })).toBe(1_979_392);
    expect(count({ central: ["text", "audio"] })).toBe(2 * 1_186_816 + 396_288);
    expect(count({})).toBe(3_560_448);
  });

  it("fewer without the parts that are switched off", () => {
    const names = (...given: [Options?, Options?, Options?]) =>
      cmath(TOY, { dim: 8, ...given[0] }, { numHeads: 2, ...given[1] }, given[2]).specs.map(({ name }) => name);
    const has = (list: readonly string[], part: string) => list.some((name) => name.includes(part));
    expect(has(names(), ".up.")).toBe(true);
    expect(has(names({ reconstructionWeight: 0 }), ".up.")).toBe(false);
    expect(has(names({ compression: "linear" }), ".down.")).toBe(false);
    expect(has(names({}, { gate: "none" }), ".gate")).toBe(false);
    expect(has(names({}, {}, { latentWeight: 0 }), ".distilled")).toBe(false);
    expect(has(names({}, { fusion: "moe" }), ".distilled")).toBe(false);
    expect(has(names({}, {}, { fineWeight: 0, logitWeight: 0 }), ".classifier")).toBe(false);
    expect(has(names({ speakers: false }), "speakers")).toBe(false);
  });
});

const number = (x: Tensor): number => x.dataSync()[0] ?? Number.NaN;
const cell = (x: number): Tensor2D => tensor2d([[x]]);
const gaussian = (mean: number, variance: number) => ({ mean: cell(mean), logVariance: cell(Math.log(variance)) });

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  it("divergences have the values worked by hand", () => {
    tidy(() => {
      const one = tensor1d([1]);
      expect(number(gaussianDivergence(gaussian(0, 4), gaussian(0, 1), one))).toBeCloseTo(0.806853, 5);
      expect(number(priorDivergence(gaussian(0, 4), one))).toBeCloseTo(0.806853, 5);
      expect(number(gaussianDivergence(gaussian(0, 1), gaussian(1, 4), one))).toBeCloseTo(0.443147, 5);
      expect(number(gaussianDivergence(gaussian(3, 2), gaussian(3, 2), one))).toBeCloseTo(0, 6);
      expect(number(klDivergence(tensor2d([[2, 0]]), tensor2d([[0, 0]]), one))).toBeCloseTo(0.327813, 5);
    });
  });

  it("divergences are means over real tokens and dimensions", () => {
    tidy(() => {
      const from = {
        mean: tensor2d([
          [0, 0],
          [9, 9],
        ]),
        logVariance: tensor2d([
          [Math.log(4), 0],
          [9, 9],
        ]),
      };
      expect(number(priorDivergence(from, tensor1d([1, 0])))).toBeCloseTo(0.806853 / 2, 5);
    });
  });

  it("the product of the prior with N(1, 1) and N(3, 1) is N(4/3, 1/3); missing experts say nothing", () => {
    tidy(() => {
      const seen = cell(1);
      const experts = [gaussian(1, 1), gaussian(3, 1)].map((each) => ({ ...each, observed: seen }));
      const both = product(experts);
      expect(number(both.mean)).toBeCloseTo(4 / 3, 5);
      expect(Math.exp(number(both.logVariance))).toBeCloseTo(1 / 3, 5);
      const one = product(experts.map((each, i) => ({ ...each, observed: cell(i) })));
      expect(number(one.mean)).toBeCloseTo(3 / 2, 5);
      const none = product(experts.map((each) => ({ ...each, observed: cell(0) })));
      expect([number(none.mean), number(none.logVariance)].map(Math.abs)).toEqual([0, 0]);
    });
  });

  it("the mixture has the mean and variance of the experts together", () => {
    tidy(() => {
      const experts = [gaussian(1, 2), gaussian(5, 4)];
      const all = mixture(experts.map((each) => ({ ...each, observed: cell(1) })));
      expect(number(all.mean)).toBeCloseTo(3, 5);
      expect(Math.exp(number(all.logVariance))).toBeCloseTo((2 + 1 + 4 + 25) / 2 - 9, 4);
      const one = mixture(experts.map((each, i) => ({ ...each, observed: cell(i) })));
      expect(number(one.mean)).toBeCloseTo(5, 5);
      expect(Math.exp(number(one.logVariance))).toBeCloseTo(4, 3);
      const none = mixture(experts.map((each) => ({ ...each, observed: cell(0) })));
      expect(number(none.mean)).toBe(0);
      expect(Math.exp(number(none.logVariance))).toBeCloseTo(1, 5);
    });
  });

  it.each([1, 3, 5])("a convolution of kernel %d sees neighbours in its dialogue only", (kernel) => {
    tidy(() => {
      const layout = createLayout([3, 1, 2], { tokens: 8, time: 4 });
      const rows = [1, 2, 3, 4, 5, 6, 0, 0];
      const taps = Array.from({ length: kernel }, (_, i) => 10 ** i);
      const parameters = { "c.weight": tensor2d([taps]), "c.bias": tensor1d([0.5]) };
      const x = tensor2d(rows.map((row) => [row]));
      const got = [...convolve(parameters, "c", kernel, x, layout).dataSync()].slice(0, 6);
      const dialogue = [0, 0, 0, 1, 2, 2];
      const reach = (kernel - 1) / 2;
      const want = rows.slice(0, 6).map((_, i) =>
        taps.reduce((sum, tap, at) => {
          const j = i + at - reach;
          return sum + (j >= 0 && j < 6 && dialogue[j] === dialogue[i] ? tap * (rows[j] ?? 0) : 0);
        }, 0.5),
      );
      expect(got).toEqual(want);
    });
  });

  it("a kernel wider than the batch is long finds nothing but zeros", () => {
    tidy(() => {
      const parameters = { "c.weight": tensor2d([[1, 1, 1, 1, 1]]), "c.bias": tensor1d([0]) };
      expect([...convolve(parameters, "c", 5, cell(3), createLayout([1])).dataSync()]).toEqual([3]);
    });
  });

  it("β rises over the first share of training, and samples vary in training only", () => {
    tidy(() => {
      const { encoder, fusion } = cmath(TOY, { dim: 8, dropout: 0 }, { numHeads: 2, dropout: 0 });
      const parameters = initialParameters([...encoder.parameters, ...fusion.parameters], keyFromSeed(1));
      const inputs = inputsOf(TOY);
      const run = (context: Context): FusionOutputs =>
        fusion.apply(parameters, encoder.apply(parameters, inputs, context), inputs, context);
      const random = (seed: number) => createRandomSource(keyFromSeed(seed));
      const prior = (progress: number) =>
        number(
          run({ random: random(1), clock: { epoch: scalar(1), progress: scalar(progress) } }).losses?.prior as Tensor,
        );
      const full = number(run({ random: random(1) }).losses?.prior as Tensor);
      [0, 0.05, 0.1, 0.2, 0.9].forEach((progress) => {
        expect(prior(progress)).toBeCloseTo(full * Math.min(progress / 0.2, 1), 5);
      });
      const rows = (context: Context) => [...run(context).fused.dataSync()];
      expect(rows({ random: random(1) })).not.toEqual(rows({ random: random(2) }));
      expect(rows({})).toEqual(rows({}));
      expect(run({}).losses).toBeUndefined();
    });
  });

  it("reconstruction is the mean squared error of what was observed, and only training pays for it", () => {
    tidy(() => {
      const { encoder } = cmath(TOY, { dim: 8, dropout: 0, reconstructionWeight: 1 });
      const zeroed = Object.fromEntries(
        Object.entries(initialParameters(encoder.parameters, keyFromSeed(1))).map(([name, value]) => [
          name,
          name.includes(".up.1.")
            ? value.shape.length === 1
              ? tensor1d(new Array(value.size).fill(0))
              : tensor2d(new Float32Array(value.size), value.shape as [number, number])
            : value,
        ]),
      );
      const inputs = inputsOf(TOY);
      const { losses, streams } = encoder.applyWithLosses?.(zeroed, inputs, {
        random: createRandomSource(keyFromSeed(1)),
      }) ?? {
        losses: {},
        streams: {},
      };
      const want = Object.values(inputs.features).reduce((sum, x) => {
        const values = [...x.dataSync()];
        return sum + values.reduce((part, value) => part + value * value, 0) / values.length;
      }, 0);
      expect(number(losses.reconstruction as Tensor)).toBeCloseTo(want, 4);
      expect(Object.keys(streams)).toEqual(["text", "audio", "visual"]);
    });
  });
});

function inputsOf(shape: Shape): Inputs {
  const layout = createLayout([2, 3]);
  const features = Object.fromEntries(
    Object.entries(shape.dims).map(([name, dim]) => [
      name,
      tensor2d(
        Float32Array.from({ length: layout.tokens * dim }, (_, i) => Math.sin(i * i + dim)),
        [layout.tokens, dim],
      ),
    ]),
  );
  const present = Object.fromEntries(Object.keys(shape.dims).map((name) => [name, layout.tokenMask as Tensor1D]));
  return { features, present, speakers: tensor1d([0, 1, 1, 0, 1], "int32"), layout };
}

describe("what cannot be", () => {
  const fails = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return error instanceof MerclabError ? error.message : String(error);
    }
    return "";
  };

  it("is refused with the reason", () => {
    const small = { dim: 8 };
    expect(fails(() => cmath(TOY, small, { numHeads: 3 }))).toContain("8 is no multiple of numHeads 3");
    expect(fails(() => cmath(TOY, small, { numHeads: 2, central: "gaze" }))).toContain('"gaze" is none of the encoder');
    const two = { ...TOY, dims: { text: 10, audio: 12 } };
    expect(fails(() => cmath(two, small, { numHeads: 2, gate: "softmax" }))).toContain("weighs auxiliary modalities");
  });

  it.each([
    [{ fusion: "deterministic", priorWeight: 1 }, "priorWeight"],
    [{ interaction: "self", central: "text" }, "central"],
    [{ interaction: "symmetric", gate: "softmax" }, "gate"],
  ])("%o is refused at %s", (options, path) => {
    expect(cmathFusionOptions.safeParse(options).error?.issues.map((issue) => issue.path)).toEqual([[path]]);
  });

  it.each([
    [{ kernel: 2 }, "kernel"],
    [{ compression: "linear", reconstructionWeight: 0.1 }, "reconstructionWeight"],
  ])("encoder: %o is refused at %s", (options, path) => {
    expect(cmathEncoderOptions.safeParse(options).error?.issues.map((issue) => issue.path)).toEqual([[path]]);
  });

  it("resolved options parse to themselves, also through JSON", () => {
    for (const [schema, given] of [
      [cmathEncoderOptions, { compression: "linear" }],
      [cmathFusionOptions, { fusion: "deterministic", central: ["text"] }],
      [hierarchicalDistillationOptions, { latentWeight: 0 }],
    ] as const) {
      const options = schema.parse(given);
      expect(schema.parse(JSON.parse(JSON.stringify(options)))).toEqual(options);
    }
  });
});
