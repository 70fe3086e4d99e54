// numpy's .npy files: a header in Python's notation, then the numbers, which are read when asked for.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { closeSync, fstatSync, openSync } from "node:fs";
import { MerclabError } from "@merclab/core";
import { Bytes, dtypeFromDescr, fileSource, NdArray, readPickle } from "@merclab/pickle";

/** How the text begins that Git LFS keeps in place of a file. */
export const GIT_LFS_POINTER = "version https://git-lfs";

export function gitLfsPointer(where: string): MerclabError {
  return new MerclabError("data", "this is a Git LFS pointer, not the data", {
    where,
    hint: 'Run "git lfs pull" where it came from.',
  });
}

const MAGIC = "\x93NUMPY";
const MAX_HEADER = 1 << 20;

/** @throws MerclabError `data`, PickleError for types that are not read */
export function openNpy(path: string): { value: NdArray; close(): void } {
  const descriptor = openSync(path, "r");
  try {
    const value = parseNpy(new Bytes(fileSource(descriptor, fstatSync(descriptor).size)), path);
    return { value, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** @param where file (and entry) for messages */
export function parseNpy(bytes: Bytes, where: string): NdArray {
  const damaged = (message: string): MerclabError =>
    new MerclabError("data", `cannot be read as .npy: ${message}`, {
      where,
      hint: 'Save it with numpy.save(path, array.astype("float32")).',
    });
  const head = bytes.read(0, Math.min(bytes.length, 64));
  if (head.toString("latin1").startsWith(GIT_LFS_POINTER)) {
    throw gitLfsPointer(where);
  }
  if (head.toString("latin1", 0, 6) !== MAGIC || head.length < 12) {
    throw damaged("it does not begin as one");
  }
  const wide = (head[6] ?? 1) > 1;
  const start = wide ? 12 : 10;
  const length = wide ? head.readUInt32LE(8) : head.readUInt16LE(8);
  if (length > MAX_HEADER || start + length > bytes.length) {
    throw damaged("it is cut off or damaged");
  }
  const header = bytes.read(start, start + length).toString("utf8");
  const descr = /'descr':\s*(?:'([^']*)'|(\[))/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(header);
  if (descr === null || order === null || shape === null) {
    throw damaged("its header is damaged");
  }
  if (descr[2] !== undefined) {
    throw damaged("it is a structured array; save every field as an array of its own");
  }
  const dtype = dtypeFromDescr(descr[1] ?? "");
  const dims = (shape[1] ?? "").split(",").flatMap((text) => (text.trim() === "" ? [] : [Number.parseInt(text, 10)]));
  const fortran = order[1] === "True";
  const content = bytes.slice(start + length, bytes.length);
  if (dtype.kind === "O") {
    const objects = readPickle(content.read());
    if (!(objects instanceof NdArray)) {
      throw damaged("its objects are no array");
    }
    return objects;
  }
  const needed = dims.reduce((size, dim) => size * dim, 1) * dtype.itemBytes;
  if (content.length < needed) {
    throw damaged(
      `the header says ${dims.join(" x ")} numbers (${needed} bytes), the file has ${content.length}: it is cut off or damaged`,
    );
  }
  return new NdArray({ dtype, shape: dims, fortran, storage: content.slice(0, needed) });
}
