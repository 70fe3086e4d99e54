// Predictions come in the order of the data set, whatever shared a batch.
import { initialParameters, keyFromSeed } from "@merclab/core";
import { dispose, memory } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createPredictor } from "../src/index.ts";
import { ENGINES, LMAM, modelOf, SDT, startEngine, tinyDataset } from "./support.ts";

const dataset = tinyDataset({ dialogues: { train: 1, valid: 12, test: 3 }, testLabels: "alarmed" });

describe.each(ENGINES)("predictions on %s", (backend) => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  beforeAll(async () => {
    engine = await startEngine(backend);
  });

  it("are those of each dialogue alone, in the order given, for every batch size", async () => {
    const { valid } = dataset.splits;
    expect(new Set(valid.map(({ speakers }) => speakers.length)).size).toBeGreaterThan(2);
    const model = modelOf(SDT, dataset);
    const before = memory().numTensors;
    const parameters = initialParameters(model.parameters, keyFromSeed(2));
    const held = memory().numTensors;
    const alone = createPredictor(model, engine, dataset.modalities, 1);
    const expected = new Map<string, Float32Array>();
    for (const dialogue of valid) {
      expected.set(dialogue.id, await alone(parameters, [dialogue]));
    }
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...valid], { minLength: 1 }),
        fc.integer({ min: 1, max: 14 }),
        async (dialogues, batchSize) => {
          const got = await createPredictor(model, engine, dataset.modalities, batchSize)(parameters, dialogues);
          const want = dialogues.flatMap(({ id }) => [...(expected.get(id) ?? [])]);
          expect(got.length).toBe(want.length);
          expect(Math.max(...want.map((x, i) => Math.abs(x - (got[i] ?? Number.NaN))))).toBeLessThan(1e-6);
        },
      ),
      { numRuns: 20 },
    );
    expect(memory().numTensors).toBe(held);
    dispose(parameters);
    expect(memory().numTensors).toBe(before);
  });

  it("are probabilities, without dropout, and need no labels", async () => {
    const model = modelOf(LMAM, dataset);
    const parameters = initialParameters(model.parameters, keyFromSeed(2));
    const predict = createPredictor(model, engine, dataset.modalities, 2);
    const once = await predict(parameters, dataset.splits.test);
    expect(await predict(parameters, dataset.splits.test)).toEqual(once);
    expect(once.length).toBe(3 * dataset.splits.test.reduce((sum, { speakers }) => sum + speakers.length, 0));
    for (let i = 0; i < once.length; i += 3) {
      expect(once.subarray(i, i + 3).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
    expect(await predict(parameters, [])).toEqual(new Float32Array());
    dispose(parameters);
  });

  it("leave nothing behind when the model fails", async () => {
    const model = modelOf(LMAM, dataset);
    const before = memory().numTensors;
    const predict = createPredictor(model, engine, dataset.modalities, 2);
    await expect(predict({}, dataset.splits.test)).rejects.toThrow("was never declared");
    expect(memory().numTensors).toBe(before);
  });
});
