// `exp trial run`: what launchers call. A supervisor beside the trainer, which is a worker as `exp run` has it.
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { MerclabError } from "@merclab/core/errors";
import {
  arrayIndex,
  exitOfError,
  type PauseReason,
  readArrayFolders,
  type SupervisorEnd,
  schedulerJob,
  superviseTrial,
  TRIAL_EXIT,
} from "@merclab/runner/supervisor";
import { Command } from "commander";
import { printError, printNote } from "../output.ts";
import { checkpointOption } from "./checkpoint-option.ts";
import { type KeepWeights, keepWeightsOption } from "./keep-weights-option.ts";
import { parseCount, parseSeconds } from "./parse-numbers.ts";

interface RunOptions {
  readonly fromArray?: string;
  readonly index?: number;
  readonly all?: boolean;
  readonly data?: string;
  readonly threads?: number;
  readonly checkpointEvery: number;
  readonly keepWeights: KeepWeights;
  readonly timeLimit?: number;
  readonly grace: number;
  readonly requeue?: boolean;
}

/** Signals by which launchers announce that time is up. */
const PAUSE_SIGNALS = ["SIGINT", "SIGTERM", "SIGUSR2"] as const;

const HELP = `
${PAUSE_SIGNALS.join(", ")}: finish the epoch, keep a checkpoint, end; twice: stop.

Exit codes:
   ${TRIAL_EXIT.done}  done, or nothing to do: done already, cancelled, or being trained elsewhere
   ${TRIAL_EXIT.failed}  the trial failed
  ${TRIAL_EXIT.paused}  paused with a checkpoint: run it again
  ${TRIAL_EXIT.outOfMemory}  out of memory: run it again with more
  ${TRIAL_EXIT.mismatch}  config or code are not what was planned
  ${TRIAL_EXIT.infrastructure}  storage, data or engine are missing here: run it again elsewhere
 ${TRIAL_EXIT.interrupted}  Ctrl-C; paused with a checkpoint

Examples:
  $ exp trial run runs/sdt-vs-lmam/trials/3f2a5b…
  $ exp trial run --from-array runs/sdt-vs-lmam/arrays/1.json --index 3
  $ exp trial run --from-array runs/sdt-vs-lmam/arrays/1.json --all`;

export function trialRunCommand(): Command {
  return new Command("run")
    .description("Run the trial of a folder (what launchers call); does nothing when it is done")
    .argument("[folder]", "a folder with a trial.json")
    .option("--from-array <file>", "take the trial from a list in arrays/, by the index of this task")
    .option("--index <n>", "which one, from 0 (default: SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX)", parseIndex)
    .option("--all", "one after another all that nobody else runs")
    .option("--data <dir>", "data root")
    .option("--threads <n>", "threads of a trial (default: one per core, where its engine uses several)", parseCount)
    .addOption(checkpointOption())
    .addOption(keepWeightsOption())
    .option("--time-limit <seconds>", "pause before so much time is over (default: what Slurm says)", parseSeconds)
    .option("--grace <seconds>", "time that a pause before the limit needs, at least", parseSeconds, 120)
    .option("--requeue", "in a Slurm job whose time is up: put the job back into the queue")
    .addHelpText("after", HELP)
    .action(async (folder: string | undefined, options: RunOptions) => {
      checkArguments(folder, options);
      try {
        process.exitCode = await runFolders(await chooseFolders(folder, options), options);
      } catch (error) {
        printError(error, false);
        process.exitCode = exitOfError(error instanceof MerclabError ? error.code : undefined);
      }
    });
}

async function runFolders(folders: readonly string[], options: RunOptions): Promise<number> {
  const job = schedulerJob(process.env);
  const limit = options.timeLimit === undefined ? undefined : Date.now() + 1000 * options.timeLimit;
  const [pause, stop] = [new AbortController(), new AbortController()];
  for (const signal of PAUSE_SIGNALS) {
    process.on(signal, () => (pause.signal.aborted ? stop : pause).abort(signal satisfies PauseReason));
  }
  let code: number = TRIAL_EXIT.done;
  for (const folder of folders) {
    const end = await superviseTrial(folder, {
      trainerCommand: [
        resolve(import.meta.dirname, "../../bin/exp.mjs"),
        "trial",
        "work",
        "--checkpoint-every",
        String(options.checkpointEvery),
        "--keep-weights",
        options.keepWeights,
        ...(options.data === undefined ? [] : ["--data", options.data]),
        ...(options.threads === undefined ? [] : ["--threads", String(options.threads)]),
        folder,
      ],
      job,
      deadline: job?.endsAt ?? limit,
      graceSeconds: options.grace,
      pause: pause.signal,
      stop: stop.signal,
      note: printNote,
    });
    // The first thing that went wrong is what the launcher is told.
    code = code === TRIAL_EXIT.done ? end.code : code;
    if (end.pausedBy !== undefined && end.pausedBy !== "cancelled") {
      requeue(end, options, job?.slurmId);
      return end.code;
    }
    if (pause.signal.aborted) {
      break;
    }
  }
  return code;
}

/**
 * Puts this job back into Slurm's queue where time was up. Not after SIGTERM: that comes with a preemption, after which
 * Slurm does so itself, or with an end that somebody wants.
 */
function requeue({ code, pausedBy }: SupervisorEnd, options: RunOptions, slurmId: string | undefined): void {
  const isTimeUp = pausedBy === "SIGUSR2" || pausedBy === "time limit";
  if (options.requeue !== true || slurmId === undefined || !isTimeUp || code !== TRIAL_EXIT.paused) {
    return;
  }
  // Slurm ends a running job that it requeues, with SIGTERM at first: this process wants to end by itself.
  process.removeAllListeners("SIGTERM");
  process.on("SIGTERM", () => undefined);
  try {
    execFileSync("scontrol", ["requeue", slurmId], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
    printNote("requeued");
  } catch (error) {
    const { message } = error as Error;
    printNote(`cannot requeue this job (${message.trim()}); "exp resume" submits what is missing`);
  }
}

/** @throws MerclabError `config` for arguments that name no trial */
function checkArguments(folder: string | undefined, { fromArray, index, all }: RunOptions): void {
  if ((folder === undefined) === (fromArray === undefined)) {
    throw new MerclabError("config", "exp trial run needs the folder of a trial, or --from-array FILE");
  }
  if (folder !== undefined && (index !== undefined || all === true)) {
    throw new MerclabError("config", "--index and --all choose from a list: give --from-array FILE");
  }
}

/** @throws MerclabError `config` for an index that names no trial; `storage` */
async function chooseFolders(folder: string | undefined, options: RunOptions): Promise<string[]> {
  const { fromArray, all } = options;
  if (folder !== undefined) {
    return [resolve(folder)];
  }
  const folders = await readArrayFolders(resolve(fromArray ?? ""));
  if (all === true) {
    return folders;
  }
  const index = options.index ?? parseArrayIndex(arrayIndex(process.env));
  const chosen = folders[index];
  if (chosen === undefined) {
    throw new MerclabError("config", `there is no trial ${index}: the list has ${folders.length}, from 0`, {
      where: fromArray,
    });
  }
  return [chosen];
}

function parseArrayIndex(text: string | undefined): number {
  if (text === undefined) {
    throw new MerclabError("config", "which trial of the list is to run?", {
      hint: "Give --index N, or --all; a job array says it in SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX.",
    });
  }
  return parseIndex(text);
}

function parseIndex(text: string): number {
  const index = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(index) || index < 0) {
    throw new MerclabError("config", `"${text}" is no index: it must be a whole number from 0`);
  }
  return index;
}
