// Beside every trainer that a launcher starts: holds the trial's lease, beats, passes on what asks for a pause, and says
// how the trainer ended. A process of its own, since one that computes neither beats nor hears signals.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { readTrial, TRIAL_FILES, writeJson } from "../store/experiment-store.ts";
import { readJournal } from "../store/journal.ts";
import { type Attempt, type AttemptEnd, closeAttempt, isStuck, openAttempt, readAttempts } from "./attempts.ts";
import { isCancelled } from "./cancel-requests.ts";
import { exitOfError, TRIAL_EXIT } from "./exit-codes.ts";
import { describeOwner, type Lease, takeLease } from "./lease.ts";
import type { SchedulerJob } from "./scheduler-job.ts";
import { startTrainer, type TrainerEnd, type TrainerProcess } from "./trainer-process.ts";

/** Time between two looks at the clock, at the lease and for a request to cancel. */
const LOOK_MS = 2000;

/** Reasons to pause, in the words of `exit.json`. */
export type PauseReason = "SIGINT" | "SIGTERM" | "SIGUSR2" | "time limit" | "cancelled" | "taken over";

export interface SupervisorOptions {
  /** Script and arguments of the trainer: a worker as a local study has it. */
  readonly trainerCommand: readonly [string, ...string[]];
  readonly job: SchedulerJob | undefined;
  /** When this process will be ended, in Unix milliseconds. */
  readonly deadline: number | undefined;
  /** Seconds that a pause before the deadline may take, at least. */
  readonly graceSeconds: number;
  /** Asks for a pause; the reason is a signal's name. */
  readonly pause: AbortSignal;
  /** Ends the trainer at once. */
  readonly stop: AbortSignal;
  /** Told what a user should know. */
  readonly note: (text: string) => void;
}

export interface SupervisorEnd {
  /** One of TRIAL_EXIT. */
  readonly code: number;
  /** Undefined where nothing ran. */
  readonly pausedBy: PauseReason | undefined;
}

/**
 * Trains the trial of a folder, unless it is done, cancelled, or being trained elsewhere.
 *
 * @throws MerclabError `storage`
 */
export async function superviseTrial(folder: string, options: SupervisorOptions): Promise<SupervisorEnd> {
  const { note, job } = options;
  const { spec, result } = await readTrial(folder);
  const nothing = (why: string): SupervisorEnd => {
    note(`${spec.id}  ${why}`);
    return { code: TRIAL_EXIT.done, pausedBy: undefined };
  };
  if (result !== undefined) {
    return nothing("done already");
  }
  if (isCancelled(folder)) {
    return nothing("cancelled");
  }
  const taken = takeLease(folder, job);
  if ("holder" in taken) {
    return nothing(`already running: ${describeOwner(taken.holder.owner)}`);
  }
  const { lease } = taken;
  try {
    if ((await readTrial(folder)).result !== undefined) {
      return nothing("done already"); // meanwhile
    }
    return await runAttempt(folder, lease, options);
  } finally {
    lease.release();
  }
}

async function runAttempt(folder: string, lease: Lease, options: SupervisorOptions): Promise<SupervisorEnd> {
  const earlier = await readAttempts(folder);
  const attempt = await openAttempt(folder);
  const startedAt = new Date().toISOString();
  const killsBefore = outOfMemoryKills();
  const { spec } = await readTrial(folder);
  options.note(`${spec.id}  attempt ${attempt.number}; what it prints is in ${attempt.folder}`);
  let longestEpoch = 0;
  const trainer = startTrainer(options.trainerCommand, folder, attempt, (news) => {
    if (news.type === "note") {
      options.note(`${spec.id}  ${news.text}`);
    } else {
      longestEpoch = Math.max(longestEpoch, news.seconds);
    }
  });
  const watch = watchTrainer(folder, trainer, lease, options, () => longestEpoch);
  const end = await trainer.ended;
  trainer.kill(); // whatever it left in its group
  const pausedBy = watch.end();
  const epochs = journalEpochs(folder);
  const verdict = classify({ end, pausedBy, epochs, earlier, attempt, killsBefore, ...(await readTrial(folder)) });
  if (verdict.outcome !== "taken over") {
    await settleStatus(folder, verdict);
  }
  await closeAttempt(attempt, {
    attempt: attempt.number,
    ...verdict,
    exit: end.exit,
    epochs,
    startedAt,
    endedAt: new Date().toISOString(),
    host: hostname(),
    ...(options.job === undefined ? {} : { job: options.job }),
  });
  options.note(`${spec.id}  ${verdict.outcome}${verdict.reason === undefined ? "" : `: ${verdict.reason}`}`);
  return { code: verdict.code, pausedBy };
}

