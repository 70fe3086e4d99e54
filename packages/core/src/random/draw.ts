// Draws from a key: bits, uniforms, normals and permutations, as plain typed arrays.
import type { Key } from "./key.ts";
import { threefry } from "./threefry.ts";

/** `count` words of 32 random bits. */
export function drawBits(key: Key, count: number): Uint32Array {
  const words = new Uint32Array(count + (count & 1));
  for (let i = 0; i < words.length; i += 2) {
    threefry(key.k0, key.k1, 0, i >>> 1, words, i);
  }
  return words.length === count ? words : words.subarray(0, count);
}

/** `count` numbers in [low, high), 32 bits of resolution. */
export function drawUniform(key: Key, count: number, low = 0, high = 1): Float64Array {
  const bits = drawBits(key, count);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    out[i] = low + (high - low) * ((bits[i] ?? 0) / 2 ** 32);
  }
  return out;
}

/** `count` standard normals by Box and Muller's transform. */
export function drawNormal(key: Key, count: number): Float64Array {
  const bits = drawBits(key, count + (count & 1));
  const out = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((bits[i] ?? 0) + 0.5) / 2 ** 32));
    const angle = (2 * Math.PI * (bits[i + 1] ?? 0)) / 2 ** 32;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) {
      out[i + 1] = radius * Math.sin(angle);
    }
  }
  return out;
}

/** A random order of 0 … count − 1 (Fisher and Yates). */
export function drawPermutation(key: Key, count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const uniform = drawUniform(key, count);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((uniform[i] ?? 0) * (i + 1));
    const swap = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = swap;
  }
  return order;
}
