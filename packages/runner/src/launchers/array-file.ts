// `arrays/<n>.json`: what was submitted together. Written before the scheduler is called and again with the ids that it
// gave, so that a crash in between is seen; its name is the jobs', and unlike ids it never comes again.
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { MerclabError } from "@merclab/core/errors";
import { readJson, writeJson } from "../store/experiment-store.ts";

export interface ArrayFile {
  readonly schema: 1;
  /** From 1. */
  readonly number: number;
  /** `exp-<study>-<n>-<token>`: how the scheduler calls its jobs. */
  readonly name: string;
  readonly launcher: { readonly name: string; readonly kind: string; readonly options: unknown };
  /** Ids; the index in this list is that of the task. */
  readonly trials: readonly string[];
  /** Of each trial; undefined where their engines use one. */
  readonly threads?: number;
  readonly plannedAt: string;
  readonly submittedAt?: string;
  /** What the scheduler calls it; none where a user applies a manifest. */
  readonly jobs?: readonly string[];
  /** Why there are no jobs: the scheduler refused it, or never heard of it. */
  readonly notSubmitted?: string;
  readonly user: string;
  readonly host: string;
}

export function newArray(
  study: string,
  number: number,
  content: Pick<ArrayFile, "launcher" | "trials" | "threads">,
): ArrayFile {
  // Schedulers and Kubernetes take few characters in names.
  const plain = study
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 30);
  return {
    schema: 1,
    number,
    name: `exp-${plain}-${number}-${randomBytes(3).toString("hex")}`,
    ...content,
    plannedAt: new Date().toISOString(),
    user: userInfo().username,
    host: hostname(),
  };
}

/** Absolute path of what belongs to an array, without extension. */
export function arrayPath(studyFolder: string, number: number): string {
  return join(studyFolder, "arrays", String(number));
}

export async function writeArray(studyFolder: string, array: ArrayFile): Promise<void> {
  await writeJson(`${arrayPath(studyFolder, array.number)}.json`, array);
}

/** All arrays of a study, the oldest first. */
export async function readArrays(studyFolder: string): Promise<ArrayFile[]> {
  const names = await readdir(join(studyFolder, "arrays")).catch(() => []);
  const files = names.filter((name) => /^\d+\.json$/.test(name)).map((name) => join(studyFolder, "arrays", name));
  const arrays = await Promise.all(files.map((file) => readJson<ArrayFile>(file)));
  return arrays.filter((array) => array !== undefined).sort((a, b) => a.number - b.number);
}

/** Folders of the trials of an array, by index. @throws MerclabError `storage` */
export async function readArrayFolders(file: string): Promise<string[]> {
  const array = await readJson<ArrayFile>(file);
  if (!Array.isArray(array?.trials)) {
    throw new MerclabError("storage", `${file} is no list of trials`, {
      hint: "It is written by exp run --launcher, into arrays/ of the study.",
    });
  }
  return array.trials.map((id) => join(dirname(dirname(file)), "trials", id));
}
