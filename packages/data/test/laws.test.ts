// Laws of splitting and scaling, on random corpora.
import fc from "fast-check";
import { expect, test } from "vitest";
import { fitScale, normalizedRows } from "../src/folder/normalize.ts";
import { strataOf, sumCounts } from "../src/folder/strata.ts";
import { drawValidation } from "../src/folder/validation.ts";

const KINDS = 4;
const { count } = strataOf({ type: "single-label", classes: ["a", "b", "c", "d"] });
const corpora = fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), { minLength: 4, maxLength: 60 });
const toDialogues = (lists: number[][]) =>
  lists.map((labels, at) => ({ id: `d${at}`, counts: count(Int32Array.from(labels)) }));

test("a drawn validation part has the asked size, holds whole dialogues, and does not depend on their order", () => {
  fc.assert(
    fc.property(corpora, fc.double({ min: 0.05, max: 0.5, noNaN: true }), fc.nat(1000), (lists, fraction, seed) => {
      const dialogues = toDialogues(lists);
      const drawn = drawValidation(dialogues, { fraction, seed });
      expect(drawn.size).toBe(Math.max(1, Math.round(fraction * dialogues.length)));
      expect([...drawn].every((id) => dialogues.some((dialogue) => dialogue.id === id))).toBe(true);
      expect(drawValidation([...dialogues].reverse(), { fraction, seed })).toEqual(drawn);
    }),
    { numRuns: 30 },
  );
});

test("a drawn validation part has nearly the class shares of the whole", () => {
  const dialogues = toDialogues(
    Array.from({ length: 100 }, (_, at) =>
      new Array<number>(10).fill(0).map((_, i) => ((i + at) % 5 === 0 ? 1 : at % 4 === 0 ? 2 : 0)),
    ),
  );
  const countsOf = (part: typeof dialogues) =>
    sumCounts(
      part.map(({ counts }) => counts),
      KINDS,
    );
  const all = countsOf(dialogues);
  for (const seed of [0, 1, 2]) {
    const drawn = drawValidation(dialogues, { fraction: 0.2, seed });
    const part = countsOf(dialogues.filter(({ id }) => drawn.has(id)));
    part.forEach((count, label) => {
      expect(Math.abs(count - (all[label] ?? 0) * 0.2)).toBeLessThanOrEqual(4);
    });
  }
});

test("nothing is drawn when nothing would be left", () => {
  expect(() => drawValidation(toDialogues([[0]]), { fraction: 0.1, seed: 0 })).toThrow("leaves nothing");
});

test("the scale is fitted on train only: what other rows hold changes no training number", () => {
  const matrix = fc.record({
    train: fc.array(
      fc.tuple(fc.float({ noNaN: true, min: -100, max: 100 }), fc.float({ noNaN: true, min: -1, max: 1 })),
      { minLength: 2, maxLength: 20 },
    ),
    test: fc.array(fc.tuple(fc.float({ noNaN: true }), fc.float({ noNaN: true })), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(matrix, ({ train, test }) => {
      const rule = { method: "standardize", clip: 10 } as const;
      const run = (rows: [number, number][]) => {
        const data = Float32Array.from(rows.flat());
        const read = (first: number, count: number) => data.subarray(first * 2, (first + count) * 2);
        const features = { dim: 2, rows: rows.length, read, present: new Uint8Array(rows.length).fill(1) };
        return normalizedRows(features, [...rows.keys()], fitScale(features, [...train.keys()], rule));
      };
      const alone = run(train);
      const together = run([...train, ...test]);
      expect(together.subarray(0, alone.length)).toEqual(alone);
      expect(together.every((value) => Math.abs(value) <= 10)).toBe(true);
    }),
    { numRuns: 50 },
  );
});
