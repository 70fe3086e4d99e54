// AssemblyScript, compiled to WebAssembly SIMD by `pnpm build:wasm`: inverted dropout masks from the bits of
// Threefry-2x32 with 20 rounds, four rows at a time. src/random/dropout.ts says which bits belong to which element;
// test/support/dropout-oracle.ts is the same in plain TypeScript.

const PARITY: u32 = 0x1bd11bda;

// @ts-ignore: decorator
@inline
function mix(x0: v128, x1: v128, by: i32): v128 {
  return v128.xor(v128.or(i32x4.shl(x1, by), i32x4.shr_u(x1, 32 - by)), x0);
}

/** The second word of each of four blocks; the first lies in `firstWords`. Lane l is threefry(k0, k1, c0 + l, c1). */
// @ts-ignore: decorator
@inline
function threefry(k0: u32, k1: u32, c0: u32, c1: u32): v128 {
  const k2 = k0 ^ k1 ^ PARITY;
  let x0 = i32x4.add(i32x4.splat(c0 + k0), i32x4(0, 1, 2, 3));
  let x1 = i32x4.splat(c1 + k1);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 13);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 15);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 26);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 6);
  x0 = i32x4.add(x0, i32x4.splat(k1));
  x1 = i32x4.add(x1, i32x4.splat(k2 + 1));
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 17);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 29);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 16);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 24);
  x0 = i32x4.add(x0, i32x4.splat(k2));
  x1 = i32x4.add(x1, i32x4.splat(k0 + 2));
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 13);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 15);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 26);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 6);
  x0 = i32x4.add(x0, i32x4.splat(k0));
  x1 = i32x4.add(x1, i32x4.splat(k1 + 3));
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 17);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 29);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 16);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 24);
  x0 = i32x4.add(x0, i32x4.splat(k1));
  x1 = i32x4.add(x1, i32x4.splat(k2 + 4));
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 13);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 15);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 26);
  x0 = i32x4.add(x0, x1);
  x1 = mix(x0, x1, 6);
  x0 = i32x4.add(x0, i32x4.splat(k2));
  x1 = i32x4.add(x1, i32x4.splat(k0 + 5));
  firstWords = x0;
  return x1;
}

let firstWords: v128 = i32x4.splat(0);

/**
 * Four elements: `kept` where the bits that `fields` picks of a word are at least `thresholds`, else 0.
 */
// @ts-ignore: decorator
@inline
function four(word: u32, shift: u32, fields: v128, thresholds: v128, kept: v128): v128 {
  return v128.and(i32x4.ge_u(v128.and(i32x4.splat(word >> shift), fields), thresholds), kept);
}

/** The 32 / bits elements of one word at `out`, or as many as there are before `end`. */
// @ts-ignore: decorator
@inline
function expand(word: u32, bits: u32, out: usize, end: usize, fields: v128, thresholds: v128, kept: v128): void {
  if (bits == 1 && out + 128 <= end) {
    v128.store(out, four(word, 0, fields, thresholds, kept), 0);
    v128.store(out, four(word, 4, fields, thresholds, kept), 16);
    v128.store(out, four(word, 8, fields, thresholds, kept), 32);
    v128.store(out, four(word, 12, fields, thresholds, kept), 48);
    v128.store(out, four(word, 16, fields, thresholds, kept), 64);
    v128.store(out, four(word, 20, fields, thresholds, kept), 80);
    v128.store(out, four(word, 24, fields, thresholds, kept), 96);
    v128.store(out, four(word, 28, fields, thresholds, kept), 112);
    return;
  }
  if (bits == 16) {
    for (let shift: u32 = 0; shift < 32 && out < end; shift += 16, out += 4) {
      const keeps = ((word >> shift) & 0xffff) >= u32(i32x4.extract_lane(thresholds, 0));
      store<f32>(out, keeps ? f32x4.extract_lane(kept, 0) : 0);
    }
    return;
  }
  for (let shift: u32 = 0; shift < 32 && out < end; shift += 4 * bits, out += 16) {
    const elements = four(word, shift, fields, thresholds, kept);
    if (out + 16 <= end) {
      v128.store(out, elements);
    } else {
      store<f32>(out, f32x4.extract_lane(elements, 0));
      if (out + 4 < end) store<f32>(out, f32x4.extract_lane(elements, 1), 4);
      if (out + 8 < end) store<f32>(out, f32x4.extract_lane(elements, 2), 8);
    }
  }
}

/**
 * A mask of `[lead, rows, columns]` float32 at `out`: 0 where an element's bits are below `dropped`, else `kept`.
 *
 * @param bits of one element: 1, 2, 4, 8 or 16
 */
export function dropout(
  out: usize,
  lead: u32,
  rows: u32,
  columns: u32,
  k0: u32,
  k1: u32,
  bits: u32,
  dropped: u32,
  kept: f32,
): void {
  const keptValue = f32x4.splat(kept);
  const low: u32 = (1 << bits) - 1;
  let fields = i32x4.replace_lane(i32x4.splat(low), 1, low << bits);
  fields = i32x4.replace_lane(fields, 2, low << (2 * bits));
  fields = i32x4.replace_lane(fields, 3, low << (3 * bits));
  let thresholds = i32x4.replace_lane(i32x4.splat(dropped), 1, dropped << bits);
  thresholds = i32x4.replace_lane(thresholds, 2, dropped << (2 * bits));
  thresholds = i32x4.replace_lane(thresholds, 3, dropped << (3 * bits));
  const rowBytes: usize = usize(columns) * 4;
  const blockBytes: usize = (64 / bits) * 4;
  const wordBytes: usize = blockBytes / 2;
  for (let l: u32 = 0; l < lead; l++) {
    const key1: u32 = i32x4.extract_lane(threefry(k0, k1, 1, l), 0); // the key folded with the number l
    const key0: u32 = i32x4.extract_lane(firstWords, 0);
    for (let row: u32 = 0; row < rows; row += 4) {
      const last = rows - row;
      const first: usize = out + usize(row) * rowBytes;
      let block: u32 = 0;
      for (let at: usize = 0; at < rowBytes; at += blockBytes, block++) {
        const w1 = threefry(key0, key1, row, block);
        const w0 = firstWords;
        let start = first + at;
        let end = first + rowBytes;
        expand(i32x4.extract_lane(w0, 0), bits, start, end, fields, thresholds, keptValue);
        expand(i32x4.extract_lane(w1, 0), bits, start + wordBytes, end, fields, thresholds, keptValue);
        if (last > 1) {
          start += rowBytes;
          end += rowBytes;
          expand(i32x4.extract_lane(w0, 1), bits, start, end, fields, thresholds, keptValue);
          expand(i32x4.extract_lane(w1, 1), bits, start + wordBytes, end, fields, thresholds, keptValue);
        }
        if (last > 2) {
          start += rowBytes;
          end += rowBytes;
          expand(i32x4.extract_lane(w0, 2), bits, start, end, fields, thresholds, keptValue);
          expand(i32x4.extract_lane(w1, 2), bits, start + wordBytes, end, fields, thresholds, keptValue);
        }
        if (last > 3) {
          start += rowBytes;
          end += rowBytes;
          expand(i32x4.extract_lane(w0, 3), bits, start, end, fields, thresholds, keptValue);
          expand(i32x4.extract_lane(w1, 3), bits, start + wordBytes, end, fields, thresholds, keptValue);
        }
      }
    }
    out += usize(rows) * rowBytes;
  }
}
