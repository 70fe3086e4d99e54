// The counter of costs against formulas by hand, for linear, concat and LMAM (multiplications of section 3.8 of its
// complexity, parameters of its tables), and one whole model.
import { countParameters, createEagerEngine } from "@merclab/core";
import { CLASSES, DIMS } from "@merclab/plugin-kit";
import { fusionCost, modelCost, STANDARD_BATCH } from "@merclab/trainer";
import { memory } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { modelOf, partsOf } from "./support/contract.ts";

const MODALITIES = ["text", "audio", "visual"];
const M = MODALITIES.length;
const n = STANDARD_BATCH.utterances;

/** Parameters and floating-point operations of the products of one dialogue. */
function costOf(name: string, options: Readonly<Record<string, unknown>>, dim: number) {
  const { fusion } = partsOf({ encoder: ["linear"], fusion: [name, options] });
  const made = fusion.plugin.create(fusion.options, { modalities: MODALITIES, dim });
  const { batch, utterance } = fusionCost(made, MODALITIES, dim);
  expect(utterance.products * n * STANDARD_BATCH.dialogues).toBeCloseTo(batch.products, 4);
  return {
    parameters: countParameters(made.parameters).total,
    products: batch.products / STANDARD_BATCH.dialogues,
    elementwise: batch.elementwise / STANDARD_BATCH.dialogues,
  };
}

describe("cost", () => {
  beforeAll(() => createEagerEngine("wasm").start());

  it.each([100, 128, 256])("of sum and concat at width %d", (d) => {
    expect(costOf("sum", {}, d)).toMatchObject({ parameters: 0, products: 0 });
    expect(costOf("concat", {}, d)).toMatchObject({ parameters: 0, products: 0 });
    expect(costOf("concat", { projection: true }, d)).toMatchObject({
      parameters: M * d * d + d,
      products: 2 * n * (M * d) * d,
    });
  });

  it.each([
    // width, full weight, rank 4, rank 16, as the tables of the specification have them
    [100, 10_100, 804, 3_216],
    [128, 16_512, 1_028, 4_112],
    [512, 262_656, 4_100, 16_400],
  ])("of LMAM at width %d", (d, full, rank4, rank16) => {
    // n d² + M n² d + n² d multiplications, and n d for the bias, which meets the memory in a product of its own.
    expect(costOf("lmam", {}, d)).toMatchObject({
      parameters: full,
      products: 2 * (n * d * d + M * n * n * d + n * n * d + n * d),
    });
    for (const [r, parameters] of [
      [4, rank4],
      [16, rank16],
    ] as const) {
      // (M + 1) n d r + M n² r + n² d
      expect(costOf("lmam", { rank: r }, d)).toMatchObject({
        parameters,
        products: 2 * ((M + 1) * n * d * r + M * n * n * r + n * n * d),
      });
    }
    // allPairs with a rank: 2 M n d r + M² n² r + M n² d
    expect(costOf("lmam", { rank: 4, mode: "allPairs" }, d).products).toBe(
      2 * (2 * M * n * d * 4 + M * M * n * n * 4 + M * n * n * d),
    );
  });

  it("of the outer product of tensor fusion counts its elements, which are no products", () => {
    const [d, k] = [32, 8];
    const { products, elementwise } = costOf("tfn", { modalityDim: k }, d);
    expect(products).toBe(2 * n * (M * d * k + (k + 1) ** M * d));
    expect(elementwise).toBeGreaterThan(n * ((k + 1) ** 2 + (k + 1) ** 3));
  });

  it("of a whole model is that of encoder, fusion and head, and leaves nothing behind", () => {
    const before = memory().numTensors;
    const model = modelOf({ encoder: ["linear", { dim: 8 }], fusion: ["concat"] });
    const widths = MODALITIES.map((name) => ({ name, dim: DIMS[name] ?? 0 }));
    const inputs = widths.reduce((sum, { dim }) => sum + dim, 0);
    expect(modelCost(model, widths).utterance.products).toBe(2 * (inputs * 8 + M * 8 * CLASSES.length));
    expect(model.count.total).toBe(inputs * 8 + M * 8 + M * 8 * CLASSES.length + CLASSES.length);
    expect(memory().numTensors).toBe(before);
  });
});
