// `exp trial run FOLDER`: what a launcher calls for one trial. `exp trial work FOLDER`: what `exp run` starts, to be
// given trial after trial.
import { on } from "node:events";
import { MerclabError } from "@merclab/core";
import { type RunnerMessage, runTrialFolder, type WorkerMessage } from "@merclab/runner";
import { Command } from "commander";
import { EXIT } from "../output.ts";
import { openSite, versions } from "../site.ts";
import { checkpointOption } from "./checkpoint-option.ts";
import { type KeepWeights, keepWeightsOption } from "./keep-weights-option.ts";
import { parseCount } from "./parse-numbers.ts";
import { trialProbeCommand } from "./trial-probe.ts";

interface TrialOptions {
  readonly data?: string;
  readonly threads?: number;
  readonly checkpointEvery: number;
  readonly keepWeights: KeepWeights;
}

/** Signals by which launchers announce that time is up. */
const PAUSE_SIGNALS = ["SIGINT", "SIGTERM", "SIGUSR2"] as const;

export function trialCommand(): Command {
  const run = new Command("run")
    .description("Run the trial of a folder (what launchers call); does nothing when it is done")
    .argument("<folder>", "a folder with a trial.json")
    .addHelpText(
      "after",
      `\n${PAUSE_SIGNALS.join(", ")}: finish the epoch, keep a checkpoint, end with ${EXIT.interrupted}; twice: stop.`,
    )
    .action(async (folder: string, options: TrialOptions) => {
      const pause = new AbortController();
      for (const signal of PAUSE_SIGNALS) {
        process.once(signal, () => pause.abort());
      }
      const runTrial = await openTrials(options, pause.signal);
      const { isPaused } = await runTrial(folder);
      process.exitCode = isPaused ? EXIT.interrupted : EXIT.done;
    });
  const work = new Command("work")
    .description("Run the trials that exp run sends, one after another")
    .argument("<folder>", "the folder of their study, for who reads a list of processes")
    .action(async (_folder: string, options: TrialOptions) => {
      const pause = new AbortController();
      await obeyRunner(
        () => openTrials(options, pause.signal),
        () => pause.abort(),
      );
    });
  for (const command of [run, work]) {
    command
      .option("--data <dir>", "data root")
      .option("--threads <n>", "threads of a trial (default: one per core, where its engine uses several)", parseCount)
      .addOption(checkpointOption())
      .addOption(keepWeightsOption());
  }
  return new Command("trial")
    .description("Run single trials")
    .addCommand(run)
    .addCommand(work)
    .addCommand(trialProbeCommand());
}

async function openTrials(options: TrialOptions, pause: AbortSignal) {
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
    throw new MerclabError("config", "exp trial work is started by exp run, and told what to do by it", {
      hint: "To run one trial: exp trial run FOLDER",
    });
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
        const { leftTensors } = await runTrial(message.folder);
        tell({ type: "ended", isReusable: leftTensors === 0 });
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
  const details = error instanceof MerclabError ? { where: error.where, hint: error.hint } : {};
  if (process.connected) {
    await new Promise<void>((resolve) => {
      process.send?.({ type: "failed", message, ...details } satisfies WorkerMessage, () => resolve());
    });
  }
}
