// Where every trial of a study stands, from three sources: what lies in its folder, who holds its lease, and, weakest,
// what the scheduler says. That a scheduler knows nothing is never a failure.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { MerclabError } from "@merclab/core";
import { median } from "simple-statistics";
import { experimentFolder, readTrial, type StoredTrial, TRIAL_FILES, trialFolder } from "../store/experiment-store.ts";
import { type JournalRecord, readJournal } from "../store/journal.ts";
import type { TrialResult, TrialSpec } from "../store/trial-files.ts";
import { readCancelled } from "../supervisor/cancel-requests.ts";
import { describeOwner, type LeaseHolder, readHolder } from "../supervisor/lease.ts";
import { type ArrayFile, readArrays } from "./array-file.ts";
import type { TaskState } from "./launcher.ts";
import { createLauncher } from "./settings.ts";

/** So long after its submission a task that the scheduler does not know may still turn up. */
const UNKNOWN_MS = 600_000;

export type TrialState =
  | "done"
  /** Somebody trains it, or is about to. */
  | "running"
  /** In a queue. */
  | "waiting"
  /** Submitted a short while ago, and not known to the scheduler. */
  | "unknown"
  /** Goes on from its checkpoint when it is run again. */
  | "paused"
  /** Whoever trained it is gone without a word. */
  | "lost"
  | "failed"
  | "cancelled"
  /** Never ran. */
  | "missing";

export interface TrialView {
  readonly spec: TrialSpec;
  readonly folder: string;
  readonly state: TrialState;
  /** In a few words: who runs it, what it waits for, what went wrong. */
  readonly detail: string | undefined;
  /** The scheduler's, where one has it. */
  readonly job: string | undefined;
  readonly attempt: number;
  readonly epoch: number;
  readonly epochs: number;
  /** Of the epoch that ended last. */
  readonly last: Extract<JournalRecord, { t: "m" }> | undefined;
  /** Median of the epochs in the journal; undefined before the first one has ended. */
  readonly epochSeconds: number | undefined;
  /** Unix ms of the newest record in the journal, or of when somebody took the trial; undefined where nobody has it. */
  readonly progressAt: number | undefined;
  readonly result: TrialResult | undefined;
}

export interface StudyView {
  readonly trials: readonly TrialView[];
  readonly arrays: readonly ArrayFile[];
  /** Schedulers, or hosts of theirs, that did not answer: what they have is unknown. */
  readonly silent: readonly MerclabError[];
}

/** States in which a trial is in somebody's hands. */
export const LIVE_STATES: ReadonlySet<TrialState> = new Set(["running", "waiting", "unknown"]);

/** @param trials of the study */
export async function viewStudy(
  runsFolder: string,
  experiment: string,
  trials: readonly TrialSpec[],
): Promise<StudyView> {
  const studyFolder = experimentFolder(runsFolder, experiment);
  const arrays = await readArrays(studyFolder);
  const folderOf = ({ id }: TrialSpec) => trialFolder(runsFolder, experiment, id);
  const open = new Set(
    trials.filter((spec) => !existsSync(join(folderOf(spec), TRIAL_FILES.result))).map(({ id }) => id),
  );
  const { tasks, silent } = await pollArrays(arrays.filter((array) => array.trials.some((id) => open.has(id))));
  const cancelled = await readCancelled(studyFolder);
  const views = trials.map(async (spec) => {
    const folder = folderOf(spec);
    // In this order: what has nobody any more has said its last word by then.
    const holder = readHolder(folder);
    const stored = await readTrial(folder).catch(() => undefined);
    return viewTrial(spec, folder, stored, holder, tasks.get(spec.id), cancelled.has(spec.id));
  });
  return { trials: await Promise.all(views), arrays, silent };
}

interface Task extends TaskState {
  readonly submittedAt: string | undefined;
}

