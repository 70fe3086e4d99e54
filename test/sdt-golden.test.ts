// SDT against the official model: activations, losses, gradients and optimiser steps of tiny configurations,
// computed by the official PyTorch code in float64 (values from the notes on the paper's code, six decimals).
import {
  createAdam,
  createEagerEngine,
  createRandomSource,
  globalNorm,
  type Inputs,
  keyFromSeed,
  type Parameters,
  type RandomSource,
  type Targets,
  valueAndGradients,
} from "@merclab/core";
import { createOnnxEngine } from "@merclab/engine-onnx";
import { type TrainingBatch, type TrainState, trainableParameters, trainStep } from "@merclab/trainer";
import {
  add,
  argMax,
  logSoftmax,
  matMul,
  mul,
  norm,
  relu,
  slice,
  softmax,
  type Tensor,
  type Tensor2D,
} from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CASE_A,
  CASE_B,
  fill,
  type GoldenCase,
  goldenBatch,
  goldenModel,
  goldenParameters,
  withIdentityGates,
} from "./support/sdt-golden.ts";

/** 1e-5 relative, plus the rounding of six printed decimals. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    const difference = Math.abs((actual[i] ?? Number.NaN) - value);
    expect(difference, `${actual[i]} against ${value} at ${i}`).toBeLessThanOrEqual(1e-5 * Math.abs(value) + 1e-6);
  });
}

const values = (x: Tensor): number[] => Array.from(x.dataSync());
const row = (x: Tensor2D, token: number): number[] => values(slice(x, [token, 0], [1, x.shape[1]]));

interface Expected {
  readonly golden: GoldenCase;
  readonly streams: Readonly<Record<string, readonly number[]>>;
  readonly fused: readonly number[];
  readonly logits: Readonly<Record<string, readonly number[]>>;
  readonly probabilities: readonly number[];
  readonly softTarget: readonly number[];
  readonly softStudentText: readonly number[];
  readonly secondLogits: Readonly<Record<string, readonly number[]>>;
  readonly terms: Readonly<Record<string, number>>;
  readonly total: number;
  readonly argMax: readonly number[];
  readonly gradientNorm: number;
  readonly tensorNorms: Readonly<Record<string, readonly [official: number, detached: number]>>;
  readonly adamLosses: readonly number[];
}

const A: Expected = {
  golden: CASE_A,
  streams: {
    text: [1.299237, -0.056764, -0.88199, 0.163597, 0.217639, -0.80098, 0.078601, 0.329078],
    audio: [0.512597, -0.239695, 0.457262, -0.75999, -0.113087, 0.06829, 0.148461, 1.694311],
    visual: [0.618499, -0.134581, -0.16523, -0.312612, -0.635777, 0.800633, 0.283848, 0.50878],
  },
  fused: [0.879738, -0.168917, -0.311784, -0.254418, -0.21431, 0.093756, 0.191328, 0.876774],
  logits: {
    text: [0.311033, 0.410717, -0.678151, -0.051429, -0.098701, -0.577123],
    audio: [0.708359, 0.198396, -0.133162, 0.468879, 0.016806, -0.565947],
    visual: [0.194497, 0.883888, -0.432229, 0.294771, -0.640251, -0.282965],
    fused: [0.262579, -0.067863, -0.202145, 0.26476, 0.169019, 0.34373],
  },
  probabilities: [0.187115, 0.134462, 0.117566, 0.187523, 0.170402, 0.202932],
  softTarget: [0.177394, 0.150378, 0.140613, 0.177588, 0.169287, 0.18474],
  softStudentText: [-1.599658, -1.549816, -2.09425, -1.780889, -1.804525, -2.043736],
  secondLogits: {
    text: [0.411888, 0.595054, -0.199552, 0.182239, 0.117176, -0.473124],
    audio: [1.509161, 0.285356, 0.141292, 1.239577, 0.085267, -0.666302],
    visual: [-0.373196, 1.156126, -0.348287, 0.260486, -0.480176, -0.287931],
    fused: [0.557497, -0.404278, -0.879935, 0.329524, 0.392901, 0.502273],
  },
  terms: {
    task: 1.918395,
    "hard.text": 1.711622,
    "hard.audio": 1.903874,
    "hard.visual": 1.540004,
    "soft.text": 0.027589,
    "soft.audio": 0.062566,
    "soft.visual": 0.091483,
  },
  total: 7.255535,
  argMax: [5, 0, 4, 3, 5, 0],
  gradientNorm: 3.442214,
  tensorNorms: {
    "speaker_embeddings.weight": [0.708544, 0.705335],
    "textf_input.weight": [0.370993, 0.367853],
    "visuf_input.weight": [0.265826, 0.264451],
    "t_t.transformer_inter.0.self_attn.linear_q.weight": [0.015888, 0.016553],
    "a_v.transformer_inter.0.self_attn.linear_k.weight": [0.117873, 0.181511],
    "v_a.transformer_inter.0.feed_forward.w_1.weight": [0.182437, 0.167815],
    "t_t_gate.fc.weight": [0.071288, 0.06016],
    "features_reduce_t.weight": [0.643808, 0.59889],
    "last_gate.fc.weight": [0.239484, 0.245994],
    "t_output_layer.2.weight": [0.291643, 0.291643],
    "all_output_layer.weight": [0.565418, 0.442524],
    "all_output_layer.bias": [0.229734, 0.123749],
  },
  adamLosses: [7.255535, 7.124551, 7.005144, 6.898565],
};

const B: Expected = {
  golden: CASE_B,
  streams: {
    text: [0.16324, -0.277288, -0.562959, 0.030787, 0.202705, -0.709801, 0.899123, -0.597777],
    audio: [1.109315, 0.626835, 0.657244, -0.727952, 1.02511, 0.586613, -2.276685, 2.708523],
    visual: [0.975121, -0.260204, -0.004548, 0.338363, -1.195606, 0.579261, 0.87874, 0.920949],
  },
  fused: [0.790531, -0.079581, -0.094568, -0.649242, 0.592491, 0.343386, -0.435227, 1.815811],
  logits: {
    text: [0.129874, -0.345311, -0.603792, -0.28182, 0.388694, 0.093157, -0.14717],
    audio: [1.600834, -0.403714, -0.091589, 0.445796, -0.763418, -0.781888, -0.158773],
    visual: [-0.113847, 1.164416, -0.34601, 0.08437, -0.265356, -0.710131, -0.583136],
    fused: [-0.415679, 0.681296, -0.42527, 0.183444, 0.347864, 0.839433, -0.851688],
  },
  probabilities: [0.076296, 0.228515, 0.075568, 0.138899, 0.163722, 0.267665, 0.049334],
  softTarget: [0.134399, 0.154152, 0.134238, 0.144851, 0.147859, 0.157229, 0.127271],
  softStudentText: [-1.916747, -1.976145, -2.008455, -1.968209, -1.884395, -1.921337, -1.951378],
  secondLogits: {
    text: [0.45759, 0.635352, -1.703129, -0.7124, -0.445691, -0.466622, -1.919037],
    audio: [0.464995, -0.665688, 0.435221, -0.184674, -0.450133, -0.657379, -0.23613],
    visual: [-0.2171, 2.097359, -0.777694, -0.108195, -0.4579, -1.068656, -1.493136],
    fused: [0.143217, -0.611083, 0.361802, -0.118739, 0.13859, -0.009068, -0.17317],
  },
  terms: {
    task: 1.787818,
    "hard.text": 2.066003,
    "hard.audio": 2.144089,
    "hard.visual": 2.960622,
    "soft.text": 0.003621,
    "soft.audio": 0.005134,
    "soft.visual": 0.010928,
  },
  total: 8.978215,
  argMax: [5, 6, 5, 2, 5],
  gradientNorm: 5.737758,
  tensorNorms: {
    "speaker_embeddings.weight": [0.836576, 0.835715],
    "textf_input.weight": [0.288249, 0.289263],
    "visuf_input.weight": [0.532091, 0.53201],
    "t_t.transformer_inter.0.self_attn.linear_q.weight": [0.082925, 0.083583],
    "a_v.transformer_inter.0.self_attn.linear_k.weight": [0.069175, 0.069044],
    "v_a.transformer_inter.0.feed_forward.w_1.weight": [0.172702, 0.170878],
    "features_reduce_t.weight": [1.310545, 1.314547],
    "last_gate.fc.weight": [0.510841, 0.508836],
    "t_output_layer.2.weight": [0.591527, 0.591527],
    "all_output_layer.weight": [0.558041, 0.562206],
    "all_output_layer.bias": [0.185844, 0.190889],
  },
  adamLosses: [8.978215, 8.790702, 8.605859, 8.427173],
};

describe.each([
  ["cpu", () => createEagerEngine("cpu")],
  ["wasm", () => createEagerEngine("wasm")],
  ["onnx", () => createOnnxEngine({ threads: 1 })],
] as const)("SDT on the %s engine", (_engineName, createEngine) => {
  const engine = createEngine();
  beforeAll(() => engine.start());
  afterAll(() => engine.dispose());

  it("fills tensors as the golden values do", () => {
    expectClose(
      [0, 1, 2].map((i) => fill(0, i)),
      [-0.047014, -0.615786, -0.731642],
    );
    expectClose(
      [0, 1, 2].map((i) => fill(171, i)),
      [-0.051958, 0.284277, 0.10146],
    );
    expectClose(
      [0, 1, 2].map((i) => fill(1000, i)),
      [-0.250059, -0.515261, -0.452209],
    );
  });

  describe.each([
    ["A, IEMOCAP-like", A],
    ["B, MELD-like", B],
  ] as const)("case %s", (_name, expected) => {
    const { golden } = expected;
    const setup = (detachTeacher = false) => {
      const made = goldenModel(golden, detachTeacher);
      const filled = goldenParameters(made.model.parameters);
      const parameters = golden.unimodalGate === "identity" ? withIdentityGates(filled) : filled;
      return { ...made, parameters, ...goldenBatch(golden) };
    };

    it("has the official 172 learnable tensors", () => {
      expect(setup().model.parameters).toHaveLength(172);
    });

    it("reproduces streams, fused vector, logits and probabilities", async () => {
      const { encoder, fusion, parameters, inputs } = setup();
      const soften = (x: Tensor2D) => mul(x, 1 / golden.temperature) as Tensor2D;
      const forward = engine.compile((p: Parameters, batch: Inputs) => {
        const streams = encoder.apply(p, batch, {});
        const { fused } = fusion.apply(p, streams, batch, {});
        const classify = (x: Tensor2D, name: string) =>
          add(matMul(x, p[`${name}.weight`] as Tensor2D, false, true), p[`${name}.bias`] as Tensor) as Tensor2D;
        const logits = {
          text: classify(relu(streams.text as Tensor2D), "t_output_layer.2"),
          audio: classify(relu(streams.audio as Tensor2D), "a_output_layer.2"),
          visual: classify(relu(streams.visual as Tensor2D), "v_output_layer.2"),
          fused: classify(fused, "all_output_layer"),
        };
        return {
          streams,
          fused,
          logits,
          probabilities: softmax(logits.fused),
          softTarget: softmax(soften(logits.fused)),
          softStudentText: logSoftmax(soften(logits.text)),
        };
      });
      const found = await forward(parameters, inputs);
      for (const [modality, expectedRow] of Object.entries(expected.streams)) {
        expectClose(row(found.streams[modality] as Tensor2D, 0), expectedRow);
      }
      expectClose(row(found.fused, 0), expected.fused);
      const second = (golden.lengths[0] ?? 0) + 1;
      for (const [head, value] of Object.entries(found.logits)) {
        expectClose(row(value, 0), expected.logits[head] ?? []);
        expectClose(row(value, second), expected.secondLogits[head] ?? []);
      }
      expectClose(row(found.probabilities, 0), expected.probabilities);
      expectClose(row(found.softTarget, 0), expected.softTarget);
      expectClose(row(found.softStudentText, 0), expected.softStudentText);
    });

    it("reproduces the seven loss terms, their sum and the predictions", async () => {
      const { model, parameters, inputs, targets } = setup();
      const evaluate = engine.compile((p: Parameters, batch: Inputs, wanted: Targets) => ({
        ...model.loss(p, batch, wanted, {}),
        predicted: argMax(model.logits(p, batch, {}), 1),
      }));
      const { total, terms, predicted } = await evaluate(parameters, inputs, targets);
      for (const [name, value] of Object.entries(expected.terms)) {
        expectClose(values(terms[name] as Tensor), [value]);
      }
      expect(Object.keys(terms).sort()).toEqual(Object.keys(expected.terms).sort());
      expectClose(values(total), [expected.total]);
      expect(values(predicted)).toEqual(expected.argMax);
    });

    it.each([
      ["official", false],
      ["detached", true],
    ] as const)("reproduces gradient norms, teacher %s", async (_teacher, detached) => {
      const { model, parameters, inputs, targets } = setup(detached);
      const trainable = trainableParameters(model, parameters);
      const differentiate = engine.compile((p: Parameters, batch: Inputs, wanted: Targets) => {
        const { gradients } = valueAndGradients(() => model.loss({ ...parameters, ...p }, batch, wanted, {}).total, p);
        return { gradients, norm: globalNorm(gradients) };
      });
      const { gradients, norm: wholeNorm } = await differentiate(trainable, inputs, targets);
      for (const [name, norms] of Object.entries(expected.tensorNorms)) {
        expectClose(values(norm(gradients[name] as Tensor)), [norms[detached ? 1 : 0]]);
      }
      if (!detached) {
        expectClose(values(wholeNorm), [expected.gradientNorm]);
      }
      const speakers = gradients["speaker_embeddings.weight"] as Tensor2D;
      expect(row(speakers, golden.numSpeakers)).toEqual(new Array(8).fill(0));
      expect("t_t_gate.fc.weight" in gradients).toBe(golden.unimodalGate === "learned");
      expect("t_t.transformer_inter.0.layer_norm.weight" in gradients).toBe(false);
    });

    it("follows the official model over three Adam steps with coupled decay", async () => {
      const { model, parameters, inputs, targets } = setup();
      const optimizer = createAdam({
        lr: 1e-3,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weightDecay: 1e-2,
        decay: "coupled",
        maxGradientNorm: null,
      });
      let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
      const step = engine.compile((current: TrainState, batch: TrainingBatch, source: RandomSource) =>
        trainStep(model, optimizer, current, batch, source),
      );
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) {
        const result = await step(state, { inputs, targets }, createRandomSource(keyFromSeed(0)));
        losses.push(...values(result.losses.total as Tensor));
        state = result.state;
      }
      expectClose(losses, expected.adamLosses);
      expect(values(state.parameters["t_t.transformer_inter.0.layer_norm.weight"] as Tensor)).toEqual(
        values(parameters["t_t.transformer_inter.0.layer_norm.weight"] as Tensor),
      );
    });
  });
});
