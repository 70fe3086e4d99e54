// Buckets hold their batch, waste little, and are few.
import type { Dialogue } from "@merclab/core";
import { bucketOf } from "@merclab/data";
import fc from "fast-check";
import { expect, it } from "vitest";

const dialogues = (lengths: readonly number[]): Dialogue[] =>
  lengths.map((length, i) => ({ id: `d${i}`, speakers: new Int32Array(length) }) as Dialogue);

it("a bucket holds its batch, with at most a quarter more tokens and half as much time again", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 40 }), (lengths) => {
      const used = lengths.reduce((sum, length) => sum + length, 0);
      const longest = Math.max(...lengths);
      const { tokens, time } = bucketOf(dialogues(lengths));
      expect(tokens).toBeGreaterThanOrEqual(used);
      expect(tokens).toBeLessThan(used * 1.25 + 1);
      expect(time).toBeGreaterThanOrEqual(longest);
      expect(time).toBeLessThan(longest * 1.5 + 1);
      expect(bucketOf(dialogues([tokens])).tokens).toBe(tokens);
    }),
  );
});

it("sizes from 1 to 1,000 have few buckets", () => {
  const buckets = Array.from({ length: 1000 }, (_, i) => bucketOf(dialogues([i + 1])));
  expect(new Set(buckets.map(({ tokens }) => tokens)).size).toBe(36);
  expect(new Set(buckets.map(({ time }) => time)).size).toBe(20);
});
