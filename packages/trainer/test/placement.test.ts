// A fusion before the encoder, or beside it: what is declared, what the host sees, what is refused.
import { countParameters, type Dialogue, initialParameters, keyFromSeed } from "@merclab/core";
import { packBatch } from "@merclab/data";
import { zerosLike } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { LMAM, modelOf, startEngine, tinyDataset } from "./support.ts";

const early = (placement: string, encoder = LMAM.encoder) =>
  modelOf({ ...LMAM, encoder, fusion: ["lmam", { rank: 2, placement }] }, tinyDataset());

describe("a fusion before the encoder", () => {
  beforeAll(() => startEngine("cpu"));

  it("maps each modality once, fuses, and leaves one sequence to the host", () => {
    const names = early("early").parameters.map(({ name }) => name);
    const inputs = ["text", "audio", "visual"].flatMap((name) => [`early.${name}.weight`, `early.${name}.bias`]);
    expect(names.slice(0, 6)).toEqual(inputs);
    expect(names.filter((name) => name.startsWith("transformer.") && name.endsWith(".input.weight"))).toEqual([
      "transformer.fused.input.weight",
    ]);
  });

  it("adds a linear map of all modalities where it has a residual", () => {
    const size = (placement: string) => countParameters(early(placement).parameters).total;
    expect(size("early-residual") - size("early")).toBe(8 * 3 * 8 + 8);
  });

  it("is refused for a host that needs two modalities", () => {
    const inter = ["sdt", { dim: 8, numHeads: 2, paths: "inter" }] as const;
    expect(() => early("early", inter)).toThrow(/needs two modalities, got fused alone/);
    expect(() => early("late", inter)).not.toThrow();
  });
});

describe("a fusion beside the encoder", () => {
  beforeAll(() => startEngine("cpu"));

  const parallel = (options: object) =>
    modelOf(
      { ...LMAM, encoder: LMAM.encoder, fusion: ["lmam", { rank: 2, placement: "parallel", ...options }] },
      tinyDataset(),
    );

  it("leaves the features to the host, and maps its streams to the fusion's width", () => {
    const shapes = Object.fromEntries(parallel({ width: 6 }).parameters.map(({ name, shape }) => [name, shape]));
    expect(shapes["transformer.text.input.weight"]).toEqual(shapes["parallel.text.weight"]?.with(0, 8));
    expect(shapes["parallel.join.weight"]).toEqual([6, 3 * 8]);
    expect(shapes["classifier.weight"]?.[1]).toBe(6);
  });

  it("adds what both make of the features", () => {
    const dataset = tinyDataset();
    const model = modelOf({ ...LMAM, fusion: ["lmam", { rank: 2, placement: "parallel" }] }, dataset);
    const values = initialParameters(model.parameters, keyFromSeed(3));
    const [first] = dataset.splits.train;
    const { inputs } = packBatch([first as Dialogue], dataset.modalities);
    const logits = (without: RegExp) => {
      const kept = Object.entries(values).map(([name, value]) => [name, without.test(name) ? zerosLike(value) : value]);
      return model.logits(Object.fromEntries(kept), inputs, {}).dataSync();
    };
    const [both, host, lmam, bias] = [/^$/, /^parallel\.(?!join)/, /^parallel\.join/, /^parallel/].map(logits);
    expect(lmam).not.toEqual(bias);
    expect(host).not.toEqual(bias);
    for (const [i, value] of (both as Float32Array).entries()) {
      expect(value).toBeCloseTo((host?.[i] as number) + (lmam?.[i] as number) - (bias?.[i] as number), 5);
    }
  });
});
