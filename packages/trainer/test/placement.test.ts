// A fusion before the encoder: what is declared, what the host sees, what is refused.
import { countParameters } from "@merclab/core";
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
