// SDT in its official configurations: parameter counts, names, and loading of official weights.
import {
  createEagerEngine,
  encodeSafetensors,
  type HostTensor,
  parametersFromArrays,
  parseSafetensors,
} from "@merclab/core";
import { createSdtEncoder, plugins as encoders, sdtEncoderOptions } from "@merclab/encoders";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { createModel, isOfficialBuffer, type ModelParts } from "@merclab/trainer";
import type { Tensor } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { CASE_A, goldenModel } from "./support/sdt-golden.ts";

function officialParts(encoder: Record<string, unknown> = {}): ModelParts {
  const part = <K extends "encoder" | "fusion" | "objective">(kind: K, name: string, options: unknown) => {
    const plugin = [...encoders, ...sdtPlugins].find((each) => each.kind === kind && each.name === name);
    if (plugin === undefined) {
      throw new Error(`no ${kind} ${name}`);
    }
    return { plugin: plugin as never, options: plugin.options.parse(options) };
  };
  return {
    encoder: part("encoder", "sdt", encoder),
    fusion: part("fusion", "sdt", {}),
    objective: part("objective", "self-distillation", {}),
  };
}

const site = (audio: number, classes: number, numSpeakers: number) => ({
  modalities: [
    { name: "text", dim: 1024 },
    { name: "audio", dim: audio },
    { name: "visual", dim: 342 },
  ],
  numSpeakers,
  task: { type: "single-label" as const, classes: Array.from({ length: classes }, (_, c) => `c${c}`) },
  trainClassCounts: new Array<number>(classes).fill(1),
  trainUtterances: classes,
});

describe("SDT's official configurations", () => {
  it("has 79,687,704 parameters on IEMOCAP, all but the skipped norms trainable", () => {
    const { count } = createModel(officialParts(), site(1582, 6, 2));
    expect(count).toEqual({ total: 79_687_704, trainable: 79_669_272 });
  });

  it("has 78,386,204 parameters on MELD, where the unimodal gates are frozen", () => {
    const { count } = createModel(officialParts({ unimodalGate: "identity" }), site(300, 7, 9));
    expect(count).toEqual({ total: 78_386_204, trainable: 68_930_588 });
  });

  it("names its tensors as the official state dict does, in its order", () => {
    const names = createModel(officialParts(), site(1582, 6, 2)).parameters.map((spec) => spec.name);
    const encoders = ["t_t", "a_t", "v_t", "a_a", "t_a", "v_a", "v_v", "t_v", "a_v"];
    const both = (name: string) => [`${name}.weight`, `${name}.bias`];
    expect(names).toEqual([
      "speaker_embeddings.weight",
      "textf_input.weight",
      "acouf_input.weight",
      "visuf_input.weight",
      ...encoders.flatMap((encoder) =>
        [
          "self_attn.linear_k",
          "self_attn.linear_v",
          "self_attn.linear_q",
          "self_attn.linear",
          "feed_forward.w_1",
          "feed_forward.w_2",
          "feed_forward.layer_norm",
          "layer_norm",
        ].flatMap((part) => both(`${encoder}.transformer_inter.0.${part}`)),
      ),
      ...encoders.map((encoder) => `${encoder}_gate.fc.weight`),
      ...both("features_reduce_t"),
      ...both("features_reduce_a"),
      ...both("features_reduce_v"),
      "last_gate.fc.weight",
      ...both("t_output_layer.2"),
      ...both("a_output_layer.2"),
      ...both("v_output_layer.2"),
      ...both("all_output_layer"),
    ]);
  });
});

describe("official weights", () => {
  beforeAll(() => createEagerEngine("cpu").start());

  const { model } = goldenModel(CASE_A);
  const official = new Map<string, HostTensor>([
    ...model.parameters.map((spec, k): [string, HostTensor] => {
      const size = spec.shape.reduce((a, b) => a * b, 1);
      return [spec.name, { shape: spec.shape, data: Float32Array.from({ length: size }, (_, i) => k + i / size) }];
    }),
    ["t_t.pos_emb.pe", { shape: [1, 512, 8], data: new Float32Array(512 * 8) }],
  ]);

  it("load from safetensors by name, position tables aside", () => {
    const loaded = parametersFromArrays(
      model.parameters,
      parseSafetensors(encodeSafetensors(official)),
      isOfficialBuffer,
    );
    expect(Object.keys(loaded)).toHaveLength(172);
    for (const [name, value] of Object.entries(loaded)) {
      expect(Array.from((value as Tensor).dataSync())).toEqual(Array.from(official.get(name)?.data ?? []));
    }
  });

  it("are refused with the names of what is missing, unexpected or misshapen", () => {
    const wrong = new Map(official);
    wrong.delete("last_gate.fc.weight");
    wrong.set("first_gate.fc.weight", { shape: [1], data: new Float32Array(1) });
    wrong.set("textf_input.weight", { shape: [8, 9, 1], data: new Float32Array(72) });
    expect(() => parametersFromArrays(model.parameters, wrong, isOfficialBuffer)).toThrow(
      /unexpected tensor "first_gate.fc.weight".*"textf_input.weight" has shape \[8, 9, 1\], expected \[8, 6, 1\].*missing tensor "last_gate.fc.weight" \[8, 8\]/,
    );
  });
});

describe("SDT's encoder on subsets of modalities", () => {
  const count = (names: readonly string[], options: Record<string, unknown> = {}) =>
    createSdtEncoder(sdtEncoderOptions.parse({ dim: 8, numHeads: 2, ...options }), {
      modalities: names.map((name) => ({ name, dim: 5 })),
      numSpeakers: 2,
    }).parameters;

  it("has one transformer per pair of source and target", () => {
    const gates = (names: readonly string[], options = {}) =>
      count(names, options).filter((spec) => spec.name.endsWith("_gate.fc.weight")).length;
    expect(gates(["text"])).toBe(1);
    expect(gates(["text", "audio"])).toBe(4);
    expect(gates(["text", "audio", "visual"])).toBe(9);
    expect(gates(["text", "audio", "visual", "gaze"])).toBe(16);
    expect(gates(["text", "audio", "visual"], { paths: "intra" })).toBe(3);
    expect(gates(["text", "audio", "visual"], { paths: "inter" })).toBe(6);
  });

  it("refuses inter-modal paths with one modality", () => {
    expect(() => count(["text"], { paths: "inter" })).toThrow(/needs two modalities, got text alone/);
  });
});
