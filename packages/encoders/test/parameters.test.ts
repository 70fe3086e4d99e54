// Declared parameters: counts by formula, without making a tensor, and names.
import { countParameters } from "@merclab/core";
import { describe, expect, it } from "vitest";
import { createEncoder, type Options } from "./support.ts";

const S = 3;
const widths = [11, 7, 5, 2];
const names = ["text", "audio", "visual", "gaze"];
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function declared(encoder: string, options: Options, modalities = 3) {
  const site = {
    modalities: names.slice(0, modalities).map((name, m) => ({ name, dim: widths[m] ?? 0 })),
    numSpeakers: S,
  };
  return createEncoder(encoder, options, site).parameters;
}

const count = (encoder: string, options: Options, modalities?: number) =>
  countParameters(declared(encoder, options, modalities));

describe("parameters of linear", () => {
  it.each([1, 2, 3, 4])("%d modalities: a map from each width to dim", (modalities) => {
    const total = sum(widths.slice(0, modalities).map((width) => width * 6 + 6));
    expect(count("linear", { dim: 6 }, modalities)).toEqual({ total, trainable: total });
  });
});

describe("parameters of transformer", () => {
  it.each([
    [1, 1, 4],
    [3, 1, 4],
    [3, 2, 1],
    [4, 3, 2],
  ])("%d modalities, %d layers, feed-forward of %d times dim", (modalities, numLayers, feedForwardFactor) => {
    const d = 8;
    const inner = feedForwardFactor * d;
    const layer = 4 * (d * d + d) + (d * inner + inner) + (inner * d + d) + 4 * d;
    const inputs = sum(widths.slice(0, modalities).map((width) => width * d + d));
    const total = (S + 1) * d + inputs + modalities * (numLayers * layer + 2 * d);
    const options = { dim: d, numHeads: 2, numLayers, feedForwardFactor };
    expect(count("transformer", options, modalities)).toEqual({ total, trainable: total });
    const without = count("transformer", { ...options, speakers: false }, modalities);
    expect(without.total).toBe(total - (S + 1) * d);
  });
});

describe("parameters of sdt", () => {
  const d = 8;
  const transformer = 6 * (d * d + d) + 4 * d;
  const options = { dim: d, numHeads: 2 };

  it.each([
    [1, "both", 1],
    [2, "both", 2],
    [3, "both", 3],
    [4, "both", 4],
    [3, "intra", 1],
    [3, "inter", 2],
    [4, "inter", 3],
  ])("%d modalities, paths %s: %d transformers and gates per target, one reduction", (modalities, paths, perTarget) => {
    const inputs = sum(widths.slice(0, modalities).map((width) => width * d));
    const gated = modalities * perTarget;
    const reductions = modalities * (perTarget * d * d + d);
    const total = (S + 1) * d + inputs + gated * (transformer + d * d) + reductions;
    // The skipped norm of each first layer is carried, never trained.
    const trainable = total - gated * 2 * d;
    expect(count("sdt", { ...options, paths }, modalities)).toEqual({ total, trainable });
  });

  it("gates: carried and frozen as the identity, or absent", () => {
    const { total, trainable } = count("sdt", options);
    const gates = 9 * d * d;
    expect(count("sdt", { ...options, unimodalGate: "identity" })).toEqual({ total, trainable: trainable - gates });
    for (const unimodalGate of ["bare", "none"]) {
      const without = { total: total - gates, trainable: trainable - gates };
      expect(count("sdt", { ...options, unimodalGate })).toEqual(without);
    }
  });

  it("further layers are trained whole; heads cost nothing; speakers are one table", () => {
    const { total, trainable } = count("sdt", options);
    expect(count("sdt", { ...options, numLayers: 3 })).toEqual({
      total: total + 2 * 9 * transformer,
      trainable: trainable + 2 * 9 * transformer,
    });
    expect(count("sdt", { ...options, numHeads: 8 })).toEqual({ total, trainable });
    expect(count("sdt", { ...options, positions: false })).toEqual({ total, trainable });
    expect(count("sdt", { ...options, speakers: false }).total).toBe(total - (S + 1) * d);
  });

  it("uses the official short names, and free names as they are", () => {
    const found = new Set(declared("sdt", options, 4).map(({ name }) => name.split(".")[0]));
    expect([...found]).toEqual([
      "speaker_embeddings",
      ...["textf_input", "acouf_input", "visuf_input", "gaze_input"],
      ...["t_t", "a_t", "v_t", "gaze_t", "a_a", "t_a", "v_a", "gaze_a"],
      ...["v_v", "t_v", "a_v", "gaze_v", "gaze_gaze", "t_gaze", "a_gaze", "v_gaze"],
      ...["t_t_gate", "a_t_gate", "v_t_gate", "gaze_t_gate", "a_a_gate", "t_a_gate", "v_a_gate", "gaze_a_gate"],
      ...["v_v_gate", "t_v_gate", "a_v_gate", "gaze_v_gate"],
      ...["gaze_gaze_gate", "t_gaze_gate", "a_gaze_gate", "v_gaze_gate"],
      ...["features_reduce_t", "features_reduce_a", "features_reduce_v", "features_reduce_gaze"],
    ]);
  });
});
