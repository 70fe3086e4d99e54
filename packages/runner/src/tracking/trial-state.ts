// Whether trials and studies have ended, as one who does not run them sees it.
import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type StoredTrial, TRIAL_FILES } from "../store/experiment-store.ts";
import type { TrialEnvironment } from "../store/trial-files.ts";
import type { EndStatus } from "./tracking-file.ts";

/** A trial whose files have not changed for so long, with no runner alive, is over. */
const SILENT_MS = 600_000;

/** With a runner alive, what is said to run does; else it does while its process lives, or its files grow. */
export function hasEnded({ folder, status, result }: StoredTrial, isRunning: boolean): boolean {
  if (result !== undefined || status?.state !== "running") {
    return true;
  }
  return !isRunning && (isGoneFromHere(folder, status.pid) || Date.now() - lastChange(folder) > SILENT_MS);
}

/** Whether the process that had the trial ran on this machine, and does no more. */
function isGoneFromHere(folder: string, pid: number): boolean {
  try {
    const text = readFileSync(join(folder, TRIAL_FILES.environment), "utf8");
    if ((JSON.parse(text) as TrialEnvironment).origin.machine.host !== hostname()) {
      return false;
    }
  } catch {
    return false; // it has not come so far
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

const GROWING = [TRIAL_FILES.journal, TRIAL_FILES.system, TRIAL_FILES.status, TRIAL_FILES.environment, "heartbeat"];

/** Unix ms. */
function lastChange(folder: string): number {
  return Math.max(0, ...GROWING.map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0));
}

/** Sizes and times of the files that are sent. */
export function stateOf({ folder }: StoredTrial): string {
  return [...GROWING, TRIAL_FILES.result]
    .map((name) => {
      const file = statSync(join(folder, name), { throwIfNoEntry: false });
      return `${file?.size} ${file?.mtimeMs}`;
    })
    .join(" ");
}

/** As the end of the study itself says it: failed where a trial failed, else interrupted where one is missing. */
export function studyEnding(trials: readonly StoredTrial[]): EndStatus {
  const missing = trials.filter(({ result }) => result === undefined);
  if (missing.length === 0) {
    return "FINISHED";
  }
  const isInterrupted = missing.some(({ status }) => status?.state !== "failed");
  return isInterrupted ? "KILLED" : "FAILED";
}
