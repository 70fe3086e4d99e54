// One modality of a folder: its matrix (or one per part, laid end to end), checked against the tables. Small ones are
// read into memory, others row by row from their files.
import { SPLITS } from "@merclab/core";
import { type Matrix, openMatrix } from "../npy/read-npy.ts";
import type { ObservedDescription } from "./description.ts";
import { findFile } from "./paths.ts";
import { addTally, createTally, hit, type Problem } from "./problems.ts";

export interface Features {
  readonly name: string;
  readonly dim: number;
  readonly rows: number;
  /** Row-major `[count, dim]` from row `first` on, as stored; not to be changed. */
  read(first: number, count: number): Float32Array;
  /** `[rows]`: 1 = observed. Values of other rows are never used, so they are not checked either. */
  readonly present: Uint8Array;
  /** Nothing can be read from a streamed modality afterwards. */
  close(): void;
}

/** Rows that are looked at together, where all rows are. */
const BLOCK_ROWS = 1024;

/** All rows in order, a block at a time. */
export function* blocks({
  rows,
  read,
}: Pick<Features, "rows" | "read">): Generator<{ first: number; values: Float32Array }> {
  for (let first = 0; first < rows; first += BLOCK_ROWS) {
    yield { first, values: read(first, Math.min(BLOCK_ROWS, rows - first)) };
  }
}

/**
 * @param tableRows rows of each table, in the order train, valid, test where there are several; undefined where a
 *   table could not be read, which switches the check of the row count off
 * @param present `[rows]`; undefined = all observed
 * @param streamed whether values stay in their files
 * @returns undefined when a file cannot be used at all
 */
export async function readFeatures(
  folder: string,
  description: ObservedDescription,
  name: string,
  tableRows: readonly number[] | undefined,
  present: Uint8Array | undefined,
  problems: Problem[],
  streamed: boolean,
): Promise<Features | undefined> {
  const modality = description.modalities[name];
  if (modality === undefined) {
    throw new Error(`readFeatures: the description has no modality ${name}`);
  }
  const { file, width } = modality;
  const files = typeof file === "string" ? [file] : SPLITS.flatMap((split) => file[split] ?? []);
  const expected = files.length === tableRows?.length ? tableRows : tableRows && [sum(tableRows)];
  const before = problems.length;
  // Told, but no reason not to look at the rest.
  const notFinite: Problem[] = [];
  const matrices: Matrix[] = [];
  let dim = width;
  let firstRow = 0;
  for (const [at, relative] of files.entries()) {
    const path = await findFile(folder, relative);
    const matrix = typeof path === "string" ? openMatrix(path) : path;
    if (typeof path !== "string" || !("read" in matrix)) {
      problems.push(matrix as Problem);
      continue;
    }
    const rows = expected?.[at];
    if (rows !== undefined && rows !== matrix.rows) {
      const message = `${name}: the table has ${rows} rows, the features have ${matrix.rows}`;
      problems.push({ message, where: path, hint: "Row n of the features belongs to row n of the table." });
    }
    if (dim !== undefined && matrix.dim !== dim) {
      const told = width === undefined ? "as in the other files" : `(modalities.${name}.width)`;
      problems.push({ message: `${name}: expected width ${dim} ${told}, got ${matrix.dim}`, where: path });
    }
    dim ??= matrix.dim;
    checkFinite(name, path, matrix, present?.subarray(firstRow), notFinite);
    firstRow += matrix.rows;
    matrices.push(matrix);
  }
  const usable = problems.length === before;
  problems.push(...notFinite);
  if (!usable || dim === undefined) {
    closeAll(matrices);
    return undefined;
  }
  const rows = sum(matrices.map((matrix) => matrix.rows));
  const flags = present ?? new Uint8Array(rows).fill(1);
  if (streamed) {
    const read = (first: number, count: number): Float32Array => readAcross(matrices, first, count);
    return { name, dim, rows, read, present: flags, close: () => closeAll(matrices) };
  }
  const columns = dim;
  const data = readAcross(matrices, 0, rows);
  closeAll(matrices);
  const read = (first: number, count: number): Float32Array =>
    data.subarray(first * columns, (first + count) * columns);
  return { name, dim, rows, read, present: flags, close: () => undefined };
}

/** Rows of matrices that lie end to end. */
function readAcross(matrices: readonly Matrix[], first: number, count: number): Float32Array {
  const parts: Float32Array[] = [];
  let start = 0;
  for (const matrix of matrices) {
    const from = Math.max(first - start, 0);
    const to = Math.min(first + count - start, matrix.rows);
    if (from < to) {
      parts.push(matrix.read(from, to - from));
    }
    start += matrix.rows;
  }
  return parts.length === 1 ? (parts[0] ?? new Float32Array()) : concat(parts);
}

function closeAll(matrices: readonly Matrix[]): void {
  for (const matrix of matrices) {
    matrix.close();
  }
}

function checkFinite(
  name: string,
  path: string,
  matrix: Matrix,
  present: Uint8Array | undefined,
  problems: Problem[],
): void {
  const tally = createTally();
  const { dim } = matrix;
  for (const { first, values } of blocks(matrix)) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!Number.isFinite(value)) {
        const row = first + Math.floor(i / dim);
        if (present?.[row] !== 0) {
          hit(tally, `${path} (row ${row}, column ${i % dim}, from 0)`, `${name}: ${value} in the features`);
        }
      }
    }
  }
  addTally(problems, tally, "value", "Replace such values, or mark their rows as missing in a presence column.");
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(sum(parts.map((part) => part.length)));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
