// Drawing with replacement from a key: the same key draws the same.
import { drawUniform, type Key } from "@merclab/core";

/** `count` indices in [0, size). */
export function drawIndices(key: Key, size: number, count: number): Int32Array {
  return Int32Array.from(drawUniform(key, count), (uniform) => Math.floor(uniform * size));
}

/** How often each of `size` things is drawn in `count` draws. */
export function drawCounts(key: Key, size: number, count: number): Float64Array {
  const counts = new Float64Array(size);
  for (const index of drawIndices(key, size, count)) {
    counts[index] = (counts[index] as number) + 1;
  }
  return counts;
}
