// `exp run`: plan, train what is missing, print tables.
import { resolve } from "node:path";
import {
  DEFAULT_GUARD,
  findStaleTrials,
  type GuardOptions,
  missingTrials,
  planSchedule,
  readTrials,
  runStudy,
  type StudyOutcome,
} from "@merclab/runner";
import { Command, Option } from "commander";
import pc from "picocolors";
import { EXIT, printJson, printNote, printText } from "../output.ts";
import { createProgress } from "../progress.ts";
import { staleLines } from "../stale-text.ts";
import { compileTables, tablesText } from "../tables.ts";
import { openTracking } from "../tracking.ts";
import { checkpointOption } from "./checkpoint-option.ts";
import { parseWhole } from "./parse-numbers.ts";
import { addPlanOptions, dataLine, engineLine, openPlan, type PlanOptions } from "./plan-options.ts";

const EXAMPLES = `
Examples:
  $ exp run sdt-vs-lmam                          what the file says; again: only what is missing
  $ exp run sdt-vs-lmam datasets=meld --seeds 5
  $ exp run sdt-vs-lmam fusion=lmam fusion.lmam.rank=4,16
  $ exp run sdt-vs-lmam --data ~/features --jobs 4`;

export function runCommand(): Command {
  return addPlanOptions(new Command("run"))
    .description("Train what is missing of an experiment and print its tables")
    .addOption(checkpointOption())
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
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, overrides: string[], options: RunOptions) => {
      process.exitCode = await run(name, overrides, options);
    });
}

interface RunOptions extends PlanOptions, GuardOptions {
  readonly checkpointEvery: number;
  readonly retryFailed?: boolean;
}

async function run(name: string, overrides: string[], options: RunOptions): Promise<number> {
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
  const progress = createProgress(plan.trials, schedule.jobs);
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
  const tracking = openTracking(plan, places.runs, progress.note);
  const outcome = await runStudy(plan, {
    runsFolder: places.runs,
    schedule,
    workerCommand: [
      resolve(import.meta.dirname, "../../bin/exp.mjs"),
      "trial",
      "work",
      "--checkpoint-every",
      String(options.checkpointEvery),
      ...(places.dataRoot === undefined ? [] : ["--data", places.dataRoot]),
    ],
    onEvent: (event) => {
      progress.show(event);
      tracking?.follow(event);
    },
    pause: pause.signal,
    signal: stop.signal,
    command: commandLine(name, overrides, options),
    retryFailed,
    guard: { onError, failFast },
    onHalt: (reason) => progress.note(pc.red(reason)),
  });
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
  progress.end();

  const tables = await compileTables(places.runs, plan.experiment.name);
  await tracking?.end(
    tables,
    pause.signal.aborted ? "KILLED" : outcome.done < plan.trials.length ? "FAILED" : "FINISHED",
  );
  if (options.json === true) {
    printJson({ experiment: plan.experiment.name, outcome, tables, trials: plan.trials.map((spec) => spec.id) });
  } else {
    printText(tablesText(tables, "terminal"));
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
  return EXIT.done;
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
function commandLine(name: string, overrides: readonly string[], options: PlanOptions): string {
  const { data, runs, seeds, engine } = options;
  const given = Object.entries({ data, runs: runs === "runs" ? undefined : runs, seeds, engine });
  const flags = given.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, quoted(value)]));
  return ["exp run", quoted(name), ...overrides.map(quoted), ...flags].join(" ");
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w.=,/:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
