// Initial values of parameters. The defaults of linear layers, embeddings and norms are PyTorch's, since the
// published models rely on them.
import { drawNormal, drawUniform } from "../random/draw.ts";
import type { Key } from "../random/key.ts";
import { sizeOf } from "./parameters.ts";

/** Values for a shape, row-major. */
export type Initializer = (key: Key, shape: readonly number[]) => Float32Array;

export const zeros: Initializer = (_key, shape) => new Float32Array(sizeOf(shape));

export const ones: Initializer = (_key, shape) => new Float32Array(sizeOf(shape)).fill(1);

/** The identity matrix, for `[n, n]`. */
export const identity: Initializer = (_key, shape) => {
  const size = shape[0] ?? 0;
  const values = new Float32Array(size * size);
  for (let i = 0; i < size; i++) {
    values[i * size + i] = 1;
  }
  return values;
};

/** U(−1/√fanIn, 1/√fanIn): weights and biases of PyTorch's Linear and Conv1d with kernel 1. */
export function uniformFanIn(fanIn: number): Initializer {
  return uniform(1 / Math.sqrt(fanIn));
}

/** U(−√(6 / (inDim + outDim)), √(6 / (inDim + outDim))), after Glorot and Bengio 2010. */
export function glorotUniform(inDim: number, outDim: number): Initializer {
  return uniform(Math.sqrt(6 / (inDim + outDim)));
}

function uniform(bound: number): Initializer {
  return (key, shape) => Float32Array.from(drawUniform(key, sizeOf(shape), -bound, bound));
}

export function normal(stddev: number): Initializer {
  return (key, shape) => Float32Array.from(drawNormal(key, sizeOf(shape)), (value) => value * stddev);
}

/** N(0, 1) with a last row of zeros: an embedding table whose last row stands for padding. */
export const embeddingWithPadding: Initializer = (key, shape) => {
  const values = Float32Array.from(drawNormal(key, sizeOf(shape)));
  values.fill(0, values.length - (shape[1] ?? 0));
  return values;
};
