// Dropout masks element by element, in plain TypeScript: what the WebAssembly kernel must give.
import { foldKey, type Key, threefry } from "@merclab/core";

/** Bits of one element, the levels below which it is dropped, and what a kept one becomes. */
export function resolutionOf(rate: number): { bits: number; dropped: number; kept: number } {
  const bits = [1, 2, 4, 8].find((each) => Number.isInteger(rate * 2 ** each)) ?? 16;
  const dropped = Math.min(Math.round(rate * 2 ** bits), 2 ** bits - 1);
  return { bits, dropped, kept: Math.fround(2 ** bits / (2 ** bits - dropped)) };
}

/** Row-major mask of `[lead, rows, columns]`. */
export function dropoutOracle(key: Key, [lead, rows, columns]: [number, number, number], rate: number): number[] {
  const { bits, dropped, kept } = resolutionOf(rate);
  const perBlock = 64 / bits;
  const words = new Uint32Array(2);
  const mask: number[] = [];
  for (let l = 0; l < lead; l++) {
    const { k0, k1 } = foldKey(key, l);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const place = column % perBlock;
        threefry(k0, k1, row, Math.floor(column / perBlock), words, 0);
        const word = words[place < perBlock / 2 ? 0 : 1] ?? 0;
        const level = Math.floor(word / 2 ** (bits * (place % (perBlock / 2)))) % 2 ** bits;
        mask.push(level >= dropped ? kept : 0);
      }
    }
  }
  return mask;
}
