// `tracking/<server>.json` beside a run's files: which run on the server holds it and what of it was acknowledged.
// Only a note that saves requests: without it everything is found or sent again, and nothing ends up there twice. Hence
// it is neither synced to disk nor trusted to be whole.
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MerclabError } from "@merclab/core";
import writeFileAtomic from "write-file-atomic";
import { shortHash } from "./hashes.ts";

/** Where something was shipped to; acknowledgements count for this place only. */
export interface Destination {
  /** Without credentials. */
  readonly trackingUri: string;
  readonly experiment: string;
}

export type EndStatus = "FINISHED" | "FAILED" | "KILLED";

export interface TrackingFile extends Destination {
  readonly schema: 2;
  readonly experimentId: string;
  readonly runId: string;
  /** Hash of the params, tags and dataset that are there. */
  readonly described: string;
  /** Lines of the journal that are there, and of which attempt. */
  readonly journal: { readonly attempt: string; readonly lines: number };
  /** Lines of the system metrics that are there. */
  readonly systemLines: number;
  /** The metrics of the result are there. */
  readonly scored: boolean;
  /** SHA-256 by file name. */
  readonly artifacts: Readonly<Record<string, string>>;
  /** Set when everything is there. */
  readonly ended?: EndStatus;
}

/** In the experiment's folder, about the study's own run. */
export interface StudyTrackingFile extends Destination {
  readonly schema: 2;
  readonly experimentId: string;
  readonly runId: string;
  /** SHA-256 by path below the run's artifacts. */
  readonly artifacts: Readonly<Record<string, string>>;
  /** Hash of all that the last end of the study had to tell; set when everything is there. */
  readonly ended?: string;
}

/** The file about a destination, in the folder of a trial or a study. */
export function trackingFile(folder: string, to: Destination): string {
  return join(folder, "tracking", `${shortHash(`${to.trackingUri}\n${to.experiment}`)}.json`);
}

/** What was noted for this destination; undefined when nothing was, or nothing that can be read. */
export function readTracking<T extends Destination & { readonly schema: number }>(
  folder: string,
  to: Destination,
): T | undefined {
  try {
    const file = JSON.parse(readFileSync(trackingFile(folder, to), "utf8")) as T;
    return file.schema === 2 ? file : undefined;
  } catch {
    return undefined;
  }
}

/** @throws MerclabError `storage` */
export async function writeTracking(folder: string, note: TrackingFile | StudyTrackingFile): Promise<void> {
  const file = trackingFile(folder, note);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, `${JSON.stringify(note, null, 2)}\n`, { fsync: false });
  } catch (cause) {
    throw new MerclabError("storage", `cannot write ${file}: ${(cause as Error).message}`, {
      hint: "Check space and permissions.",
      cause,
    });
  }
}
