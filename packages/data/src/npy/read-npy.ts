// Feature matrices from numpy's .npy files: two axes, float16, float32 or float64, C or Fortran order. Rows are read
// when asked for.
import { MerclabError } from "@merclab/core";
import type { NdArray } from "@merclab/pickle";
import { openNpy } from "../files/npy.ts";
import type { Problem } from "../folder/problems.ts";

export interface Matrix {
  readonly rows: number;
  readonly dim: number;
  /** Row-major `[count, dim]` from row `first` on; not to be changed. */
  read(first: number, count: number): Float32Array;
  /** Nothing can be read afterwards. */
  close(): void;
}

const HINT = 'Save it with numpy.save(path, array.astype("float32")), one row per utterance.';

/** @returns the matrix, or why it cannot be had */
export function openMatrix(path: string): Matrix | Problem {
  let file: { readonly value: NdArray; close(): void };
  try {
    file = openNpy(path);
  } catch (error) {
    if (error instanceof MerclabError) {
      return { message: error.message, where: path, hint: error.hint ?? HINT };
    }
    return { message: `cannot be read as .npy: ${(error as Error).message}`, where: path, hint: HINT };
  }
  const { value } = file;
  const refused = (message: string): Problem => {
    file.close();
    return { message, where: path, hint: HINT };
  };
  if (value.dtype.kind !== "f") {
    return refused(
      `expected floating-point numbers (f2, f4 or f8), got dtype ${value.dtype.name.replace(/^[<>|]/, "")}`,
    );
  }
  const [rows, dim] = value.shape;
  if (rows === undefined || dim === undefined || value.shape.length !== 2 || dim === 0) {
    return refused(`expected shape [utterances, width], got [${value.shape.join(", ")}]`);
  }
  // In Fortran order a row lies scattered over the file: the matrix is turned once.
  const whole = value.columnMajor ? value.toFloat32() : undefined;
  return {
    rows,
    dim,
    read(first, count) {
      const [start, end] = [first * dim, (first + count) * dim];
      return whole?.subarray(start, end) ?? value.readFloat32(start, end);
    },
    close: file.close,
  };
}
