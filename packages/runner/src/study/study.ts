// Runs a study: whatever the plan contains and the store lacks, in worker processes. Folders are the truth, so the
// same call after any crash goes on where the files end. What failed for a reason that lies in the trial is passed over
// until it is asked for; what ran out of memory gets a second try without neighbours.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import pLimit from "p-limit";
import type { StudyPlan } from "../config/plan.ts";
import {
  createTrialFolder,
  experimentFolder,
  readTrial,
  removeUnfinished,
  type StoredTrial,
  TRIAL_FILES,
} from "../store/experiment-store.ts";
import type { TrialSpec, TrialStatus } from "../store/trial-files.ts";
import { isCancelled, withdrawCancel } from "../supervisor/cancel-requests.ts";
import { describeOwner, takeLease } from "../supervisor/lease.ts";
import type { StudyEvent } from "./events.ts";
import { type Failure, failsAgain, isMemory, nextTry } from "./failures.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { lockExperiment } from "./lock.ts";
import type { Schedule } from "./schedule.ts";
import { writeStudy } from "./study-file.ts";
import { type Task, tryTrial } from "./try-trial.ts";
import { createWorkerPool } from "./workers.ts";

export interface StudyOptions {
  readonly runsFolder: string;
  /** Trials side by side, and their threads. */
  readonly schedule: Schedule;
  /** Script and arguments of a worker; `--threads N` and the folder of the study are appended. */
  readonly workerCommand: readonly [string, ...string[]];
  readonly onEvent: (event: StudyEvent) => void;
  /** Lets running trials finish their epoch and keep a checkpoint, and starts no further one. */
  readonly pause?: AbortSignal;
  /** Stops workers and starts no further trial. */
  readonly signal: AbortSignal;
  /** What a user types to run this again; stored with the study, for its tables. */
  readonly command: string;
  readonly arguments?: readonly string[];
  /** Trains those anew that failed and would fail again. */
  readonly retryFailed?: boolean;
  /** When failures end the study; by default five first trials that fail alike. */
  readonly guard?: GuardOptions;
  /** Told once, when failures let no further trial start; those that run go on to their end. */
  readonly onHalt?: (reason: string) => void;
}

export interface StudyOutcome {
  readonly done: number;
  /** Failed in this run. */
  readonly failed: number;
  /** Paused, stopped, or not started any more because the study was. */
  readonly cancelled: number;
  /** Failed in an earlier run, and not tried again. */
  readonly passedOver: number;
  /** Not started, because others failed. */
  readonly unstarted: number;
}

type Counts = { -readonly [key in keyof StudyOutcome]: StudyOutcome[key] };

/** Five, so that a broken script burns no night, and one broken value of a sweep stops nothing. */
export const DEFAULT_GUARD: GuardOptions = { onError: "continue", failFast: 5 };

/** The trials of a plan that a run would train, with these stored. */
export function missingTrials(
  plan: StudyPlan,
  stored: readonly StoredTrial[],
  { retryFailed = false }: Pick<StudyOptions, "retryFailed"> = {},
): TrialSpec[] {
  const settled = new Set(
    stored
      .filter(({ result, status }) => result !== undefined || (!retryFailed && isPassedOver(status)))
      .map(({ spec }) => spec.id),
  );
  return plan.trials.filter(({ id }) => !settled.has(id));
}

/** Whether a run leaves this trial alone: it failed, and nothing that it is made of has changed since. */
export function isPassedOver(status: TrialStatus | undefined): boolean {
  return status?.state === "failed" && failsAgain(status.cause);
}

/**
 * @throws MerclabError `storage` when the runs folder cannot be used, or another process runs this experiment; trials
 *   that run then have ended before
 */
export async function runStudy(plan: StudyPlan, options: StudyOptions): Promise<StudyOutcome> {
  const { runsFolder, command, arguments: given } = options;
  const studyFolder = experimentFolder(runsFolder, plan.experiment.name);
  const unlock = await lockExperiment(studyFolder);
  try {
    await removeUnfinished(studyFolder);
    await writeStudy(runsFolder, plan, { command, ...(given === undefined ? {} : { arguments: given }) });
    const outcome: Counts = { done: 0, failed: 0, cancelled: 0, passedOver: 0, unstarted: 0 };
    const tasks = await findTasks(plan, options, outcome);
    await withdrawCancel(
      studyFolder,
      [...tasks.together, ...tasks.alone].map(({ spec }) => spec.id),
    );
    await runTasks(tasks, studyFolder, options, outcome);
    return outcome;
  } finally {
    unlock();
  }
}

/** Files that are written side by side, so that the disk syncs many at once. */
const FOLDERS_AT_ONCE = 64;

/** Makes trial folders, and sorts what is to run from what is not. */
async function findTasks(
  plan: StudyPlan,
  { runsFolder, onEvent, retryFailed = false }: StudyOptions,
  outcome: Counts,
): Promise<{ together: Task[]; alone: Task[] }> {
  const [together, alone]: [Task[], Task[]] = [[], []];
  const limit = pLimit(FOLDERS_AT_ONCE);
  const folders = await Promise.all(plan.trials.map((spec) => limit(() => createTrialFolder(runsFolder, spec))));
  const stored = await Promise.all(folders.map((folder) => limit(() => readTrial(folder))));
  for (const [at, spec] of plan.trials.entries()) {
    const { folder, result, status } = stored[at] as StoredTrial;
    if (result !== undefined) {
      await removeRemains(folder);
      outcome.done += 1;
      onEvent({ type: "found", spec, folder, result });
    } else if (!retryFailed && isPassedOver(status)) {
      outcome.passedOver += 1;
      onEvent({ type: "passed over", spec, folder, message: status?.error ?? "it failed" });
    } else {
      const ranOut = status?.state === "failed" && isMemory(status.cause);
      (ranOut ? alone : together).push({
        spec,
        folder,
        causes: ranOut && status.cause ? [status.cause] : [],
        attempts: status?.attempt ?? 0,
      });
    }
  }
  return { together, alone };
}

