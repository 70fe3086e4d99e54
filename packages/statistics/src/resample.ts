// Drawing with replacement from a key: the same key draws the same.
import { drawUniform, foldKey, type Key } from "@merclab/core";

/**
 * What `draw` makes of the key folded by each resample, `[resamples]`. The latest are kept: every cell and every pair of a
 * table asks for the same, and drawing takes longer than what is done with them.
 */
export function drawResamples<T extends Int32Array | Float64Array>(
  draw: (key: Key, size: number, count: number) => T,
  key: Key,
  size: number,
  count: number,
  resamples: number,
): readonly T[] {
  const name = [draw.name, key.k0, key.k1, size, count, resamples].join(" ");
  const known = kept.get(name) as readonly T[] | undefined;
  const drawn = known ?? Array.from({ length: resamples }, (_, each) => draw(foldKey(key, each), size, count));
  kept.delete(name);
  kept.set(name, drawn);
  for (const oldest of kept.keys()) {
    if (kept.size > MOST_KEPT) {
      kept.delete(oldest);
    }
  }
  return drawn;
}

/** Latest last. */
const kept = new Map<string, readonly (Int32Array | Float64Array)[]>();
const MOST_KEPT = 8;

/** `count` indices in [0, size). */
export function drawIndices(key: Key, size: number, count: number): Int32Array {
  const uniform = drawUniform(key, count);
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i += 1) {
    indices[i] = Math.floor((uniform[i] as number) * size);
  }
  return indices;
}

/** How often each of `size` things is drawn in `count` draws. */
export function drawCounts(key: Key, size: number, count: number): Float64Array {
  const counts = new Float64Array(size);
  for (const index of drawIndices(key, size, count)) {
    counts[index] = (counts[index] as number) + 1;
  }
  return counts;
}
