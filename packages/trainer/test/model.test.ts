// Putting parts together: what fits, what is refused, and what a model declares.
import { type Fusion, initialParameters, keyFromSeed, linearSpecs, type Objective, outputDim } from "@merclab/core";
import { packBatch } from "@merclab/data";
import { scalar, type Tensor, type Tensor2D, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { assembleModel } from "../src/index.ts";
import { LMAM, modelOf, partsOf, refusal, SDT, startEngine, tinyDataset } from "./support.ts";

const dataset = tinyDataset();

describe("createModel", () => {
  it("joins the parameters of encoder, fusion, objective and classifier, in this order", () => {
    const names = modelOf(SDT, dataset).parameters.map(({ name }) => name);
    const last = names.slice(-9);
    expect(names[0]).toBe("speaker_embeddings.weight");
    expect(last).toEqual([
      "last_gate.fc.weight",
      ...["t", "a", "v"].flatMap((short) => [`${short}_output_layer.2.weight`, `${short}_output_layer.2.bias`]),
      "all_output_layer.weight",
      "all_output_layer.bias",
    ]);
    expect(modelOf(LMAM, dataset).parameters.slice(-2)).toMatchObject([
      { name: "classifier.weight", shape: [3, 8] },
      { name: "classifier.bias", shape: [3] },
    ]);
  });

  it("counts parameters, and those that train", () => {
    const model = modelOf(SDT, dataset);
    const frozen = model.parameters.filter((spec) => spec.frozen === true);
    expect(frozen).toHaveLength(18); // the skipped norms
    expect(model.count.total - model.count.trainable).toBe(18 * 8);
  });

  it("an objective that needs streams is refused with a fusion that gives none, by name and with a way out", async () => {
    const error = await refusal(() => modelOf({ ...LMAM, objective: ["self-distillation", {}] }, dataset));
    expect([error.code, error.message, error.hint]).toEqual([
      "combination",
      "objective self-distillation needs per-modality streams; fusion lmam gives none",
      "Choose another objective, e.g. objective=cross-entropy.",
    ]);
  });

  it("without students self-distillation needs no streams", () => {
    const objective = ["self-distillation", { hardWeight: 0, softWeight: 0 }] as const;
    expect(modelOf({ ...LMAM, objective }, dataset).count.total).toBe(modelOf(LMAM, dataset).count.total);
  });

  it.each([
    ["an anchor that is no modality", { ...LMAM, fusion: ["lmam", { anchor: "gaze" }] }, /anchor "gaze" is none/],
    ["a rank above the width", { ...LMAM, fusion: ["lmam", { rank: 9, allowLargeRank: true }] }, /above the width 8/],
    ["heads that do not divide the width", { encoder: ["sdt", { dim: 8, numHeads: 3 }] }, /no multiple of numHeads 3/],
    ["class weights for other classes", { objective: ["self-distillation", { classWeights: [1] }] }, /has 1 numbers/],
  ] as const)("%s is refused before training", async (_what, choice, message) => {
    expect((await refusal(() => modelOf(choice, dataset))).message).toMatch(message);
  });

  it("one modality is enough", () => {
    const site = tinyDataset({ modalities: ["audio"] });
    const names = modelOf(SDT, site).parameters.map(({ name }) => name);
    expect(names).not.toContain("last_gate.fc.weight");
    expect(names.filter((name) => name.includes("output_layer")).sort()).toEqual([
      "a_output_layer.2.bias",
      "a_output_layer.2.weight",
      "all_output_layer.bias",
      "all_output_layer.weight",
    ]);
  });
});

describe("assembleModel", () => {
  const { encoder: encoderPart } = partsOf(LMAM);
  const encoder = encoderPart.plugin.create(encoderPart.options, dataset);
  const sumOfStreams = (extra: Partial<Fusion> = {}): Fusion => ({
    dim: 8,
    gives: new Set(),
    parameters: [],
    apply: (_values, streams) => ({ fused: streams.text as Tensor2D }),
    ...extra,
  });
  const constantLoss: Objective = {
    parameters: [],
    needs: new Set(),
    loss: () => ({ total: scalar(2), terms: { task: scalar(2) } }),
  };

  beforeAll(() => startEngine("cpu"));

  it("refuses two parts that own a parameter of one name", async () => {
    const fusion = sumOfStreams({ parameters: linearSpecs("classifier", 8, 8) });
    const error = await refusal(() => assembleModel({ encoder, fusion, objective: constantLoss }, dataset.task));
    expect([error.code, error.message]).toEqual([
      "combination",
      'two parts of the model own a parameter named "classifier.weight"',
    ]);
  });

  /** The loss of a model whose fusion has losses of its own. */
  const lossWith = (losses: Readonly<Record<string, number>>) =>
    tidy(() => {
      const fusion = sumOfStreams({
        apply: (_values, streams) => ({
          fused: streams.text as Tensor2D,
          losses: Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, scalar(value)])),
        }),
      });
      const model = assembleModel({ encoder, fusion, objective: constantLoss }, dataset.task);
      const { inputs, targets } = packBatch(dataset.splits.train, dataset.modalities);
      if (targets === undefined) {
        throw new Error("training dialogues have labels");
      }
      const values = initialParameters(model.parameters, keyFromSeed(0));
      expect(model.logits(values, inputs, {}).shape).toEqual([inputs.layout.tokens, outputDim(dataset.task)]);
      const { total, terms } = model.loss(values, inputs, targets, {});
      const number = (x: Tensor) => x.dataSync()[0];
      return [number(total), Object.fromEntries(Object.entries(terms).map(([name, x]) => [name, number(x)]))];
    });

  it("adds the fusion's own losses to the objective's, by name", () => {
    expect(lossWith({ rank: 3, balance: 4 })).toEqual([9, { task: 2, rank: 3, balance: 4 }]);
    expect(lossWith({})).toEqual([2, { task: 2 }]);
  });

  it.each(["task", "total"])("refuses a loss of the fusion named %s, which another one has", async (name) => {
    const error = await refusal(() => lossWith({ [name]: 1 }));
    expect([error.code, error.message]).toEqual([
      "combination",
      `fusion and objective both have a loss named "${name}"`,
    ]);
  });
});
