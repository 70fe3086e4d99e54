// Tensors from stored arrays, and a comparison that counts NaN as different from everything.
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { expect } from "vitest";

/** A tensor as the fixtures store it. */
export interface StoredTensor {
  readonly shape: number[];
  readonly data: readonly number[];
}

export function fromStored({ shape, data }: StoredTensor): Tensor {
  return tensor(Float32Array.from(data), shape);
}

/** Numbers of a tensor, row-major. */
export function valuesOf(x: Tensor): number[] {
  return Array.from(x.dataSync());
}

/** Every |actual − expected| ≤ rtol · max|expected| + atol: float32 rounds at the scale of the terms of a sum. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 1e-5, atol = 1e-7, what = "" } = {},
): void {
  expect(actual.length, `${what} length`).toBe(expected.length);
  const scale = Array.from(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const limit = rtol * scale + atol;
  const wrong = Array.from(expected).findIndex((value, i) => !(Math.abs((actual[i] ?? Number.NaN) - value) <= limit));
  expect(wrong, `${what} at ${wrong}: ${actual[wrong]} against ${expected[wrong]}, allowed ±${limit}`).toBe(-1);
}
