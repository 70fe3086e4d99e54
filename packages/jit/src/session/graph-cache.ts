// Optimised graphs on disk: files that begin with the digest of the rest, written aside and renamed, so that a reader
// never sees half of one, whoever else writes, and a damaged one is as good as none.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

const DIGEST_BYTES = 32;

/** The graph in a file; undefined where there is none, or a damaged one. */
export async function readGraph(file: string): Promise<Uint8Array | undefined> {
  const content = await readFile(file).catch(() => undefined);
  if (content === undefined) {
    return undefined;
  }
  const graph = content.subarray(DIGEST_BYTES);
  const sound = content.length > DIGEST_BYTES && digest(graph).equals(content.subarray(0, DIGEST_BYTES));
  return sound ? graph : undefined;
}

/** Keeps a graph where it can; a full disk or a folder that cannot be written to costs later processes their time. */
export async function keepGraph(file: string, graph: Uint8Array): Promise<void> {
  const aside = `${file}.${process.pid}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(aside, Buffer.concat([digest(graph), graph]));
    await rename(aside, file);
  } catch {
    await rm(aside, { force: true }).catch(() => undefined);
  }
}

function digest(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}
