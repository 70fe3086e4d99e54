// What runs in a worker: the trials that its runner or supervisor sends, one after another.
import { on } from "node:events";
import { MerclabError } from "@merclab/core";
import { type RunnerMessage, runTrialFolder, type WorkerMessage } from "@merclab/runner";
import { openSite, versions } from "../site.ts";
import type { KeepWeights } from "./keep-weights-option.ts";

export interface WorkOptions {
  readonly data?: string;
  readonly threads?: number;
  readonly checkpointEvery: number;
  readonly keepWeights: KeepWeights;
}

/** What a supervisor's signals do to its trainer too, where a scheduler sends them to all processes of a job. */
const PAUSE_SIGNALS = ["SIGTERM", "SIGUSR2"] as const;

export async function work(options: WorkOptions): Promise<void> {
  const pause = new AbortController();
  await obeyRunner(
    () => openTrials(options, pause.signal),
    () => pause.abort(),
  );
}

async function openTrials(options: WorkOptions, pause: AbortSignal) {
  const { registry, places } = await openSite(options);
  const site = {
    registry,
    dataRoot: places.dataRoot,
    threads: options.threads,
    versions: versions(),
    report: tell,
    course: { checkpointSeconds: options.checkpointEvery, isPausing: () => pause.aborted },
    keepWeights: options.keepWeights === "best",
  };
  return (folder: string) => runTrialFolder(folder, site);
}

/** Runs what the runner sends until it says the end, or until a trial fails, which ends the process. */
async function obeyRunner(open: () => ReturnType<typeof openTrials>, pause: () => void): Promise<void> {
  if (process.send === undefined) {
    throw new MerclabError(
      "config",
      "exp trial work is started by exp run or exp trial run, and told what to do by it",
      {
        hint: "To run one trial: exp trial run FOLDER",
      },
    );
  }
  // A worker without its runner is an orphan: it stops, and the next run repeats its trial. The runner may have gone
  // while this process was still loading.
  const orphaned = () => process.exit(143);
  process.on("disconnect", orphaned);
  if (!process.connected) {
    orphaned();
  }
  // Ctrl-C reaches all processes of a terminal: the runner stops its workers, and keeps what they have finished.
  process.on("SIGINT", () => undefined);
  for (const signal of PAUSE_SIGNALS) {
    process.once(signal, pause);
  }
  process.on("message", (message: RunnerMessage) => {
    if (message.type === "pause") {
      pause();
    }
  });
  // It keeps what comes while plugins are still loading.
  const messages = on(process, "message") as AsyncIterable<[RunnerMessage]>;
  try {
    const runTrial = await open();
    for await (const [message] of messages) {
      if (message.type === "end") {
        process.exit(); // whatever a plugin left open
      }
      if (message.type === "run") {
        const { leftTensors, holdsTooMuch } = await runTrial(message.folder);
        tell({ type: "ended", isReusable: leftTensors === 0 && !holdsTooMuch });
      }
    }
  } catch (error) {
    await tellFailure(error);
    throw error;
  } finally {
    // The open channel would keep the process alive.
    if (process.connected) {
      process.off("disconnect", orphaned);
      process.disconnect();
    }
  }
}

function tell(message: WorkerMessage): void {
  if (process.connected) {
    process.send?.(message);
  }
}

/** Waits until the runner has the message, since the process ends next. */
async function tellFailure(error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  const details = error instanceof MerclabError ? { code: error.code, where: error.where, hint: error.hint } : {};
  if (process.connected) {
    await new Promise<void>((resolve) => {
      process.send?.({ type: "failed", message, ...details } satisfies WorkerMessage, () => resolve());
    });
  }
}
