// Feature matrices from numpy's .npy files: two axes, float16, float32 or float64, C or Fortran order.
import { readFile } from "node:fs/promises";
import { type NpyArray, parse } from "npyjs";
import type { Problem } from "../folder/problems.ts";

export interface Matrix {
  readonly rows: number;
  readonly dim: number;
  /** Row-major `[rows, dim]`. */
  readonly data: Float32Array;
}

const GIT_LFS_POINTER = "version https://git-lfs";
const HINT = 'Save it with numpy.save(path, array.astype("float32")), one row per utterance.';

/** @returns the matrix in float32, or why it cannot be had */
export async function readMatrix(path: string): Promise<Matrix | Problem> {
  const bytes = await readFile(path);
  if (bytes.subarray(0, GIT_LFS_POINTER.length).toString("latin1") === GIT_LFS_POINTER) {
    return {
      message: "this is a Git LFS pointer, not the data",
      where: path,
      hint: 'Run "git lfs pull" where it came from.',
    };
  }
  let array: NpyArray;
  try {
    array = parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
  } catch (error) {
    const reason = error instanceof RangeError ? "it is cut off or damaged" : (error as Error).message;
    return { message: `cannot be read as .npy: ${reason}`, where: path, hint: HINT };
  }
  const { data, dtype, shape, fortranOrder } = array;
  if (!(data instanceof Float32Array || data instanceof Float64Array) || !/^f[248]$/.test(dtype)) {
    return { message: `expected floating-point numbers (f2, f4 or f8), got dtype ${dtype}`, where: path, hint: HINT };
  }
  const [rows, dim] = shape;
  if (rows === undefined || dim === undefined || shape.length !== 2 || dim === 0) {
    return { message: `expected shape [utterances, width], got [${shape.join(", ")}]`, where: path, hint: HINT };
  }
  if (data.length !== rows * dim) {
    const message = `the header says ${rows} x ${dim} numbers, the file has ${data.length}: it is cut off or damaged`;
    return { message, where: path };
  }
  return { rows, dim, data: fortranOrder ? transposed(data, rows, dim) : Float32Array.from(data) };
}

/** Column-major to row-major. */
function transposed(data: Float32Array | Float64Array, rows: number, dim: number): Float32Array {
  const out = new Float32Array(rows * dim);
  for (let column = 0; column < dim; column++) {
    for (let row = 0; row < rows; row++) {
      out[row * dim + column] = data[column * rows + row] ?? 0;
    }
  }
  return out;
}
