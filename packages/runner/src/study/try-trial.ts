// One try of a trial: a worker gets it, and the trial's folder tells what became of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import { readTrial, TRIAL_FILES, writeStatus } from "../store/experiment-store.ts";
import type { FailureCause, TrialSpec, TrialStatus } from "../store/trial-files.ts";
import type { StudyEvent } from "./events.ts";
import { classifyFailure, type Failure } from "./failures.ts";
import { countMemoryKills, memoryLimit } from "./memory-use.ts";
import type { WorkerPool, WorkerShape } from "./workers.ts";

/** A trial that is to run. */
export interface Task {
  readonly spec: TrialSpec;
  readonly folder: string;
  /** Of this run's failures of it. */
  readonly causes: FailureCause[];
  /** Of the last attempt that a worker began. */
  attempts: number;
}

/** Gives a trial to a worker; what became of it, as its folder says, or why it failed. */
export async function tryTrial(
  task: Task,
  shape: WorkerShape,
  pool: WorkerPool,
  { onEvent, signal }: { readonly onEvent: (event: StudyEvent) => void; readonly signal: AbortSignal },
): Promise<"done" | "cancelled" | Failure> {
  const { spec, folder, causes } = task;
  const killsBefore = countMemoryKills();
  const heapMegabytes = causes.includes("heap") ? moreHeap() : undefined;
  const end = await pool.run(spec, folder, { ...shape, heapMegabytes }, (message) => {
    onEvent(
      message.type === "epoch"
        ? { type: "epoch", spec, folder, message }
        : { type: "note", spec, folder, text: message.text },
    );
  });
  const { result, status: stored } = await readTrial(folder);
  // A worker that died while it was loading left what an earlier attempt says.
  const status = stored?.attempt === task.attempts ? undefined : stored;
  task.attempts = stored?.attempt ?? 0;
  if (result !== undefined) {
    onEvent({ type: "done", spec, folder, result });
    return "done";
  }
  const endedAt = new Date().toISOString();
  // Ctrl-C in a terminal reaches workers too, perhaps before their runner knows.
  if (signal.aborted || end.exit === "SIGINT" || status?.state === "cancelled") {
    if (status?.state === "running") {
      await writeStatus(folder, { ...status, state: "cancelled", endedAt });
    }
    onEvent({ type: "cancelled", spec, folder });
    return "cancelled";
  }
  const log = join(folder, TRIAL_FILES.log);
  const systemKilled = (countMemoryKills() ?? 0) > (killsBefore ?? 0);
  const failure = classifyFailure({ ...end, printed: endOf(log), systemKilled }, log);
  if (status !== undefined) {
    const ended: TrialStatus = { endedAt, ...status, state: "failed", error: failure.message, cause: failure.cause };
    const written = writeStatus(folder, ended);
    await (failure.cause === "storage" ? written.catch(() => undefined) : written);
  }
  return failure;
}

/** Twice Node's own limit, as far as memory goes, in MiB. */
function moreHeap(): number {
  const own = getHeapStatistics().heap_size_limit;
  return Math.floor(Math.max(own, Math.min(2 * own, 0.8 * memoryLimit())) / 2 ** 20);
}

const TAIL_BYTES = 64 * 1024;

/** What a worker printed last. */
function endOf(log: string): string {
  try {
    return readFileSync(log).subarray(-TAIL_BYTES).toString("utf8");
  } catch {
    return "";
  }
}
