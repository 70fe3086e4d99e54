// The local side of artifacts: walking a folder, and file-system errors as errors of this package.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MlflowConfigError, MlflowLimitError } from "./errors.ts";

export interface FoundFile {
  /** With forward slashes, relative to the folder walked. */
  readonly relative: string;
  readonly absolute: string;
}

/** Runs a file-system action; a failure becomes MlflowConfigError with code LOCAL_FILE, so that it is not retried. */
export async function localFile<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MlflowConfigError("LOCAL_FILE", `${what}: ${reason}`, { cause });
  }
}

/**
 * All regular files below `dir`, sorted by path; links to files count as files.
 * @throws MlflowLimitError for linked folders (they may form a cycle) and for sockets, pipes and devices
 */
export async function filesBelow(dir: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const pending = [""];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const here = folder;
    const entries = await localFile(`reading ${dir}`, () => readdir(join(dir, here), { withFileTypes: true }));
    for (const entry of entries) {
      const relative = here === "" ? entry.name : `${here}/${entry.name}`;
      const absolute = join(dir, here, entry.name);
      if (entry.isDirectory()) pending.push(relative);
      else if (await isFile(absolute)) found.push({ relative, absolute });
      else
        throw new MlflowLimitError(
          "NOT_A_FILE",
          `${absolute}: neither a file nor a folder (a link to a folder, a socket, a pipe?)`,
        );
    }
  }
  return found.sort((a, b) => (a.relative < b.relative ? -1 : a.relative > b.relative ? 1 : 0));
}

async function isFile(path: string): Promise<boolean> {
  return (await localFile(`reading ${path}`, () => stat(path))).isFile();
}
