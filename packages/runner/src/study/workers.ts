// Processes that train: each takes trial after trial of one study, on one engine with one number of threads and as much
// memory, so that starting and loading is paid once. A process whose trial failed, or left something behind (tensors, or
// memory that its allocator does not give back), is not used again; one that dies loses the trial that it had.
import { type ChildProcess, fork } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { MerclabError } from "@merclab/core/errors";
import stringify from "safe-stable-stringify";
import { TRIAL_FILES } from "../store/experiment-store.ts";
import type { TrialSpec } from "../store/trial-files.ts";
import { memoryLimit, residentBytes } from "./memory-use.ts";
import type { RunnerMessage, WorkerMessage } from "./worker.ts";

/** What a worker says of a trial while it runs. */
export type TrialNews = Extract<WorkerMessage, { type: "epoch" | "note" }>;
export type Epoch = Extract<WorkerMessage, { type: "epoch" }>;

/** How a worker's part in a trial ended; the trial's folder tells whether it is done. */
export interface WorkerEnd {
  /** Exit code or signal of a process that is gone; undefined where it lives. */
  readonly exit: string | undefined;
  readonly failure: Extract<WorkerMessage, { type: "failed" }> | undefined;
  /** Memory that all workers held when this process was last seen, as a share of what they may have. */
  readonly residentShare: number | undefined;
}

/** What a process is given that a trial runs in; trials of one shape and engine can share a process. */
export interface WorkerShape {
  readonly threads: number;
  /** More JavaScript heap than Node's own limit, in MiB. */
  readonly heapMegabytes?: number | undefined;
  /** CUDA_VISIBLE_DEVICES; undefined: as it is here. */
  readonly gpus?: string | undefined;
}

export interface WorkerPool {
  /** Runs the trial of a folder, in a process that waits for one or a new one. */
  run(spec: TrialSpec, folder: string, shape: WorkerShape, onNews: (message: TrialNews) => void): Promise<WorkerEnd>;
  /** Has running trials end after their epoch, with a checkpoint. */
  pause(): void;
  /** Ends processes that wait, but for this number. */
  keep(count: number): void;
  /** Ends all processes, which must be waiting or killed; settled when they are gone. */
  close(): Promise<void>;
}

/**
 * @param command script and arguments; `--threads N` and the folder of the study are appended
 * @param signal kills all processes, and whatever would still start
 */
export function createWorkerPool(
  command: readonly [string, ...string[]],
  studyFolder: string,
  signal: AbortSignal,
): WorkerPool {
  const [script, ...args] = command;
  const living = new Set<Worker>();
  const waiting: Worker[] = [];
  const kill = () => {
    for (const worker of living) {
      worker.kill();
    }
  };
  signal.addEventListener("abort", kill, { once: true });

  let residentShare: number | undefined;
  const watch = setInterval(() => {
    const bytes = [...living].map(({ pid }) => (pid === undefined ? undefined : residentBytes(pid)));
    residentShare = bytes.some((each) => each !== undefined)
      ? bytes.reduce<number>((sum, each) => sum + (each ?? 0), 0) / memoryLimit()
      : undefined;
  }, WATCH_MS);
  watch.unref();

  const start = (key: string, shape: WorkerShape): Worker => {
    const worker = new Worker(key, script, [...args, "--threads", String(shape.threads), studyFolder], shape);
    living.add(worker);
    if (signal.aborted) {
      worker.kill();
    }
    void worker.gone.then(() => {
      living.delete(worker);
      remove(waiting, worker);
    });
    return worker;
  };

  const keep = (count: number): void => {
    for (const worker of waiting.splice(count)) {
      worker.end();
    }
  };

  return {
    pause() {
      for (const worker of living) {
        worker.pause();
      }
    },
    async run(spec, folder, shape, onNews) {
      const key = stringify([spec.config.engine, shape]) as string;
      const known = waiting.find((each) => each.key === key);
      // Another one that waits has the wrong engine or shape, and makes room.
      const found = known ?? waiting[0];
      if (found !== undefined) {
        remove(waiting, found);
      }
      if (found !== known) {
        found?.end();
      }
      const worker = known ?? start(key, shape);
      const { isReusable, ...end } = await worker.run(folder, onNews);
      const share = residentShare;
      if (isReusable && !signal.aborted) {
        waiting.push(worker);
      } else {
        worker.end();
      }
      return { ...end, residentShare: share };
    },
    keep,
    async close() {
      keep(0);
      clearInterval(watch);
      await Promise.all([...living].map(({ gone }) => gone));
      signal.removeEventListener("abort", kill);
    },
  };
}

