// Tensors in a safetensors file that is there as a whole or not at all: written aside, synced and renamed.
import { open, rename, rm } from "node:fs/promises";
import { encodeSafetensorsHeader, type HostTensor, littleEndian } from "@merclab/core";

/** Replaces the file. What was written aside is removed when that fails, and the error thrown on. */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(unfinished, "w");
    try {
      await handle.writeFile(encodeSafetensorsHeader(tensors, metadata));
      for (const { data } of tensors.values()) {
        await handle.writeFile(littleEndian(data));
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, file);
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw cause;
  }
}
