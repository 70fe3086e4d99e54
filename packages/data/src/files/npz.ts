// numpy's .npz archives: one .npy per name in a zip. Arrays of objects are pickles inside, read by the same rules.
import { readFileSync } from "node:fs";
import { MerclabError } from "@merclab/core";
import { Bytes, type NdArray } from "@merclab/pickle";
import { unzipSync } from "fflate";
import { parseNpy } from "./npy.ts";

/** Unpacked bytes of one archive, at most: a zip of a few kilobytes can hold petabytes of zeros. */
const MAX_BYTES = 2 ** 31;

/** @throws MerclabError `data`, PickleError for what is no data */
export function openNpz(path: string): { value: Map<string, NdArray>; close(): void } {
  let unpacked = 0;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(readFileSync(path), {
      filter({ originalSize }) {
        unpacked += originalSize;
        if (unpacked > MAX_BYTES) {
          throw new Error("it unpacks to more than 2 GB; save its arrays as .npy files");
        }
        return true;
      },
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MerclabError("data", `cannot be read as .npz: ${reason}`, { where: path, cause });
  }
  const value = new Map<string, NdArray>();
  for (const [name, content] of Object.entries(files)) {
    if (!name.endsWith(".npy")) {
      throw new MerclabError("data", `cannot be read as .npz: it holds "${name}", which is no .npy`, { where: path });
    }
    value.set(name.slice(0, -4), parseNpy(Bytes.of(content), `${path} (${name})`));
  }
  return { value, close: () => undefined };
}
