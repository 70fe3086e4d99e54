// Draws from a key: bits, uniforms, normals, permutations and dropout masks, as plain typed arrays.
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
  return Float64Array.from(drawBits(key, count), (word) => low + (high - low) * (word / 2 ** 32));
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

/**
 * An inverted dropout mask: 0 with probability `rate`, else 1 / (1 − rate).
 *
 * One word serves as many elements as the rate allows: 32 for rate 0.5, four for multiples of 1/256, else two, which
 * resolves the rate to 1/65536 (the scale follows the resolved rate, so the mean stays 1).
 */
export function drawDropoutMask(key: Key, count: number, rate: number): Float32Array {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`dropout: expected a rate in [0, 1), got ${rate}`);
  }
  const bitsPerElement = [1, 2, 4, 8].find((bits) => Number.isInteger(rate * 2 ** bits)) ?? 16;
  const levels = 2 ** bitsPerElement;
  const dropped = Math.min(Math.round(rate * levels), levels - 1);
  const scale = levels / (levels - dropped);
  const perWord = 32 / bitsPerElement;
  const words = drawBits(key, Math.ceil(count / perWord));
  const mask = new Float32Array(count);
  const low = levels - 1;
  let at = 0;
  for (let w = 0; w < words.length; w++) {
    let word = words[w] ?? 0;
    const end = Math.min(at + perWord, count);
    for (; at < end; at++) {
      // The sign bit of `dropped − 1 − bits` is 1 where the element is kept: a branch on random bits would be
      // mispredicted half of the time.
      mask[at] = scale * ((dropped - 1 - (word & low)) >>> 31);
      word >>>= bitsPerElement;
    }
  }
  return mask;
}
