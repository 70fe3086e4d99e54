// The process that trains, as its supervisor sees it: a child in a process group of its own, so that nothing that it
// started outlives it, which speaks as the workers of a local study do.
import { fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { RunnerMessage, WorkerMessage } from "../study/worker.ts";
import { ALLOCATOR } from "../study/workers.ts";

export interface TrainerEnd {
  /** Exit code or signal. */
  readonly exit: string;
  readonly failure: Extract<WorkerMessage, { type: "failed" }> | undefined;
}

export interface TrainerProcess {
  readonly ended: Promise<TrainerEnd>;
  /** Has it end after the epoch, with a checkpoint. */
  pause(): void;
  /** Ends the whole group at once. */
  kill(): void;
}

/**
 * @param command script and arguments of a worker
 * @param files for what it prints
 */
export function startTrainer(
  [script, ...args]: readonly [string, ...string[]],
  folder: string,
  files: { readonly stdout: string; readonly stderr: string },
  onNews: (news: Extract<WorkerMessage, { type: "epoch" | "note" }>) => void,
): TrainerProcess {
  const [stdout, stderr] = [openSync(files.stdout, "a"), openSync(files.stderr, "a")];
  const child = fork(script, args, {
    stdio: ["ignore", stdout, stderr, "ipc"],
    detached: true,
    env: { ...ALLOCATOR, ...process.env },
  });
  closeSync(stdout);
  closeSync(stderr);
  const tell = (message: RunnerMessage) => {
    if (child.connected) {
      child.send(message, () => undefined);
    }
  };
  let failure: TrainerEnd["failure"];
  child.on("message", (message: WorkerMessage) => {
    if (message.type === "failed") {
      failure = message;
    } else if (message.type === "ended") {
      tell({ type: "end" });
    } else {
      onNews(message);
    }
  });
  const ended = new Promise<TrainerEnd>((resolve) => {
    child.on("error", (error) => resolve({ exit: error.message, failure }));
    // Not "exit": what it said last may come after that.
    child.on("close", (code, signal) => resolve({ exit: signal ?? String(code), failure }));
  });
  tell({ type: "run", folder });
  return {
    ended,
    pause: () => tell({ type: "pause" }),
    kill: () => {
      try {
        process.kill(-(child.pid ?? Number.NaN), "SIGKILL");
      } catch {
        // gone
      }
    },
  };
}
