// HDF5 files as dicts of arrays: groups become dicts, datasets arrays whose rows are read when asked for. The reading is
// that of the HDF5 library itself, compiled to WebAssembly (h5wasm, by NIST).
import { MerclabError } from "@merclab/core";
import { Bytes, dtypeFromDescr, NdArray, PickleError, type PickleValue, type Source } from "@merclab/pickle";
import type { Dataset, Group } from "h5wasm/node";

/** Groups inside groups, at most. */
const MAX_DEPTH = 16;

/** @throws MerclabError `data` */
export async function openHdf5(path: string): Promise<{ value: Map<string, PickleValue>; close(): void }> {
  if (stoppedAt !== undefined) {
    throw new MerclabError("data", `the HDF5 library stopped at a damaged file before, ${stoppedAt}`, {
      where: path,
      hint: "Open this file in a process of its own.",
    });
  }
  const hdf5 = await import("h5wasm/node");
  const library = await hdf5.ready;
  // Else a damaged chunk is printed to stderr and read as zeros.
  library.activate_throwing_error_handler();
  const file = readable(path, () => new hdf5.File(path, "r"));
  try {
    return { value: readable(path, () => groupOf(file, path, MAX_DEPTH)), close: () => file.close() };
  } catch (error) {
    // A file that could not be opened at all cannot be closed either.
    try {
      file.close();
    } catch {}
    throw error;
  }

  function groupOf(group: Group, where: string, depth: number): Map<string, PickleValue> {
    if (depth === 0) {
      throw new MerclabError("data", `groups lie more than ${MAX_DEPTH} deep`, { where });
    }
    const value = new Map<string, PickleValue>();
    for (const name of group.keys()) {
      const entry = group.get(name);
      const place = `${where} (${name})`;
      if (entry instanceof hdf5.Dataset) {
        value.set(name, datasetOf(entry, place));
      } else if (entry instanceof hdf5.Group) {
        value.set(name, groupOf(entry, place, depth - 1));
      } else {
        throw new MerclabError("data", "expected a group or a dataset; links are not followed", { where: place });
      }
    }
    return value;
  }
}

/** The file at which the library gave up (WebAssembly stopped): it cannot be used again in this process. */
let stoppedAt: string | undefined;

/** The library's own errors say little; all of them mean that the file is not what it should be. */
function readable<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof MerclabError || cause instanceof PickleError) {
      throw cause;
    }
    stoppedAt ??= cause instanceof Error && cause.name === "RuntimeError" ? where : undefined;
    throw new MerclabError("data", "cannot be read as HDF5: it is cut off or damaged", { where, cause });
  }
}

function datasetOf(dataset: Dataset, where: string): PickleValue {
  const { shape, dtype } = dataset;
  if (typeof dtype !== "string" || shape === null) {
    throw new MerclabError("data", "this HDF5 type is not read; save numbers and texts", { where });
  }
  if (dtype.startsWith("S")) {
    const texts = dataset.value;
    return typeof texts === "string" ? texts : ((texts ?? []) as unknown as string[]);
  }
  const descr = NUMPY[dtype.replace(/^[<>|=]/, "")];
  if (descr === undefined) {
    throw new MerclabError("data", `HDF5 type ${dtype} is not read; save numbers and texts`, { where });
  }
  const type = dtypeFromDescr(descr);
  const rowBytes = shape.slice(1).reduce((size, dim) => size * dim, type.itemBytes);
  const length = shape.reduce((size, dim) => size * dim, type.itemBytes);
  const read = (start: number, end: number): Buffer => readable(where, () => readBytes(start, end));
  const readBytes = (start: number, end: number): Buffer => {
    if (shape.length === 0 || start === end) {
      return bytesOf(dataset.value).subarray(start, end);
    }
    const first = Math.floor(start / rowBytes);
    const rest = shape.slice(1).map((dim): [number, number] => [0, dim]);
    const rows = bytesOf(dataset.slice([[first, Math.ceil(end / rowBytes)], ...rest]));
    return rows.subarray(start - first * rowBytes, end - first * rowBytes);
  };
  const source: Source = {
    length,
    inMemory: false,
    read,
    copyTo: (target, start) => {
      read(start, start + target.length).copy(target);
    },
  };
  return new NdArray({ dtype: type, shape, fortran: false, storage: new Bytes(source) });
}

/** h5wasm's letters, by width in bytes; it hands out numbers in this machine's byte order. */
const NUMPY: Readonly<Record<string, string>> = {
  b: "|i1",
  B: "|u1",
  h: "<i2",
  H: "<u2",
  i: "<i4",
  I: "<u4",
  q: "<i8",
  Q: "<u8",
  l: "<i8",
  L: "<u8",
  f: "<f4",
  d: "<f8",
};

function bytesOf(value: unknown): Buffer {
  if (!ArrayBuffer.isView(value)) {
    throw new MerclabError("data", "an HDF5 dataset holds something else than numbers");
  }
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
