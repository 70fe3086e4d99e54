// Features on one scale, fitted on the training part only: what validation and test look like never enters.
import type { NormalizeRule } from "./description.ts";

/** Deviations below this share of a column's largest value are rounding: the column is constant. */
const CONSTANT = 1e-7;

/** One modality's rows. */
export interface FeatureRows {
  readonly dim: number;
  /** Row-major `[rows, dim]`. */
  readonly data: Float32Array;
  /** `[rows]`: 1 = observed. */
  readonly present: Uint8Array;
}

/**
 * (x − mean) / deviation per column, cut off at ±clip; constant columns and rows of a missing modality become 0.
 * With the rule `none` only missing rows change.
 *
 * @param fitRows training rows; those without the modality are left out of mean and deviation
 * @returns `[rows, dim]`, new
 */
export function normalizeFeatures(
  features: FeatureRows,
  fitRows: readonly number[],
  rule: NormalizeRule,
): Float32Array {
  const { dim, data, present } = features;
  const rows = data.length / dim;
  const scale = rule === "none" ? undefined : fitScale(features, fitRows);
  const clip = rule === "none" ? 0 : rule.clip;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    if (present[row] === 0) {
      continue;
    }
    for (let column = 0; column < dim; column++) {
      const value = data[row * dim + column] ?? 0;
      if (scale === undefined) {
        out[row * dim + column] = value;
      } else {
        const standard = (value - (scale.mean[column] ?? 0)) * (scale.inverse[column] ?? 0);
        out[row * dim + column] = Math.min(Math.max(standard, -clip), clip);
      }
    }
  }
  return out;
}

/** Mean and 1 / deviation per column `[dim]`; 0 for constant columns. */
function fitScale(
  { dim, data, present }: FeatureRows,
  fitRows: readonly number[],
): { mean: Float64Array; inverse: Float64Array } {
  const used = fitRows.filter((row) => present[row] !== 0);
  const mean = new Float64Array(dim);
  const inverse = new Float64Array(dim);
  for (let column = 0; column < dim; column++) {
    let sum = 0;
    let largest = 0;
    for (const row of used) {
      const value = data[row * dim + column] ?? 0;
      sum += value;
      largest = Math.max(largest, Math.abs(value));
    }
    const average = used.length === 0 ? 0 : sum / used.length;
    let squares = 0;
    for (const row of used) {
      squares += ((data[row * dim + column] ?? 0) - average) ** 2;
    }
    const deviation = used.length === 0 ? 0 : Math.sqrt(squares / used.length);
    mean[column] = average;
    inverse[column] = deviation <= CONSTANT * largest ? 0 : 1 / deviation;
  }
  return { mean, inverse };
}
