// Small .npz archives, as numpy reads and writes them: one .npy per name in a zip. float16 included, which is how
// probabilities are stored.

import { MerclabError } from "@merclab/core";
import { Float16Array } from "@petamoriken/float16";
import { unzipSync, zipSync } from "fflate";
import { dump, parse } from "npyjs";

export interface NpzEntry {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array | Int32Array;
  /** How it is stored: float16, float32 or int32. */
  readonly dtype: "f2" | "f4" | "i4";
}

/** Zip files start their calendar in 1980; a fixed date makes equal entries equal bytes. */
const ZIP_DATE = new Date(1980, 0, 1);

/** @throws RangeError when a shape does not fit its data */
export function encodeNpz(entries: Readonly<Record<string, NpzEntry>>): Uint8Array {
  const files = Object.entries(entries).map(([name, { shape, data, dtype }]) => {
    if (shape.reduce((size, dim) => size * dim, 1) !== data.length) {
      throw new RangeError(`encodeNpz: ${name} has ${data.length} numbers, shape [${shape.join(", ")}]`);
    }
    return [`${name}.npy`, new Uint8Array(dump(stored(data, dtype), [...shape], { dtype }))] as const;
  });
  return zipSync(Object.fromEntries(files), { level: 6, mtime: ZIP_DATE });
}

function stored(data: Float32Array | Int32Array, dtype: NpzEntry["dtype"]): Float32Array | Int32Array | Uint16Array {
  switch (dtype) {
    case "f2":
      return new Uint16Array(new Float16Array(data).buffer);
    case "f4":
      return data instanceof Float32Array ? data : Float32Array.from(data);
    case "i4":
      return data instanceof Int32Array ? data : Int32Array.from(data);
  }
}

/**
 * Reads what `encodeNpz` wrote; float16 comes back as float32.
 *
 * @param file name shown in errors
 * @throws MerclabError `data` when the archive is damaged or holds other types
 */
export function decodeNpz(bytes: Uint8Array, file = "npz"): Record<string, NpzEntry> {
  try {
    const entries = Object.entries(unzipSync(bytes)).map(([name, content]) => {
      return [name.replace(/\.npy$/, ""), decodeEntry(content)] as const;
    });
    return Object.fromEntries(entries);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MerclabError("data", `cannot be read as .npz: ${reason}`, { where: file, cause });
  }
}

function decodeEntry(content: Uint8Array): NpzEntry {
  const { data: raw, shape, dtype, fortranOrder } = parse(content.slice().buffer, { convertFloat16: false });
  const data = dtype === "f2" && raw instanceof Uint16Array ? widened(raw) : raw;
  const known = dtype === "f2" || dtype === "f4" || dtype === "i4";
  if (!known || fortranOrder || !(data instanceof Float32Array || data instanceof Int32Array)) {
    throw new Error(`expected f2, f4 or i4 in C order, got ${dtype}${fortranOrder ? " in Fortran order" : ""}`);
  }
  if (shape.reduce((size, dim) => size * dim, 1) !== data.length) {
    throw new Error(`the header says [${shape.join(", ")}], there are ${data.length} numbers`);
  }
  return { shape, data, dtype };
}

/** Every float16, by its bits. */
let halves: Float32Array | undefined;

/** float16 as float32. A table is some twenty times as quick as computing each, and predictions are millions. */
function widened(bits: Uint16Array): Float32Array {
  halves ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 65_536 }, (_, each) => each).buffer));
  const wide = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    wide[i] = halves[bits[i] as number] as number;
  }
  return wide;
}
