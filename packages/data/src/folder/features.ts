// One modality of a folder: its matrix (or one per part, laid end to end), checked against the tables.
import { SPLITS } from "@merclab/core";
import { type Matrix, readMatrix } from "../npy/read-npy.ts";
import type { FolderDescription } from "./description.ts";
import { findFile } from "./paths.ts";
import { addTally, createTally, hit, type Problem } from "./problems.ts";

export interface Features {
  readonly name: string;
  readonly dim: number;
  /** Row-major `[rows, dim]`, as stored. */
  readonly data: Float32Array;
  /** `[rows]`: 1 = observed. Values of other rows are never used, so they are not checked either. */
  readonly present: Uint8Array;
}

/**
 * @param tableRows rows of each table, in the order train, valid, test where there are several; undefined where a
 *   table could not be read, which switches the check of the row count off
 * @param present `[rows]`; undefined = all observed
 * @returns undefined when a file cannot be used at all
 */
export async function readFeatures(
  folder: string,
  description: FolderDescription,
  name: string,
  tableRows: readonly number[] | undefined,
  present: Uint8Array | undefined,
  problems: Problem[],
): Promise<Features | undefined> {
  const modality = description.modalities[name];
  if (modality === undefined) {
    throw new Error(`readFeatures: the description has no modality ${name}`);
  }
  const { file, width } = modality;
  const files = typeof file === "string" ? [file] : SPLITS.flatMap((split) => file[split] ?? []);
  const expected = files.length === tableRows?.length ? tableRows : tableRows && [sum(tableRows)];
  const before = problems.length;
  const matrices: Matrix[] = [];
  let dim = width;
  let firstRow = 0;
  for (const [at, relative] of files.entries()) {
    const path = await findFile(folder, relative);
    const matrix = typeof path === "string" ? await readMatrix(path) : path;
    if (typeof path !== "string" || !("data" in matrix)) {
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
    checkFinite(name, path, matrix, present?.subarray(firstRow), problems);
    firstRow += matrix.rows;
    matrices.push(matrix);
  }
  if (problems.length > before || dim === undefined) {
    return undefined;
  }
  const data = concat(matrices.map((matrix) => matrix.data));
  return { name, dim, data, present: present ?? new Uint8Array(data.length / dim).fill(1) };
}

function checkFinite(
  name: string,
  path: string,
  { data, dim }: Matrix,
  present: Uint8Array | undefined,
  problems: Problem[],
): void {
  const tally = createTally();
  for (let i = 0; i < data.length; i++) {
    const row = Math.floor(i / dim);
    if (!Number.isFinite(data[i]) && present?.[row] !== 0) {
      hit(tally, `${path} (row ${row}, column ${i % dim}, from 0)`, `${name}: ${data[i]} in the features`);
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
