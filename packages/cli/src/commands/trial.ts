// `exp trial run FOLDER`: what a launcher calls for each trial.
import { MerclabError } from "@merclab/core";
import { runTrialFolder, type WorkerMessage } from "@merclab/runner";
import { Command } from "commander";
import { openSite, versions } from "../site.ts";
import { parseCount } from "./plan-options.ts";

export function trialCommand(): Command {
  const run = new Command("run")
    .description("Run the trial of a folder (what launchers call); does nothing when it is done")
    .argument("<folder>", "a folder with a trial.json")
    .option("--data <dir>", "data root")
    .option("--threads <n>", "threads of the trial (default: one per core, where its engine uses several)", parseCount)
    .action(async (folder: string, options: { data?: string; threads?: number }) => {
      // A worker without its runner is an orphan: it stops, and the next run repeats its trial. The runner may have
      // gone while this process was still loading.
      const orphaned = () => process.exit(143);
      process.on("disconnect", orphaned);
      if (process.send !== undefined && !process.connected) {
        orphaned();
      }
      // Ctrl-C reaches all processes of a terminal: the runner stops its workers, and keeps what they have finished.
      if (process.connected) {
        process.on("SIGINT", () => undefined);
      }
      const { registry, places } = openSite(options);
      try {
        const { threads } = options;
        await runTrialFolder(folder, { registry, dataRoot: places.dataRoot, threads, versions: versions(), report });
      } catch (error) {
        await reportFailure(error);
        throw error;
      } finally {
        // The open channel would keep the process alive.
        if (process.connected) {
          process.removeAllListeners("disconnect");
          process.disconnect();
        }
      }
    });
  return new Command("trial").description("Run single trials").addCommand(run);
}

function report(message: WorkerMessage): void {
  if (process.connected) {
    process.send?.(message);
  }
}

/** Waits until the runner has the message, since the process ends next. */
async function reportFailure(error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  const details = error instanceof MerclabError ? { where: error.where, hint: error.hint } : {};
  if (process.connected) {
    await new Promise<void>((resolve) => {
      process.send?.({ type: "failed", message, ...details } satisfies Partial<WorkerMessage>, () => resolve());
    });
  }
}
