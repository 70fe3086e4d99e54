// Opens any of the field's feature files as one tree of dicts, lists and arrays: pickle, npy, npz, safetensors, HDF5,
// csv. Long arrays stay in their file until they are asked for.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { MerclabError } from "@merclab/core";
import { openPickle, PickleError, type PickleValue } from "@merclab/pickle";
import { isTable, readTable, type Table } from "../folder/table.ts";
import { openHdf5 } from "./hdf5.ts";
import { GIT_LFS_POINTER, gitLfsPointer, openNpy } from "./npy.ts";
import { openNpz } from "./npz.ts";
import { openSafetensors } from "./safetensors.ts";

export type FileFormat = "pickle" | "npy" | "npz" | "safetensors" | "hdf5" | "csv";

export interface OpenedFile {
  readonly format: FileFormat;
  /** What the file holds; for a csv file the table instead. */
  readonly value: PickleValue;
  readonly table?: Table;
  /** Arrays cannot be read afterwards. */
  close(): void;
}

/**
 * The format is told by the first bytes, the name only decides where they do not.
 *
 * @throws MerclabError `data` when the file is missing, damaged, or holds anything but data
 */
export async function openFile(path: string): Promise<OpenedFile> {
  const format = detectFormat(path);
  try {
    switch (format) {
      case "pickle":
        return { format, ...openPickle(path) };
      case "npy":
        return { format, ...openNpy(path) };
      case "npz":
        return { format, ...openNpz(path) };
      case "safetensors":
        return { format, ...openSafetensors(path) };
      case "hdf5":
        return { format, ...(await openHdf5(path)) };
      case "csv":
        return { format, value: null, table: await openTable(path), close: () => undefined };
    }
  } catch (error) {
    if (error instanceof PickleError) {
      throw fromPickle(error, path);
    }
    throw error;
  }
}

/** An error of the pickle reader, with the file and what to do about it. */
export function fromPickle(error: PickleError, where: string): MerclabError {
  const place = error.position === undefined ? where : `${where} (byte ${error.position})`;
  return new MerclabError("data", error.message, { where: place, hint: HINTS[error.code], cause: error });
}

const HINTS: Readonly<Record<PickleError["code"], string>> = {
  refused:
    "Nothing was run. Open it in Python where its classes are known and trusted, and save dicts, lists and numpy arrays.",
  damaged: "Compare its size and checksum with those of the source, and fetch it again.",
  unsupported: "Save it again from Python with plain lists, dicts and numeric numpy arrays.",
  limit: "Save its parts as .npy files, which are read piece by piece.",
};

function detectFormat(path: string): FileFormat {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) {
    throw new MerclabError("data", stat === undefined ? "missing file" : "expected a file, got something else", {
      where: path,
    });
  }
  const head = Buffer.alloc(64);
  const descriptor = openSync(path, "r");
  const length = readSync(descriptor, head, 0, head.length, 0);
  closeSync(descriptor);
  const start = head.subarray(0, length).toString("latin1");
  if (length === 0) {
    throw new MerclabError("data", "the file is empty", { where: path });
  }
  if (start.startsWith(GIT_LFS_POINTER)) {
    throw gitLfsPointer(path);
  }
  const name = basename(path).toLowerCase();
  if (start.startsWith("\x93NUMPY")) {
    return "npy";
  }
  if (start.startsWith("\x89HDF\r\n\x1a\n")) {
    return "hdf5";
  }
  if (start.startsWith("PK\x03\x04") || start.startsWith("PK\x05\x06")) {
    if (/\.(pt|pth|bin)$/.test(name)) {
      throw new MerclabError("data", "this is a file of torch.save, which is not read", {
        where: path,
        hint: "Save its tensors with numpy.save(path, tensor.numpy()) or pickle.dump.",
      });
    }
    return "npz";
  }
  if (name.endsWith(".safetensors")) {
    return "safetensors";
  }
  if (/\.(csv|tsv)$/.test(name)) {
    return "csv";
  }
  if (/^\s*<(!doctype|html)/i.test(start)) {
    throw new MerclabError("data", "this is a web page, not the data", {
      where: path,
      hint: "Large downloads often end in a page that asks for confirmation; fetch the file again in a browser.",
    });
  }
  return "pickle";
}

async function openTable(path: string): Promise<Table> {
  const table = await readTable(path, { repair: true });
  if (isTable(table)) {
    return table;
  }
  const [first] = table;
  throw new MerclabError("data", first?.message ?? "the table cannot be read", {
    where: first?.where ?? path,
    hint: first?.hint,
  });
}
