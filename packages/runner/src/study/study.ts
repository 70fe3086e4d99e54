// Runs a study: whatever the plan contains and the store lacks, in worker processes. Folders are the truth, so the
// same call after any crash goes on where the files end.
import { join } from "node:path";
import pLimit from "p-limit";
import type { StudyPlan } from "../config/plan.ts";
import {
  createTrialFolder,
  experimentFolder,
  readTrial,
  readTrials,
  TRIAL_FILES,
  writeJson,
} from "../store/experiment-store.ts";
import type { TrialResult, TrialSpec, TrialStatus } from "../store/trial-files.ts";
import { isCancelled, withdrawCancel } from "../supervisor/cancel-requests.ts";
import { describeOwner, takeLease } from "../supervisor/lease.ts";
import { lockExperiment } from "./lock.ts";
import type { Schedule } from "./schedule.ts";
import { writeStudy } from "./study-file.ts";
import { createWorkerPool, type Epoch, type WorkerEnd } from "./workers.ts";

export type StudyEvent =
  | { readonly type: "found"; readonly spec: TrialSpec; readonly folder: string; readonly result: TrialResult }
  | { readonly type: "started"; readonly spec: TrialSpec; readonly folder: string }
  | {
      readonly type: "epoch";
      readonly spec: TrialSpec;
      readonly folder: string;
      readonly message: Epoch;
    }
  | { readonly type: "note"; readonly spec: TrialSpec; readonly folder: string; readonly text: string }
  | { readonly type: "done"; readonly spec: TrialSpec; readonly folder: string; readonly result: TrialResult }
  | { readonly type: "cancelled"; readonly spec: TrialSpec; readonly folder: string }
  | {
      readonly type: "elsewhere";
      readonly spec: TrialSpec;
      readonly folder: string;
      /** Who trains it. */
      readonly owner: string;
    }
  | {
      readonly type: "failed";
      readonly spec: TrialSpec;
      readonly folder: string;
      readonly message: string;
      readonly hint: string | undefined;
    };

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
}

export interface StudyOutcome {
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** The trials of a plan that are not done. */
export async function missingTrials(plan: StudyPlan, runsFolder: string): Promise<TrialSpec[]> {
  const stored = await readTrials(runsFolder, plan.experiment.name);
  const done = new Set(stored.filter(({ result }) => result !== undefined).map(({ spec }) => spec.id));
  return plan.trials.filter(({ id }) => !done.has(id));
}

/** @throws MerclabError `storage` when the runs folder cannot be used, or another process runs this experiment */
export async function runStudy(plan: StudyPlan, options: StudyOptions): Promise<StudyOutcome> {
  const { runsFolder, onEvent, command, arguments: given } = options;
  const studyFolder = experimentFolder(runsFolder, plan.experiment.name);
  const unlock = await lockExperiment(studyFolder);
  try {
    await writeStudy(runsFolder, plan, { command, ...(given === undefined ? {} : { arguments: given }) });
    const outcome = { done: 0, failed: 0, cancelled: 0 };
    const missing: { spec: TrialSpec; folder: string }[] = [];
    for (const spec of plan.trials) {
      const folder = await createTrialFolder(runsFolder, spec);
      const { result } = await readTrial(folder);
      if (result === undefined) {
        missing.push({ spec, folder });
      } else {
        outcome.done += 1;
        onEvent({ type: "found", spec, folder, result });
      }
    }
    await withdrawCancel(
      studyFolder,
      missing.map(({ spec }) => spec.id),
    );
    // A runner that cannot go on (the disk is full) takes its workers with it, and ends when they have.
    const broken = new AbortController();
    const signal = AbortSignal.any([options.signal, broken.signal]);
    const ending = AbortSignal.any([signal, ...(options.pause === undefined ? [] : [options.pause])]);
    const pool = createWorkerPool(options.workerCommand, studyFolder, signal);
    options.pause?.addEventListener("abort", pool.pause, { once: true });
    const limit = pLimit(options.schedule.jobs);
    const load = { coresInUse: 0, running: 0, waiting: missing.length };
    const ends = missing.map(({ spec, folder }) =>
      limit(async () => {
        if (ending.aborted || isCancelled(folder)) {
          outcome.cancelled += 1;
          return;
        }
        const taken = takeLease(folder);
        if ("holder" in taken) {
          load.waiting -= 1;
          onEvent({ type: "elsewhere", spec, folder, owner: describeOwner(taken.holder.owner) });
          return;
        }
        const threads = options.schedule.threadsFor(spec, load);
        load.waiting -= 1;
        load.running += 1;
        load.coresInUse += threads;
        onEvent({ type: "started", spec, folder });
        try {
          const end = await pool.run(spec, folder, threads, (message) => {
            onEvent(
              message.type === "epoch"
                ? { type: "epoch", spec, folder, message }
                : { type: "note", spec, folder, text: message.text },
            );
          });
          outcome[await settleTrial(spec, folder, end, { onEvent, signal })] += 1;
        } finally {
          taken.lease.release();
          load.running -= 1;
          load.coresInUse -= threads;
          pool.keep(load.waiting);
        }
      }).catch((error: unknown) => {
        broken.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(ends);
    await pool.close();
    options.pause?.removeEventListener("abort", pool.pause);
    await Promise.all(ends);
    return outcome;
  } finally {
    unlock();
  }
}

/** What became of a trial that a worker had: its folder knows. */
async function settleTrial(
  spec: TrialSpec,
  folder: string,
  { exit, failure }: WorkerEnd,
  { onEvent, signal }: Pick<StudyOptions, "onEvent" | "signal">,
): Promise<keyof StudyOutcome> {
  const { result, status } = await readTrial(folder);
  if (result !== undefined) {
    onEvent({ type: "done", spec, folder, result });
    return "done";
  }
  // Ctrl-C in a terminal reaches workers too, perhaps before their runner knows.
  const cancelled = signal.aborted || exit === "SIGINT" || status?.state === "cancelled";
  const { message, hint } = describeFailure(failure, exit, join(folder, TRIAL_FILES.log));
  if (status?.state === "running") {
    // A worker that was killed could not say so itself.
    const endedAt = new Date().toISOString();
    const ended: TrialStatus = cancelled
      ? { ...status, state: "cancelled", endedAt }
      : { ...status, state: "failed", endedAt, error: message };
    await writeJson(join(folder, TRIAL_FILES.status), ended);
  }
  if (cancelled) {
    onEvent({ type: "cancelled", spec, folder });
    return "cancelled";
  }
  onEvent({ type: "failed", spec, folder, message, hint });
  return "failed";
}

function describeFailure(failure: WorkerEnd["failure"], exit: string | undefined, log: string) {
  if (failure !== undefined) {
    const where = failure.where === undefined ? "" : ` (${failure.where})`;
    return { message: `${failure.message}${where}`, hint: failure.hint ?? `See ${log}` };
  }
  const hint =
    exit === "SIGKILL"
      ? "Somebody killed it, or the system did for want of memory (try a smaller --jobs); the same command goes on."
      : `See ${log}`;
  const how = exit === undefined ? "the worker ended the trial" : `the worker ended with ${exit}`;
  return { message: `${how} and left no result`, hint };
}
