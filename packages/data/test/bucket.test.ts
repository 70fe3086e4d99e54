// Buckets hold every batch, waste little, and are few.
import { type Dialogue, foldKey, keyFromSeed } from "@merclab/core";
import { bucketsOfBatches, bucketsOfTraining, epochBatches, evaluationBatches } from "@merclab/data";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const dialogues = (lengths: readonly number[]): Dialogue[] =>
  lengths.map((length, i) => ({ id: `d${i}`, speakers: new Int32Array(length) }) as Dialogue);

const tokensOf = (batch: readonly Dialogue[]): number => batch.reduce((sum, { speakers }) => sum + speakers.length, 0);

const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 });

describe("buckets", () => {
  it("hold any batch of an epoch, in at most 12 shapes", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 9 }), fc.nat(1000), (sizes, batchSize, epoch) => {
        const all = dialogues(sizes);
        const buckets = bucketsOfTraining(all, batchSize);
        expect(buckets.buckets.length).toBeLessThanOrEqual(12);
        for (const batch of epochBatches(all, batchSize, foldKey(keyFromSeed(7), epoch))) {
          const { tokens = 0, time = 0, shortTime = 0 } = buckets.of(batch);
          const sorted = batch.map(({ speakers }) => speakers.length).sort((a, b) => b - a);
          expect(tokens).toBeGreaterThanOrEqual(tokensOf(batch));
          expect(time).toBeGreaterThanOrEqual(sorted[0] ?? 0);
          expect(shortTime).toBeGreaterThanOrEqual(sorted[Math.ceil(sorted.length / 2)] ?? 0);
          expect(buckets.buckets).toContainEqual({ tokens, time, shortTime });
        }
      }),
      { numRuns: 40 },
    );
  });

  it("of evaluation hold its batches, in at most as many shapes as were asked for", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 9 }), (sizes, batchSize) => {
        const batches = evaluationBatches(dialogues(sizes), batchSize).map((batch) => batch.dialogues);
        const buckets = bucketsOfBatches(batches, 3);
        const used = batches.map((batch) => JSON.stringify([batch.length, buckets.of(batch)]));
        expect(new Set(used).size).toBeLessThanOrEqual(3);
        for (const batch of batches) {
          expect(buckets.of(batch).tokens).toBeGreaterThanOrEqual(tokensOf(batch));
        }
      }),
    );
  });

  it("use nine tenths of their tokens where lengths are like IEMOCAP's", () => {
    const all = dialogues(Array.from({ length: 108 }, (_, i) => 10 + ((i * 37) % 90)));
    const buckets = bucketsOfTraining(all, 16);
    const batches = Array.from({ length: 20 }, (_, epoch) => epochBatches(all, 16, foldKey(keyFromSeed(3), epoch)));
    const used = batches.flat().reduce((sum, batch) => sum + tokensOf(batch), 0);
    const paid = batches.flat().reduce((sum, batch) => sum + (buckets.of(batch).tokens ?? 0), 0);
    expect(used / paid).toBeGreaterThan(0.9);
    expect(new Set(batches.flat().map((batch) => JSON.stringify(buckets.of(batch)))).size).toBeLessThanOrEqual(11);
  });

  it("are their own where a batch fits none", () => {
    const buckets = bucketsOfTraining(dialogues([3, 4]), 2);
    expect(buckets.of(dialogues([9, 2, 1]))).toEqual({ tokens: 12, time: 9, shortTime: 1 });
  });
});
