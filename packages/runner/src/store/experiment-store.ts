// `runs/<experiment>/`: one folder per trial. The folders are the truth; any command can read them at any time.
import { existsSync, readFile as readWithCallback, statSync } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { MerclabError } from "@merclab/core/errors";
import writeFileAtomic from "write-file-atomic";
import type { TrialEnvironment, TrialResult, TrialSpec, TrialStatus } from "./trial-files.ts";

export interface StoredTrial {
  readonly folder: string;
  readonly spec: TrialSpec;
  readonly status: TrialStatus | undefined;
  /** Present when the trial is done. */
  readonly result: TrialResult | undefined;
}

export const TRIAL_FILES = {
  spec: "trial.json",
  status: "status.json",
  result: "result.json",
  journal: "journal.jsonl",
  predictions: "predictions.csv",
  testProbabilities: "test-probabilities.npz",
  environment: "environment.json",
  system: "system.jsonl",
  weights: "weights.safetensors",
  shown: "shown.json",
  shownArrays: "shown.npz",
  stress: "stress.json",
  checkpoint: "checkpoint.safetensors",
  log: "worker.log",
  lease: "lease",
  heartbeat: "heartbeat",
  attempts: "attempts",
} as const;

/** Folder of an experiment's trials. */
export function experimentFolder(runsFolder: string, experiment: string): string {
  return join(runsFolder, experiment);
}

export function trialFolder(runsFolder: string, experiment: string, id: string): string {
  return join(runsFolder, experiment, "trials", id);
}

/** Folder of the graphs that engines compile for the trials of an experiment; it can be deleted at any time. */
export function graphsFolder(trialFolder: string): string {
  return join(trialFolder, "..", "..", "graphs");
}

/** Writes the folder and its spec, unless they are there. */
export async function createTrialFolder(runsFolder: string, spec: TrialSpec): Promise<string> {
  const folder = trialFolder(runsFolder, spec.experiment, spec.id);
  const file = join(folder, TRIAL_FILES.spec);
  if (!existsSync(file)) {
    await writeJson(file, spec);
  }
  return folder;
}

export async function readTrial(folder: string): Promise<StoredTrial> {
  const spec = await readJson<TrialSpec>(join(folder, TRIAL_FILES.spec));
  if (spec === undefined) {
    throw new MerclabError("storage", `${folder} is no trial folder: it has no ${TRIAL_FILES.spec}`);
  }
  return {
    folder,
    spec,
    status: await readStatus(folder),
    result: await readJson<TrialResult>(join(folder, TRIAL_FILES.result)),
  };
}

/** @returns undefined while the trial has not come so far, and in trials of older versions */
export function readEnvironment(folder: string): Promise<TrialEnvironment | undefined> {
  return readJson<TrialEnvironment>(join(folder, TRIAL_FILES.environment));
}

/** undefined as well for the empty file that a power cut may leave. */
async function readStatus(folder: string): Promise<TrialStatus | undefined> {
  const file = join(folder, TRIAL_FILES.status);
  try {
    return await readJson<TrialStatus>(file);
  } catch (error) {
    if (existsSync(file) && statSync(file).size === 0) {
      return undefined;
    }
    throw error;
  }
}

/** Where a trial stands: not synced, since a power cut costs no more than this report. @throws MerclabError `storage` */
export async function writeStatus(folder: string, status: TrialStatus): Promise<void> {
  await writeJson(join(folder, TRIAL_FILES.status), status, { fsync: false });
}

/**
 * Stores what a trial came to: all files synced, and then, by renaming, `result.json`.
 *
 * @param files contents by name
 * @throws MerclabError `storage`
 */
export async function storeResult(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  result: TrialResult,
): Promise<void> {
  const file = join(folder, TRIAL_FILES.result);
  const aside = `${file}.${process.pid}`;
  const all = { ...files, [basename(aside)]: `${JSON.stringify(result, null, 2)}\n` };
  try {
    // Side by side: the disk makes one write of them.
    await Promise.all(Object.entries(all).map(([name, data]) => writeSynced(join(folder, name), data)));
    await rename(aside, file);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw cannotWrite(file, cause);
  }
}

async function writeSynced(file: string, data: string | Uint8Array): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what processes left that were killed while they wrote a file aside; nobody else may be writing there. */
export async function removeUnfinished(folder: string): Promise<void> {
  const names = (await list(folder)).filter((entry) => entry.isFile()).map(({ name }) => name);
  await Promise.all(
    names.filter((name) => UNFINISHED.test(name)).map((name) => rm(join(folder, name), { force: true })),
  );
}

/** A file's name and a number, as write-file-atomic and checkpoints have it. */
const UNFINISHED = /\.(json|safetensors)\.\d+(\.tmp)?$/;

/** All trials of an experiment that have a spec; none when it never ran. */
export async function readTrials(runsFolder: string, experiment: string): Promise<StoredTrial[]> {
  const folder = join(experimentFolder(runsFolder, experiment), "trials");
  const names = (await list(folder)).map(({ name }) => name).sort();
  const trials = names.map((name) => join(folder, name)).filter((each) => existsSync(join(each, TRIAL_FILES.spec)));
  return Promise.all(trials.map(readTrial));
}

/** Names of experiments that have trials. */
export async function readExperimentNames(runsFolder: string): Promise<string[]> {
  return (await list(runsFolder))
    .filter((entry) => entry.isDirectory() && existsSync(join(runsFolder, entry.name, "trials")))
    .map((entry) => entry.name)
    .sort();
}

/** What lies in a folder; nothing when it is not there. */
async function list(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) {
      return [];
    }
    throw cannotRead(folder, error);
  }
}

/** Not there, or below a file: either way nothing is stored there. */
function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function cannotRead(path: string, cause: unknown): MerclabError {
  return new MerclabError("storage", `cannot read ${path}: ${(cause as Error).message}`, {
    hint: "Check its permissions, or give another folder with --runs DIR.",
    cause,
  });
}

/** Takes half of the processor time of the one of `node:fs/promises`, which a table of a thousand files feels. */
const readFile = promisify(readWithCallback);

/** @returns undefined when there is no such file. @throws MerclabError `storage` */
export async function readJson<T>(file: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw cannotRead(file, error);
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new MerclabError("storage", `${file} is no JSON: ${(cause as Error).message}`, {
      hint: "It was written by renaming, so something else changed it; move it away to compute it again.",
      cause,
    });
  }
}

/**
 * Written aside, synced unless told otherwise, and renamed: readers see the old file or the new one, never half of it. Makes the folder.
 *
 * @throws MerclabError `storage`
 */
export async function writeJson(
  file: string,
  value: unknown,
  { fsync = true }: { fsync?: boolean } = {},
): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, `${JSON.stringify(value, null, 2)}\n`, { fsync });
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
}

/** @param place a file, or "in" and a folder. An error that says what was wrong already stays as it is. */
export function cannotWrite(place: string, cause: unknown): MerclabError {
  if (cause instanceof MerclabError) {
    return cause;
  }
  return new MerclabError("storage", `cannot write ${place}: ${(cause as Error).message}`, {
    hint: "Check space and permissions, or give another folder with --runs DIR.",
    cause,
  });
}
