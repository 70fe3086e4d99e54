// Keys of the counter-based generator. A key is a value: it is passed and folded, never advanced, so the same
// name under the same seed gives the same numbers wherever and in whatever order they are drawn.
import { threefry } from "./threefry.ts";

export interface Key {
  readonly k0: number;
  readonly k1: number;
}

/** The root key of a seed (a non-negative safe integer). */
export function keyFromSeed(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`keyFromSeed: expected a non-negative integer, got ${seed}`);
  }
  return { k0: Math.floor(seed / 2 ** 32) >>> 0, k1: seed >>> 0 };
}

/**
 * A key derived from another one by names or counters: `foldKey(key, "epoch", 3)`.
 *
 * @throws RangeError for a number that is no 32-bit counter; it would share its key with one that is
 */
export function foldKey(key: Key, ...path: (string | number)[]): Key {
  let { k0, k1 } = key;
  const words = new Uint32Array(2);
  for (const part of path) {
    if (typeof part === "number" && part !== part >>> 0) {
      throw new RangeError(`foldKey: expected a name or an integer from 0 to 2^32 - 1, got ${part}`);
    }
    const [c0, c1] = typeof part === "number" ? [1, part] : [2, hashName(part)];
    threefry(k0, k1, c0, c1, words, 0);
    k0 = words[0] ?? 0;
    k1 = words[1] ?? 0;
  }
  return { k0, k1 };
}

/** FNV-1a over UTF-16 units: spreads names over 32 bits; threefry does the mixing. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