/** What stays in the folder of a trial that is done where a kill came right after its result. */
async function removeRemains(folder: string): Promise<void> {
  await rm(join(folder, TRIAL_FILES.checkpoint), { force: true });
  if (existsSync(join(folder, TRIAL_FILES.lease))) {
    const taken = takeLease(folder);
    if ("lease" in taken) {
      taken.lease.release();
    }
  }
}

/** Runs tasks side by side, and then, one at a time, those that ran out of memory. */
async function runTasks(
  { together, alone }: { readonly together: readonly Task[]; readonly alone: Task[] },
  studyFolder: string,
  options: StudyOptions,
  outcome: Counts,
): Promise<void> {
  const { onEvent, schedule } = options;
  // A runner that cannot go on (the disk is full) takes its workers with it, and ends when they have.
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const ending = AbortSignal.any([signal, ...(options.pause === undefined ? [] : [options.pause])]);
  const guard = createGuard(options.guard ?? DEFAULT_GUARD, options.onHalt ?? (() => undefined));
  const pool = createWorkerPool(options.workerCommand, studyFolder, signal);
  options.pause?.addEventListener("abort", pool.pause, { once: true });
  const load = { coresInUse: 0, running: 0, waiting: together.length };
  /** Why nothing more can be stored. */
  let full: Failure | undefined;

  /** One try of a trial; what follows from how it ended. */
  const attempt = async (
    task: Task,
    isAlone: boolean,
    gpus: string | undefined,
  ): Promise<"none" | "again" | "alone"> => {
    const { spec, folder, causes } = task;
    const threads = schedule.threadsFor(spec, load);
    load.waiting -= 1;
    load.running += 1;
    load.coresInUse += threads;
    onEvent({ type: "started", spec, folder });
    try {
      const verdict = await tryTrial(task, { threads, gpus }, pool, { onEvent, signal });
      if (typeof verdict === "string") {
        outcome[verdict] += 1;
        guard.trialEnded();
        return "none";
      }
      const next = nextTry(verdict.cause, causes, isAlone);
      causes.push(verdict.cause);
      if (next === "none" || guard.reason !== undefined || full !== undefined) {
        outcome.failed += 1;
        guard.trialEnded(verdict);
        full ??= verdict.cause === "storage" ? verdict : undefined;
        onEvent({ type: "failed", spec, folder, message: verdict.message, hint: verdict.hint });
        return "none";
      }
      const how =
        next === "alone" ? "it runs again later, with no other trial beside it" : "it goes on in a new worker";
      onEvent({ type: "note", spec, folder, text: `${verdict.message}; ${how}` });
      load.waiting += next === "again" ? 1 : 0;
      return next;
    } finally {
      load.running -= 1;
      load.coresInUse -= threads;
    }
  };

  const runTask = async (task: Task, isAlone: boolean): Promise<void> => {
    const { spec, folder } = task;
    const taken = takeLease(folder);
    if ("holder" in taken) {
      load.waiting -= 1;
      onEvent({ type: "elsewhere", spec, folder, owner: describeOwner(taken.holder.owner) });
      return;
    }
    try {
      await runWithShare(task, isAlone);
    } finally {
      taken.lease.release();
    }
  };

  /** With the share of the GPUs that the trial's engine needs; others see none. */
  const runWithShare = async (task: Task, isAlone: boolean): Promise<void> => {
    const shares = schedule.gpusFor?.(task.spec);
    if (shares === undefined) {
      return runTries(task, isAlone, schedule.gpusFor === undefined ? undefined : "");
    }
    const share = await shares.take();
    try {
      await runTries(task, isAlone, share);
    } finally {
      shares.give(share);
    }
  };

  const runTries = async (task: Task, isAlone: boolean, gpus: string | undefined): Promise<void> => {
    for (let next = "again"; next === "again"; ) {
      if (ending.aborted || isCancelled(task.folder)) {
        outcome.cancelled += 1;
        return;
      }
      if (guard.reason !== undefined || full !== undefined) {
        outcome.unstarted += 1;
        return;
      }
      next = await attempt(task, isAlone, gpus);
      if (next === "alone") {
        alone.push(task);
      }
    }
  };

  const guarded = (task: Task, isAlone: boolean) =>
    runTask(task, isAlone).catch((error: unknown) => {
      broken.abort(error);
      throw error;
    });
  const limit = pLimit(schedule.jobs);
  const ends = together.map((task) =>
    limit(async () => {
      await guarded(task, false);
      pool.keep(load.waiting);
    }),
  );
  const settled = await Promise.allSettled(ends);
  pool.keep(0);
  try {
    for (let at = 0; at < alone.length; at++) {
      load.waiting = alone.length - at;
      await guarded(alone[at] as Task, true);
      pool.keep(0);
    }
  } finally {
    await pool.close();
    options.pause?.removeEventListener("abort", pool.pause);
  }
  for (const end of settled) {
    if (end.status === "rejected") {
      throw end.reason;
    }
  }
  if (full !== undefined) {
    throw new MerclabError("storage", `trials cannot be stored: ${full.message}`, {
      where: studyFolder,
      hint: "Make room, or give another folder with --runs DIR; the same command goes on, and what is finished is kept.",
    });
  }
}
