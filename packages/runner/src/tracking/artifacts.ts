// Small text files of a run, sent when their content is not what the server has acknowledged.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StudySite } from "./destination.ts";
import { sha256 } from "./hashes.ts";

/** SHA-256 by path below the run's artifacts. */
export type Acknowledged = Readonly<Record<string, string>>;

/** Sends one after another; `note` is told after each what the server has now. */
export async function shipTexts(
  site: StudySite,
  runId: string,
  texts: ReadonlyMap<string, string>,
  acknowledged: Acknowledged,
  note: (acknowledged: Acknowledged) => Promise<void>,
): Promise<void> {
  let there = acknowledged;
  for (const [path, text] of texts) {
    const hash = sha256(text);
    if (there[path] !== hash) {
      await site.client.logText(runId, text, path, site.call);
      there = { ...there, [path]: hash };
      await note(there);
    }
  }
}

/** Those of the files that exist. */
export async function readTexts(folder: string, names: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const name of names) {
    try {
      texts.set(name, await readFile(join(folder, name), "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        throw error;
      }
    }
  }
  return texts;
}
