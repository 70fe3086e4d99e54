// Features on one scale, fitted on the training part only: what validation and test look like never enters.
import type { FeatureScale } from "@merclab/core";
import type { NormalizeRule } from "./description.ts";
import { blocks, type Features } from "./features.ts";

/** Deviations below this share of a column's largest value are rounding: the column is constant. */
const CONSTANT = 1e-7;

/** One modality's rows. */
export type FeatureRows = Pick<Features, "dim" | "rows" | "read" | "present">;

/**
 * @param fitRows training rows; those without the modality are left out
 * @returns undefined with the rule `none`
 */
export function fitScale(
  features: FeatureRows,
  fitRows: readonly number[],
  rule: NormalizeRule,
): FeatureScale | undefined {
  if (rule === "none") {
    return undefined;
  }
  const { dim, rows, present } = features;
  const used = new Uint8Array(rows);
  let count = 0;
  for (const row of fitRows) {
    if (present[row] !== 0) {
      used[row] = 1;
      count++;
    }
  }
  const mean = new Float64Array(dim);
  const largest = new Float64Array(dim);
  eachUsed(features, used, (value, column) => {
    mean[column] = (mean[column] as number) + value;
    largest[column] = Math.max(largest[column] as number, Math.abs(value));
  });
  mean.forEach((sum, column) => {
    mean[column] = count === 0 ? 0 : sum / count;
  });
  const squares = new Float64Array(dim);
  eachUsed(features, used, (value, column) => {
    squares[column] = (squares[column] as number) + (value - (mean[column] as number)) ** 2;
  });
  const inverse = squares.map((sum, column) => {
    const deviation = count === 0 ? 0 : Math.sqrt(sum / count);
    return deviation <= CONSTANT * (largest[column] as number) ? 0 : 1 / deviation;
  });
  return { mean, inverse, clip: rule.clip };
}

/**
 * Rows of one dialogue: (x − mean) / deviation per column, cut off at ±clip; constant columns and rows of a missing
 * modality become 0. Without a scale only missing rows change.
 *
 * @returns `[rows, dim]`, new
 */
export function normalizedRows(
  { dim, read, present }: FeatureRows,
  rows: readonly number[],
  scale: FeatureScale | undefined,
): Float32Array {
  const out = new Float32Array(rows.length * dim);
  const [first = 0] = rows;
  const consecutive = rows.every((row, at) => row === first + at);
  const whole = consecutive ? read(first, rows.length) : undefined;
  rows.forEach((row, at) => {
    if (present[row] === 0) {
      return;
    }
    const start = at * dim;
    const values = whole?.subarray(start, start + dim) ?? read(row, 1);
    if (scale === undefined) {
      out.set(values, start);
      return;
    }
    const { mean, inverse, clip } = scale;
    for (let column = 0; column < dim; column++) {
      const standard = ((values[column] as number) - (mean[column] as number)) * (inverse[column] as number);
      out[start + column] = Math.min(Math.max(standard, -clip), clip);
    }
  });
  return out;
}

/** Row by row, in order: sums come out the same however the rows are read. */
function eachUsed(features: FeatureRows, used: Uint8Array, visit: (value: number, column: number) => void): void {
  const { dim } = features;
  for (const { first, values } of blocks(features)) {
    for (let at = 0; at * dim < values.length; at++) {
      if (used[first + at] === 1) {
        for (let column = 0; column < dim; column++) {
          visit(values[at * dim + column] as number, column);
        }
      }
    }
  }
}
