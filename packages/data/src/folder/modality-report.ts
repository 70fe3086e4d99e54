// What one modality of a folder holds: ranges, what is constant, repeated, missing or not finite. Read once, in blocks.
import { createHash } from "node:crypto";
import { blocks, type Features } from "./features.ts";

export interface ModalityReport {
  readonly name: string;
  readonly width: number;
  /** Over all observed finite values, as stored. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Columns that hold one value only, by position. */
  readonly constantColumns: readonly number[];
  /** Columns that equal an earlier one in every row and are not constant: [column, earlier column]. */
  readonly duplicateColumns: readonly (readonly [number, number])[];
  /** Rows of the features. */
  readonly utterances: number;
  /** Utterances that the table marks as lacking this modality. */
  readonly missing: number;
  /** Utterances marked as having it whose vector is all zeros: most likely no face, no sound. */
  readonly zeroVectors: number;
  readonly notANumber: number;
  readonly infinite: number;
}

export interface ExaminedModality {
  readonly report: ModalityReport;
  /** Per row a fingerprint of its values; undefined where they are missing or all zeros. */
  readonly rowPrints: readonly (string | undefined)[];
}

export function examineModality(features: Features): ExaminedModality {
  const { name, dim, rows, present } = features;
  const low = new Float64Array(dim).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(dim).fill(Number.NEGATIVE_INFINITY);
  // Two 32-bit prints per column: equal columns have equal ones, others by a chance of 1 in 2^64.
  const prints = [new Int32Array(dim), new Int32Array(dim)] as const;
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  const rowPrints: (string | undefined)[] = new Array<string | undefined>(rows);
  const count = { sum: 0, finite: 0, observed: 0, zeroVectors: 0, notANumber: 0, infinite: 0 };
  for (const { first, values } of blocks(features)) {
    for (let at = 0; at * dim < values.length; at++) {
      if (present[first + at] === 0) {
        continue;
      }
      const row = values.subarray(at * dim, (at + 1) * dim);
      count.observed++;
      let zeros = true;
      for (let column = 0; column < dim; column++) {
        const value = row[column] as number;
        zeros &&= value === 0;
        float[0] = value;
        prints[0][column] = Math.imul(prints[0][column] as number, 31) + (bits[0] as number);
        prints[1][column] = Math.imul((prints[1][column] as number) ^ (bits[0] as number), 0x01000193);
        if (!Number.isFinite(value)) {
          count[Number.isNaN(value) ? "notANumber" : "infinite"]++;
          continue;
        }
        low[column] = Math.min(low[column] as number, value);
        high[column] = Math.max(high[column] as number, value);
        count.sum += value;
        count.finite++;
      }
      count.zeroVectors += zeros ? 1 : 0;
      if (!zeros) {
        const bytes = new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
        rowPrints[first + at] = createHash("md5").update(bytes).digest("base64");
      }
    }
  }
  const constant = (column: number): boolean => low[column] === high[column];
  const some = count.finite > 0;
  const report: ModalityReport = {
    name,
    width: dim,
    min: some ? low.reduce((least, value) => Math.min(least, value)) : 0,
    max: some ? high.reduce((most, value) => Math.max(most, value)) : 0,
    mean: some ? count.sum / count.finite : 0,
    constantColumns: [...low.keys()].filter(constant),
    duplicateColumns: duplicates(prints, (column) => !constant(column)),
    utterances: rows,
    missing: rows - count.observed,
    zeroVectors: count.zeroVectors,
    notANumber: count.notANumber,
    infinite: count.infinite,
  };
  return { report, rowPrints };
}

function duplicates(
  [a, b]: readonly [Int32Array, Int32Array],
  counts: (column: number) => boolean,
): (readonly [number, number])[] {
  const seen = new Map<string, number>();
  const found: (readonly [number, number])[] = [];
  for (const column of a.keys()) {
    const print = `${a[column]}/${b[column]}`;
    const earlier = seen.get(print);
    if (!counts(column)) {
      continue;
    }
    if (earlier === undefined) {
      seen.set(print, column);
    } else {
      found.push([column, earlier]);
    }
  }
  return found;
}