/**
 * glibc gives threads that allocate arenas of their own, and what one of them freed the others cannot take: with two
 * arenas at most, a trial of 80 million parameters peaks at 2.6 GB, without the limit at 2.9 to 5.2.
 */
export const ALLOCATOR = { MALLOC_ARENA_MAX: "2" };

const WATCH_MS = 500;

class Worker {
  /** Engine and shape: a trial with the same can follow. */
  readonly key: string;
  /** Exit code or signal, once the process is gone and all that it said has been read. */
  readonly gone: Promise<string>;
  private readonly child: ChildProcess;
  /** Where what the process prints is kept: the log of the trial that it has, or had last. */
  private log: string | undefined;
  private logError: unknown;

  constructor(key: string, script: string, args: readonly string[], { heapMegabytes, gpus }: WorkerShape) {
    this.key = key;
    const heap = heapMegabytes === undefined ? [] : [`--max-old-space-size=${heapMegabytes}`];
    this.child = fork(script, args, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [...process.execArgv, ...heap],
      env: { ...ALLOCATOR, ...process.env, ...(gpus === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpus }) },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (text: Buffer) => this.keepText(text));
    }
    this.gone = new Promise((resolve) => {
      this.child.on("error", (error) => resolve(error.message));
      // Not "exit": what a failing worker said last may come after that.
      this.child.on("close", (code, killedBy) => resolve(killedBy ?? String(code)));
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** @throws MerclabError `storage` when the log cannot be written */
  async run(
    folder: string,
    onNews: (message: TrialNews) => void,
  ): Promise<Omit<WorkerEnd, "residentShare"> & { isReusable: boolean }> {
    this.log = join(folder, TRIAL_FILES.log);
    writeFileSync(this.log, "");
    let failure: WorkerEnd["failure"];
    let listen: (message: WorkerMessage) => void = () => undefined;
    const ended = new Promise<boolean>((resolve) => {
      listen = (message) => {
        if (message.type === "epoch" || message.type === "note") {
          onNews(message);
        } else if (message.type === "failed") {
          failure = message;
        } else {
          resolve(message.isReusable);
        }
      };
    });
    this.child.on("message", listen);
    this.tell({ type: "run", folder });
    const end = await Promise.race([
      ended.then((isReusable) => ({ exit: undefined, isReusable })),
      this.gone.then((exit) => ({ exit, isReusable: false })),
    ]);
    // What it printed lies in the pipe by now, and is read before the next trial's output can follow.
    await nextTurn();
    this.child.off("message", listen);
    if (this.logError !== undefined) {
      this.kill();
      throw new MerclabError("storage", `cannot write ${this.log}: ${(this.logError as Error).message}`, {
        hint: "Check space and permissions, or give another folder with --runs DIR.",
        cause: this.logError,
      });
    }
    return { ...end, failure };
  }

  /** Lets a worker that waits end. (One that is hung up on from here would never be told as closed.) */
  end(): void {
    this.tell({ type: "end" });
  }

  pause(): void {
    this.tell({ type: "pause" });
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  /** A process that is gone cannot be told; that it is gone shows in `gone`. */
  private tell(message: RunnerMessage): void {
    if (this.child.connected) {
      this.child.send(message, () => undefined);
    }
  }

  private keepText(text: Buffer): void {
    try {
      if (this.log !== undefined) {
        appendFileSync(this.log, text);
      }
    } catch (error) {
      this.logError ??= error;
    }
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) {
    list.splice(at, 1);
  }
}
