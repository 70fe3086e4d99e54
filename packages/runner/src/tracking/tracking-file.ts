// `tracking.json` beside a trial's files: which run holds the trial and what of it the server has acknowledged.
// Only a note that saves requests: without it everything is found or sent again, and nothing ends up there twice.
import { join } from "node:path";
import { readJson, TRIAL_FILES, writeJson } from "../store/experiment-store.ts";

/** Where something was shipped to; acknowledgements count for this place only. */
export interface Destination {
  /** Without credentials. */
  readonly trackingUri: string;
  readonly experiment: string;
}

export type EndStatus = "FINISHED" | "FAILED" | "KILLED";

export interface TrackingFile extends Destination {
  readonly schema: 1;
  readonly experimentId: string;
  readonly runId: string;
  /** Params, tags and dataset are there. */
  readonly described: boolean;
  /** Lines of the journal that are there, and of which attempt. */
  readonly journal: { readonly attempt: string; readonly lines: number };
  /** The metrics of the result are there. */
  readonly scored: boolean;
  /** SHA-256 by file name. */
  readonly artifacts: Readonly<Record<string, string>>;
  /** Set when everything is there. */
  readonly ended?: EndStatus;
}

/** `tracking.json` of the experiment's folder, about the study's own run. */
export interface StudyTrackingFile extends Destination {
  readonly schema: 1;
  readonly experimentId: string;
  readonly runId: string;
  /** SHA-256 by path below the run's artifacts. */
  readonly artifacts: Readonly<Record<string, string>>;
  /** Hash of all that the last end of the study had to tell; set when everything is there. */
  readonly ended?: string;
}

/** What was noted for this destination; undefined when nothing, or another one, was. */
export async function readTracking<T extends Destination>(folder: string, to: Destination): Promise<T | undefined> {
  const file = await readJson<T>(join(folder, TRIAL_FILES.tracking));
  return file?.trackingUri === to.trackingUri && file.experiment === to.experiment ? file : undefined;
}

export async function writeTracking(folder: string, file: TrackingFile | StudyTrackingFile): Promise<void> {
  await writeJson(join(folder, TRIAL_FILES.tracking), file);
}
