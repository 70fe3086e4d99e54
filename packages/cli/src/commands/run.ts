// `exp run`: plan, train what is missing, print tables; or submit it to a launcher.
import { resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import {
  DEFAULT_GUARD,
  findStaleTrials,
  type GuardOptions,
  isLauncherOverride,
  type LauncherSettings,
  missingTrials,
  parseOverride,
  planSchedule,
  readLauncher,
  readTrials,
  runStudy,
  type StudyOutcome,
  samplingFrom,
  shellWord,
} from "@merclab/runner";
import { Command, Option } from "commander";
import pc from "picocolors";
import { EXIT, printJson, printNote, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { createProgress } from "../progress.ts";
import { staleLines } from "../stale-text.ts";
import { submit } from "../submit.ts";
import { compileTables, tablesText, terminalWidth } from "../tables.ts";
import { openTracking } from "../tracking.ts";
import { checkpointOption } from "./checkpoint-option.ts";
import { type KeepWeights, keepWeightsOption } from "./keep-weights-option.ts";
import { parseWhole } from "./parse-numbers.ts";
import { addPlanOptions, dataLine, engineLine, openPlan, type PlanOptions } from "./plan-options.ts";

const EXAMPLES = `
Examples:
  $ exp run sdt-vs-lmam                          what the file says; again: only what is missing
  $ exp run sdt-vs-lmam datasets=meld --seeds 5
  $ exp run sdt-vs-lmam fusion=lmam fusion.lmam.rank=4,16
  $ exp run sdt-vs-lmam --data ~/features --jobs 4
  $ exp run sdt-vs-lmam --launcher slurm launcher.partition=gpu launcher.time=4:00:00 launcher.throttle=8
  $ exp run sdt-vs-lmam --launcher slurm --dry-run     prints the scripts, and submits nothing`;

export function runCommand(): Command {
  return createRunCommand(async (name, overrides, options) => {
    process.exitCode = await run(name, overrides, options);
  });
}

export interface RunOptions extends PlanOptions, GuardOptions {
  readonly checkpointEvery: number;
  readonly retryFailed?: boolean;
  readonly launcher?: string;
  readonly dryRun?: boolean;
  /** Trials that a launcher may get; all that are missing when absent. */
  readonly only?: ReadonlySet<string>;
  readonly keepWeights: KeepWeights;
}

type RunAction = (name: string, overrides: string[], options: RunOptions) => Promise<void>;

function createRunCommand(action: RunAction): Command {
  return addPlanOptions(new Command("run"))
    .description("Train what is missing of an experiment and print its tables, or submit it to a launcher")
    .addOption(checkpointOption())
    .addOption(keepWeightsOption())
    .option("--retry-failed", "train those again too that failed and would fail again, such as those that diverged")
    .addOption(
      new Option("--on-error <what>", "when a trial fails: start no further one, or go on with the others")
        .choices(["stop", "continue"] satisfies GuardOptions["onError"][])
        .default(DEFAULT_GUARD.onError),
    )
    .option(
      "--fail-fast <n>",
      "start no further trial when the first n all fail with one message; 0 = never",
      parseWhole,
      DEFAULT_GUARD.failFast,
    )
    .option(
      "--launcher <name>",
      "where trials run: local, or a file in configs/launcher; options are launcher.KEY=VALUE",
    )
    .option("--dry-run", "with a launcher: print what would be submitted")
    .addHelpText("after", EXAMPLES)
    .action(action);
}

/** What was typed after `exp run`, as data. */
export interface RunArguments {
  readonly name: string;
  readonly overrides: string[];
  readonly options: RunOptions;
}

/** @param given arguments as they are stored with a study */
export async function parseRunArguments(given: readonly string[]): Promise<RunArguments> {
  let parsed: RunArguments | undefined;
  const command = createRunCommand(async (name, overrides, options) => {
    parsed = { name, overrides, options };
  });
  await command.exitOverride().parseAsync([...given], { from: "user" });
  return parsed as RunArguments;
}

/** Trains or submits. @returns exit code */
export async function run(name: string, overrides: readonly string[], options: RunOptions): Promise<number> {
  const isLauncherArgument = (argument: string) => isLauncherOverride(parseOverride(argument));
  const launcher = await readLauncher(
    options.launcher,
    overrides.filter(isLauncherArgument).map(parseOverride),
    findPlaces(options).configs,
  );
  const own = overrides.filter((argument) => !isLauncherArgument(argument));
  if (launcher === undefined) {
    if (options.dryRun === true) {
      throw new MerclabError("config", "--dry-run is for launchers", {
        hint: `"exp plan ${name}" shows what would run.`,
      });
    }
    return runHere(name, own, options);
  }
  refuseLocalOptions(options, launcher);
  const opened = await openPlan(name, own, options);
  return submit(opened, launcher, { ...options, ...commandOf(name, overrides, options) });
}

function refuseLocalOptions({ jobs, threads, ...options }: RunOptions, { name }: LauncherSettings): void {
  const given = jobs !== undefined ? "--jobs" : threads !== undefined ? "--threads" : undefined;
  if (given !== undefined) {
    throw new MerclabError("config", `${given} is for local runs, and launcher ${name} was chosen`, {
      hint: "How many trials run at a time, and with how many cores, are its options: launcher.throttle, launcher.cpus.",
    });
  }
  const { retryFailed, onError, failFast } = options;
  if (retryFailed === true || onError !== DEFAULT_GUARD.onError || failFast !== DEFAULT_GUARD.failFast) {
    throw new MerclabError(
      "config",
      `--retry-failed, --on-error and --fail-fast are for local runs, and launcher ${name} was chosen`,
      { hint: "A launcher gets every trial that is missing, failed ones too, and jobs end one by one." },
    );
  }
}

async function runHere(name: string, overrides: readonly string[], options: RunOptions): Promise<number> {
  samplingFrom(process.env); // what is wrong with it is told before anything starts
  const { site, plan } = await openPlan(name, overrides, options);
  const { places } = site;
  printNote(dataLine(plan));
  printNote(pc.bold(plan.experiment.title));
  printNote(engineLine(plan));

  const { retryFailed = false, onError, failFast } = options;
  const stored = await readTrials(places.runs, plan.experiment.name);
  const schedule = planSchedule(missingTrials(plan, stored, { retryFailed }), options, site.registry);
  const stale = await findStaleTrials(places.runs, plan.experiment.name, stored, plan);
  for (const note of [...schedule.notes, ...staleLines(stale, name)]) {
    printNote(note);
  }
  const progress = createProgress(plan.trials, () => schedule.jobs);
  const [pause, stop] = [new AbortController(), new AbortController()];
  const interrupt = () => {
    if (pause.signal.aborted) {
      stop.abort();
    } else {
      progress.note("Finishing the epochs that run, to keep checkpoints of them. Once more (Ctrl-C) stops at once.");
      pause.abort();
    }
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const tracking = openTracking(plan.experiment.name, places.runs, progress.note);
  let elsewhere = 0;
  const outcome = await runStudy(plan, {
    runsFolder: places.runs,
    schedule,
    workerCommand: [
      resolve(import.meta.dirname, "../../bin/exp.mjs"),
      "trial",
      "work",
      "--checkpoint-every",
      String(options.checkpointEvery),
      "--keep-weights",
      options.keepWeights,
      ...(places.dataRoot === undefined ? [] : ["--data", places.dataRoot]),
    ],
    onEvent: (event) => {
      elsewhere += event.type === "elsewhere" ? 1 : 0;
      progress.show(event);
      tracking?.follow(event);
    },
    pause: pause.signal,
    signal: stop.signal,
    ...commandOf(name, overrides, options),
    retryFailed,
    guard: { onError, failFast },
    onHalt: (reason) => progress.note(pc.red(reason)),
  });
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
  progress.end();

  const { view } = plan.experiment;
  const tables = await compileTables(places.runs, plan.experiment.name, { view });
  await tracking?.end({
    tables,
    status: pause.signal.aborted ? "KILLED" : outcome.done < plan.trials.length ? "FAILED" : "FINISHED",
  });
  if (options.json === true) {
    printJson({ experiment: plan.experiment.name, outcome, tables, trials: plan.trials.map((spec) => spec.id) });
  } else {
    printText(tablesText(tables, "terminal", { width: terminalWidth() }));
  }
  if (elsewhere > 0) {
    const others = `${elsewhere} of ${plan.trials.length} trials are being trained elsewhere`;
    printNote(`${others}: "exp watch ${name}" follows them, "exp cancel ${name}" ends them.`);
  }
  if (outcome.cancelled > 0) {
    printNote(`Interrupted: ${outcome.done} of ${plan.trials.length} trials are stored; the same command goes on.`);
    return EXIT.interrupted;
  }
  const failed = outcome.failed + outcome.passedOver;
  if (failed + outcome.unstarted > 0) {
    for (const line of failureLines(outcome, plan.trials.length)) {
      printNote(line);
    }
    return EXIT.failed;
  }
  return elsewhere > 0 ? EXIT.failed : EXIT.done;
}

/** What failed, what was left, and what the same command will do about either. */
function failureLines({ done, failed, passedOver, unstarted }: StudyOutcome, all: number): string[] {
  const what = [
    ...(failed + passedOver > 0 ? [`${failed + passedOver} of ${all} trials failed`] : []),
    ...(unstarted > 0 ? [`${unstarted} were not started`] : []),
  ].join(", ");
  const others = done > 0 ? "; the others are stored." : ".";
  return [
    `${pc.red(what)}${others}`,
    "The same command trains what is missing, but for trials that would fail again: --retry-failed takes those too.",
  ];
}

/** The command that trains what is missing: as it was typed, but for jobs, threads and how to print. */
function commandOf(
  name: string,
  overrides: readonly string[],
  options: RunOptions,
): { readonly command: string; readonly arguments: readonly string[] } {
  const { data, runs, seeds, engine, launcher } = options;
  const given = Object.entries({ data, runs: runs === "runs" ? undefined : runs, seeds, engine, launcher });
  const flags = given.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, value]));
  const words = [name, ...overrides, ...flags];
  return {
    command: ["exp run", ...words.map(shellWord)].join(" "),
    arguments: [...words, "--checkpoint-every", String(options.checkpointEvery), "--keep-weights", options.keepWeights],
  };
}
