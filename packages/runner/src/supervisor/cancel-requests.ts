// Trials that a user wants no more: one file each in the study's `control/cancel/`, which supervisors look for, wherever
// they run. Asked for again, a trial runs again.
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { writeJson } from "../store/experiment-store.ts";

function cancelFolder(studyFolder: string): string {
  return join(studyFolder, "control", "cancel");
}

export async function requestCancel(studyFolder: string, trialIds: readonly string[]): Promise<void> {
  for (const id of trialIds) {
    await writeJson(join(cancelFolder(studyFolder), id), { at: new Date().toISOString() });
  }
}

export async function withdrawCancel(studyFolder: string, trialIds: readonly string[]): Promise<void> {
  for (const id of trialIds) {
    await rm(join(cancelFolder(studyFolder), id), { force: true });
  }
}

/** Ids of the trials that are cancelled. */
export async function readCancelled(studyFolder: string): Promise<Set<string>> {
  return new Set(await readdir(cancelFolder(studyFolder)).catch(() => []));
}

/** @param trialFolder `<study>/trials/<id>` */
export function isCancelled(trialFolder: string): boolean {
  return existsSync(join(cancelFolder(dirname(dirname(trialFolder))), basename(trialFolder)));
}