/** Asks for a pause when somebody or the time does. */
function watchTrainer(
  folder: string,
  trainer: TrainerProcess,
  lease: Lease,
  { pause, stop, deadline, graceSeconds }: SupervisorOptions,
  longestEpoch: () => number,
): { end(): PauseReason | undefined } {
  const startedAt = Date.now();
  let pausedBy: PauseReason | undefined;
  const ask = (reason: PauseReason) => {
    pausedBy ??= reason;
    trainer.pause();
  };
  const onPause = () => ask(isCancelled(folder) ? "cancelled" : (pause.reason as PauseReason));
  const look = () => {
    if (!lease.isHeld()) {
      pausedBy = "taken over";
      trainer.kill();
    } else if (isCancelled(folder)) {
      ask("cancelled");
    } else if (deadline !== undefined && Date.now() > deadline - marginMs(deadline - startedAt)) {
      ask("time limit");
    }
  };
  // The epoch that runs must end first, and of a short time half is for work.
  const marginMs = (allowed: number) => Math.min(allowed / 2, 1000 * Math.max(graceSeconds, 2 * longestEpoch()));
  const timer = setInterval(look, LOOK_MS);
  for (const [signal, listener] of [
    [pause, onPause],
    [stop, trainer.kill],
  ] as const) {
    signal.addEventListener("abort", listener, { once: true });
    if (signal.aborted) {
      listener();
    }
  }
  return {
    end() {
      clearInterval(timer);
      pause.removeEventListener("abort", onPause);
      stop.removeEventListener("abort", trainer.kill);
      return pausedBy;
    },
  };
}

type Verdict = Pick<AttemptEnd, "outcome" | "code"> & { readonly reason?: string };

interface Evidence extends Pick<Awaited<ReturnType<typeof readTrial>>, "result" | "status"> {
  readonly end: TrainerEnd;
  readonly pausedBy: PauseReason | undefined;
  readonly epochs: number;
  readonly earlier: readonly AttemptEnd[];
  readonly attempt: Attempt;
  readonly killsBefore: number;
}

function classify({ end, pausedBy, epochs, earlier, attempt, killsBefore, result }: Evidence): Verdict {
  if (result !== undefined) {
    return { outcome: "done", code: TRIAL_EXIT.done };
  }
  if (pausedBy === "taken over") {
    const reason = "another process believed this one to be gone, and goes on with the trial";
    return { outcome: "taken over", code: TRIAL_EXIT.infrastructure, reason };
  }
  const { failure, exit } = end;
  if (failure !== undefined) {
    const isMemory = MEMORY_MESSAGE.test(failure.message);
    return {
      outcome: isMemory ? "out of memory" : "failed",
      code: isMemory ? TRIAL_EXIT.outOfMemory : exitOfError(failure.code),
      reason: failure.message,
    };
  }
  if (pausedBy === "cancelled") {
    return { outcome: "cancelled", code: TRIAL_EXIT.done };
  }
  if (pausedBy !== undefined) {
    return isStuck(earlier, epochs)
      ? { outcome: "failed", code: TRIAL_EXIT.failed, reason: `paused again and again (${pausedBy}) before an epoch` }
      : {
          outcome: "paused",
          code: pausedBy === "SIGINT" ? TRIAL_EXIT.interrupted : TRIAL_EXIT.paused,
          reason: pausedBy,
        };
  }
  if (endOf(attempt.stderr).includes("heap out of memory")) {
    return { outcome: "out of memory", code: TRIAL_EXIT.outOfMemory, reason: "the JavaScript heap is full" };
  }
  if (exit === "SIGKILL" && outOfMemoryKills() > killsBefore) {
    const reason = "the system killed the trainer for want of memory";
    return { outcome: "out of memory", code: TRIAL_EXIT.outOfMemory, reason };
  }
  const reason = `the trainer ended with ${exit} and left no result; see ${attempt.stderr}`;
  return { outcome: "failed", code: TRIAL_EXIT.failed, reason };
}

/** What WebAssembly, V8, ONNX Runtime, CUDA and WebGPU say. */
const MEMORY_MESSAGE =
  /array buffer allocation failed|out of memory|invalid typed array length|failed to allocate memory|std::bad_alloc/i;

/** A trainer that was killed could not say itself how it ended. */
async function settleStatus(folder: string, { outcome, reason }: Verdict): Promise<void> {
  const { status } = await readTrial(folder);
  if (status?.state === "running" || (status?.state === "cancelled" && outcome === "failed")) {
    const state =
      outcome === "paused" || outcome === "cancelled" ? "cancelled" : outcome === "done" ? "done" : "failed";
    await writeJson(join(folder, TRIAL_FILES.status), {
      ...status,
      state,
      endedAt: new Date().toISOString(),
      ...(state === "failed" && reason !== undefined ? { error: reason } : {}),
    });
  }
}

function journalEpochs(folder: string): number {
  try {
    return readJournal(join(folder, TRIAL_FILES.journal)).filter(({ t }) => t === "m").length;
  } catch {
    return 0;
  }
}

/** The last kilobytes of a file. */
function endOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(16_384);
    const { size } = fstatSync(descriptor);
    const read = readSync(descriptor, buffer, 0, buffer.length, Math.max(0, size - buffer.length));
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(descriptor);
  }
}

/** How often the kernel killed a process of this control group (version 2) for want of memory. */
function outOfMemoryKills(): number {
  try {
    const path = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    const events = readFileSync(join("/sys/fs/cgroup", path, "memory.events"), "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
