// Packed batches: laws of packing, order and evaluation, and no leaked tensors.
import { classTargets, createEagerEngine, type Dialogue, foldKey, keyFromSeed, padTokens } from "@merclab/core";
import { memory } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  epochBatches,
  evaluationBatches,
  packBatch,
  packHostBatch,
  packRows,
  restoreOrder,
  syntheticPlugin,
  unpackRows,
} from "../src/index.ts";

const modalities = [{ name: "text", dim: 3 }];

/** A dialogue whose numbers all tell where they come from. */
function dialogue(number: number, length: number): Dialogue {
  return {
    id: `d${number}`,
    utteranceIds: Array.from({ length }, (_, at) => `d${number}/${at}`),
    features: { text: Float32Array.from({ length: length * 3 }, (_, i) => number + i / 1000) },
    present: { text: Uint8Array.from({ length }, (_, at) => (number + at) % 2) },
    speakers: Int32Array.from({ length }, (_, at) => at % 2),
    labels: Int32Array.from({ length }, (_, at) => (number + at) % 4),
  };
}

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });

beforeAll(async () => createEagerEngine("cpu").start());

describe("packHostBatch", () => {
  test("packing, then unpacking is the identity, whatever the bucket", () => {
    fc.assert(
      fc.property(lengths, fc.nat(7), (sizes, extra) => {
        const dialogues = sizes.map((length, at) => dialogue(at, length));
        const used = sizes.reduce((sum, length) => sum + length, 0);
        const batch = packHostBatch(dialogues, modalities, { tokens: used + extra });
        expect(batch.tokens).toBe(used + extra);
        const rows = batch.features.text ?? new Float32Array();
        const perDialogue = unpackRows(rows, 3, batch.lengths);
        expect(perDialogue).toEqual(dialogues.map(({ features }) => features.text));
        expect(packRows(perDialogue)).toEqual(rows.subarray(0, 3 * batch.lengths.reduce((a, b) => a + b, 0)));
        expect(rows.subarray(used * 3).every((value) => value === 0)).toBe(true);
        expect([...(batch.labels ?? [])].slice(0, used)).toEqual(
          dialogues.flatMap(({ labels }) => [...(labels ?? [])]),
        );
      }),
      { numRuns: 50 },
    );
  });

  test("a batch with a sealed dialogue has no labels at all", () => {
    const { labels: _, ...sealed } = dialogue(1, 2);
    expect(packHostBatch([dialogue(0, 3), sealed], modalities).labels).toBeUndefined();
  });

  test("what does not fit or is missing is named", () => {
    expect(() => packHostBatch([dialogue(0, 3)], modalities, { tokens: 2 })).toThrow('of dialogue "d0" do not fit');
    expect(() => packHostBatch([dialogue(0, 3)], [{ name: "audio", dim: 1 }])).toThrow('dialogue "d0" has no audio');
  });
});

describe("packBatch", () => {
  test("gives tensors in packed order, padding last, and frees them all", () => {
    const before = memory().numTensors;
    const batch = packBatch([dialogue(1, 2), dialogue(5, 1)], modalities, { tokens: 4, time: 3 });
    const { inputs, targets } = batch;
    expect(inputs.features.text?.shape).toEqual([4, 3]);
    expect([...(inputs.present.text?.dataSync() ?? [])]).toEqual([1, 0, 1, 0]);
    expect([inputs.speakers.dtype, ...inputs.speakers.dataSync()]).toEqual(["int32", 0, 1, 0, 0]);
    const labels = targets && classTargets(targets).labels;
    expect([labels?.dtype, ...(labels?.dataSync() ?? [])]).toEqual(["int32", 1, 2, 1, 0]);
    expect([...(targets?.mask.dataSync() ?? [])]).toEqual([1, 1, 1, 0]);
    const padded = inputs.features.text && padTokens(inputs.features.text, inputs.layout);
    expect(padded?.shape).toEqual([2, 3, 3]);
    expect([...(padded?.dataSync() ?? [])].slice(9)).toEqual([...Float32Array.of(5, 5.001, 5.002), 0, 0, 0, 0, 0, 0]);
    padded?.dispose();
    batch.dispose();
    expect(memory().numTensors).toBe(before);
  });

  test("gives no targets for test dialogues, and frees that, too", async () => {
    const { dataset } = await syntheticPlugin.create(syntheticPlugin.options.parse({}), { dataRoot: undefined }).load();
    const before = memory().numTensors;
    const batch = packBatch(dataset.splits.test, dataset.modalities);
    expect(batch.targets).toBeUndefined();
    expect(batch.inputs.layout.batch).toBe(20);
    batch.dispose();
    expect(memory().numTensors).toBe(before);
  });
});

describe("order", () => {
  const key = foldKey(keyFromSeed(7), "epoch", 3);

  test("an epoch shows each dialogue once, in an order that its key alone decides", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 5 }), (sizes, batchSize) => {
        const dialogues = sizes.map((length, at) => dialogue(at, length));
        const batches = epochBatches(dialogues, batchSize, key);
        const ids = batches.flat().map(({ id }) => id);
        expect([...ids].sort()).toEqual(dialogues.map(({ id }) => id).sort());
        expect(batches.slice(0, -1).every((batch) => batch.length === batchSize)).toBe(true);
        expect(epochBatches(dialogues, batchSize, key)).toEqual(batches);
      }),
      { numRuns: 30 },
    );
    const many = Array.from({ length: 20 }, (_, at) => dialogue(at, 1));
    expect(epochBatches(many, 4, foldKey(key, 1))).not.toEqual(epochBatches(many, 4, key));
  });

  test("evaluation batches are of nearly one size, and their results can be put back", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 5 }), (sizes, batchSize) => {
        const dialogues = sizes.map((length, at) => dialogue(at, length));
        const batches = evaluationBatches(dialogues, batchSize);
        const counts = batches.map((batch) => batch.dialogues.length);
        expect(batches).toHaveLength(Math.ceil(sizes.length / batchSize));
        expect(Math.max(0, ...counts)).toBeLessThanOrEqual(batchSize);
        expect(Math.max(0, ...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        const tokens = batches.map((batch) => batch.dialogues.reduce((sum, { speakers }) => sum + speakers.length, 0));
        // Dealt forth and back, two batches differ by no more than the longest dialogue.
        expect(Math.max(...tokens) - Math.min(...tokens)).toBeLessThanOrEqual(Math.max(...sizes));
        const results = batches.map((batch) => batch.dialogues.map(({ id }) => id));
        expect(restoreOrder(batches, results)).toEqual(dialogues.map(({ id }) => id));
      }),
      { numRuns: 100 },
    );
  });

  test("a batch size below one and results of another size are refused", () => {
    expect(() => epochBatches([dialogue(0, 1)], 0, key)).toThrow("positive batch size");
    expect(() => restoreOrder(evaluationBatches([dialogue(0, 1)], 1), [[]])).toThrow("has 1 dialogues, 0 results");
  });
});
