// A table in a file: written whole or not at all, and held against what the stored runs give now.
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { MerclabError } from "@merclab/core";
import { createTwoFilesPatch } from "diff";
import writeFileAtomic from "write-file-atomic";

/** Makes the folder. @throws MerclabError `storage` */
export async function writeTableFile(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, text);
  } catch (cause) {
    throw new MerclabError("storage", `cannot write ${file}: ${(cause as Error).message}`, {
      hint: "Check space and permissions of its folder.",
      cause,
    });
  }
}

/**
 * @returns what differs, as a unified diff; undefined where nothing does
 * @throws MerclabError `storage` when the file cannot be read
 */
export async function checkTableFile(file: string, text: string): Promise<string | undefined> {
  let stored: string;
  try {
    stored = await readFile(file, "utf8");
  } catch (cause) {
    throw new MerclabError("storage", `cannot read ${file}: ${(cause as Error).message}`, {
      hint: "Write it first: exp table EXPERIMENT --out FILE.",
      cause,
    });
  }
  return stored === text
    ? undefined
    : createTwoFilesPatch(file, "stored runs", stored, text, undefined, undefined, { context: 1 });
}
