import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap } from "../src/session/heap.ts";

describe("the heap", () => {
  it("never gives a byte twice, aligns, and is whole again when all came back", () => {
    const action = fc.oneof(fc.record({ take: fc.integer({ min: 0, max: 40_000 }) }), fc.record({ give: fc.nat(100) }));
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const heap = new Heap(8);
        const size = heap.memory.buffer.byteLength;
        const taken: { start: number; end: number }[] = [];
        for (const step of actions) {
          if ("take" in step) {
            const start = heap.take(step.take);
            if (start !== undefined) {
              const end = start + Math.max(step.take, 1);
              expect(start % 64).toBe(0);
              expect(end).toBeLessThanOrEqual(size);
              expect(taken.some((other) => start < other.end && other.start < end)).toBe(false);
              taken.push({ start, end });
            }
          } else if (taken.length > 0) {
            const [given] = taken.splice(step.give % taken.length, 1);
            heap.give((given as { start: number }).start);
          }
        }
        for (const { start } of taken) {
          heap.give(start);
        }
        expect(heap.usedBytes).toBe(0);
        expect(heap.take(7 * 2 ** 16 - 1024)).toBe(1024); // all but what is kept at both ends
      }),
    );
  });

  it("has no room when it is full, and refuses what was never taken", () => {
    const heap = new Heap(2);
    expect(heap.take(2 ** 16)).toBeUndefined();
    const start = heap.take(100) as number;
    heap.give(start);
    expect(() => heap.give(start)).toThrow(/nothing was taken/);
  });
});