/** By trial id; of a trial in several arrays the task that is most alive, else the last one. */
async function pollArrays(arrays: readonly ArrayFile[]): Promise<{ tasks: Map<string, Task>; silent: MerclabError[] }> {
  const tasks = new Map<string, Task>();
  const silent: MerclabError[] = [];
  const submitted = arrays.filter(({ jobs }) => jobs !== undefined && jobs.length > 0);
  const groups = new Map<string, ArrayFile[]>();
  for (const array of submitted) {
    const key = JSON.stringify([array.launcher.kind, array.launcher.options]);
    groups.set(key, [...(groups.get(key) ?? []), array]);
  }
  for (const group of groups.values()) {
    const [first] = group;
    const launcher = first === undefined ? undefined : createLauncher(first.launcher);
    const answer = await launcher?.poll?.(group).catch((error: unknown) => {
      silent.push(error as MerclabError);
      return undefined;
    });
    silent.push(...(answer?.silent ?? []));
    for (const array of group) {
      for (const [index, id] of array.trials.entries()) {
        const found = answer?.tasks.get(array.name)?.get(index) ?? absent(array, answer !== undefined);
        const task = { ...found, submittedAt: array.submittedAt };
        const known = tasks.get(id);
        if (known === undefined || LIVENESS.indexOf(task.state) >= LIVENESS.indexOf(known.state)) {
          tasks.set(id, task);
        }
      }
    }
  }
  return { tasks, silent };
}

const LIVENESS: readonly Task["state"][] = ["ended", "unknown", "waiting", "running"];

function absent({ submittedAt, jobs = [] }: ArrayFile, didAnswer: boolean): TaskState {
  const job = jobs.join(", ");
  const age = Date.now() - Date.parse(submittedAt ?? "");
  return !didAnswer || age < UNKNOWN_MS
    ? { state: "unknown", detail: didAnswer ? "not known to the scheduler" : "the scheduler does not answer", job }
    : { state: "ended", detail: "no longer known to the scheduler", job };
}

function viewTrial(
  spec: TrialSpec,
  folder: string,
  stored: StoredTrial | undefined,
  holder: LeaseHolder | undefined,
  task: Task | undefined,
  isCancelled: boolean,
): TrialView {
  const records = readRecords(folder);
  const epochs = records.filter((record) => record.t === "m");
  const last = epochs.at(-1);
  const seconds = epochs.map(({ v }) => Number(v["epoch-seconds"])).filter(Number.isFinite);
  // An attempt that goes on puts in the records of the one before, with their times.
  const progressAt =
    holder === undefined ? undefined : Math.max(Date.parse(holder.owner.at), ...records.map(({ ts }) => ts));
  const view = (state: TrialState, detail?: string): TrialView => ({
    spec,
    folder,
    state,
    detail,
    job: task?.job,
    attempt: stored?.status?.attempt ?? 0,
    epoch: last?.s ?? 0,
    epochs: Number(spec.config.trainer.options.epochs ?? 1),
    last,
    epochSeconds: seconds.length === 0 ? undefined : median(seconds),
    progressAt,
    result: stored?.result,
  });
  if (stored?.result !== undefined) {
    return view("done");
  }
  if (holder !== undefined) {
    return view("running", describeOwner(holder.owner));
  }
  const status = stored?.status;
  if (task?.state === "running") {
    return view("running", task.detail);
  }
  if (task?.state === "waiting" && !isCancelled) {
    return view("waiting", task.detail);
  }
  if (isCancelled) {
    return view("cancelled", "by exp cancel");
  }
  if (task?.state === "unknown" && !hasEndedSince(stored, task)) {
    return view("unknown", task.detail);
  }
  if (status?.state === "failed") {
    return view("failed", status.error);
  }
  if (status?.state === "cancelled") {
    return view("paused");
  }
  if (status?.state === "running") {
    return task?.detail === "OUT_OF_MEMORY" ? view("failed", task.detail) : view("lost", task?.detail);
  }
  // A job that failed without ever starting a trial would do so again: its setup is wrong.
  return task?.state === "ended" && FAILURE.test(task.detail)
    ? view("failed", `its job ended before the trial began: ${task.detail}`)
    : view("missing");
}

const FAILURE = /^(FAILED|TIMEOUT|OUT_OF_MEMORY|BOOT_FAIL|DEADLINE)/;

/** True where the supervisor of a task has said its last word, which schedulers soon forget. */
function hasEndedSince(stored: StoredTrial | undefined, { submittedAt }: Task): boolean {
  const endedAt = stored?.status?.endedAt;
  return endedAt !== undefined && submittedAt !== undefined && Date.parse(endedAt) > Date.parse(submittedAt);
}

function readRecords(folder: string): JournalRecord[] {
  try {
    return readJournal(join(folder, TRIAL_FILES.journal));
  } catch {
    return []; // torn, on a shared disk
  }
}
