// Declared parameters: the counts of section 8 of the specification, without making a tensor, and the names.
import { countParameters } from "@merclab/core";
import { describe, expect, it } from "vitest";
import { createLmam, lmamOptions } from "../src/index.ts";

function declared(given: Record<string, unknown>, dim: number, modalities = ["text", "audio", "visual"]) {
  return createLmam(lmamOptions.parse(given), { modalities, dim }).parameters;
}

function count(given: Record<string, unknown>, dim: number, modalities?: string[]): number {
  return countParameters(declared(given, dim, modalities)).trainable;
}

describe("parameters", () => {
  // width, full weight, ranks 4, 8, 16, 32, 64, largest rank below the full weight
  it.each([
    [100, 10_100, [804, 1_608, 3_216, 6_432, 12_864], 50],
    [128, 16_512, [1_028, 2_056, 4_112, 8_224, 16_448], 64],
    [256, 65_792, [2_052, 4_104, 8_208, 16_416, 32_832], 128],
    [512, 262_656, [4_100, 8_200, 16_400, 32_800, 65_600], 256],
    [600, 360_600, [4_804, 9_608, 19_216, 38_432, 76_864], 300],
    [1024, 1_049_600, [8_196, 16_392, 32_784, 65_568, 131_136], 512],
  ])("at width %d the full weight has %d, low ranks %o", (dim, full, low, largest) => {
    expect(count({}, dim)).toBe(full);
    expect([4, 8, 16, 32, 64].map((rank) => count({ rank, allowLargeRank: true }, dim))).toEqual(low);
    expect(count({ rank: largest }, dim)).toBeLessThan(full);
    expect(count({ rank: largest + 1, allowLargeRank: true }, dim)).toBeGreaterThanOrEqual(full);
  });

  it("neither the mode nor the number of modalities matters to a shared weight", () => {
    for (const mode of ["anchorMemory", "allPairs", "anchorQuery"]) {
      for (const modalities of [["text"], ["text", "audio"], ["text", "audio", "visual", "pulse"]]) {
        expect(count({ mode, rank: 4 }, 100, modalities)).toBe(804);
      }
    }
  });

  it("bias, augmentation, value space and sharing count as the specification says", () => {
    const [d, r, n] = [100, 4, 3];
    expect(count({ bias: "none" }, d)).toBe(d * d);
    expect(count({ rank: r, bias: "feature" }, d)).toBe(2 * d * r + d);
    expect(count({ rank: r, bias: "none" }, d)).toBe(2 * d * r);
    expect(count({ rank: r, augment: "both" }, d)).toBe(2 * (d + 1) * r);
    expect(count({ rank: r, valueSpace: "rank" }, d)).toBe(2 * d * r + r + r * d + d);
    expect(count({ rank: r, sharing: "perQueryModality" }, d)).toBe(n * (2 * d * r + r));
    expect(count({ rank: r, mode: "allPairs", sharing: "perPair" }, d)).toBe(n * n * (2 * d * r + r));
    expect(count({ rank: r, outputProjection: { units: 7 } }, d)).toBe(2 * d * r + r + 7 * d + 7);
  });

  it.each([
    [{}, ["lmam.weight", "lmam.bias"]],
    [{ rank: 2 }, ["lmam.u", "lmam.v", "lmam.c"]],
    [{ rank: 2, bias: "feature" }, ["lmam.u", "lmam.v", "lmam.bias"]],
    [
      { rank: 2, valueSpace: "rank", outputProjection: { units: 3 } },
      ["lmam.u", "lmam.v", "lmam.c", "lmam.value.weight", "lmam.value.bias", "lmam.output.weight", "lmam.output.bias"],
    ],
    [{ sharing: "perQueryModality", bias: "none" }, ["lmam.weight.text", "lmam.weight.audio", "lmam.weight.visual"]],
    [
      { mode: "anchorQuery", sharing: "perPair", bias: "none" },
      ["lmam.weight.text.text", "lmam.weight.text.audio", "lmam.weight.text.visual"],
    ],
  ])("%o names them %o", (given, names) => {
    expect(declared(given, 8).map(({ name }) => name)).toEqual(names);
  });
});
