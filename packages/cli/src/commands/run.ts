// `exp run`: plan, train what is missing, print tables.
import { resolve } from "node:path";
import { missingTrials, planSchedule, runStudy } from "@merclab/runner";
import { Command } from "commander";
import pc from "picocolors";
import { EXIT, printJson, printNote, printText } from "../output.ts";
import { createProgress } from "../progress.ts";
import { shellQuoted } from "../refill-command.ts";
import { compileTables, tablesText, terminalWidth } from "../tables.ts";
import { openTracking } from "../tracking.ts";
import { checkpointOption } from "./checkpoint-option.ts";
import { type KeepWeights, keepWeightsOption } from "./keep-weights-option.ts";
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
    .addOption(keepWeightsOption())
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, overrides: string[], options: RunOptions) => {
      process.exitCode = await run(name, overrides, options);
    });
}

interface RunOptions extends PlanOptions {
  readonly checkpointEvery: number;
  readonly keepWeights: KeepWeights;
}

async function run(name: string, overrides: string[], options: RunOptions): Promise<number> {
  const { site, plan } = await openPlan(name, overrides, options);
  const { places } = site;
  printNote(dataLine(plan));
  printNote(pc.bold(plan.experiment.title));
  printNote(engineLine(plan));

  const schedule = planSchedule(await missingTrials(plan, places.runs), options, site.registry);
  for (const note of schedule.notes) {
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
      "--keep-weights",
      options.keepWeights,
      ...(places.dataRoot === undefined ? [] : ["--data", places.dataRoot]),
    ],
    onEvent: (event) => {
      progress.show(event);
      tracking?.follow(event);
    },
    pause: pause.signal,
    signal: stop.signal,
    command: commandLine(name, overrides, options),
  });
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
  progress.end();

  const { view } = plan.experiment;
  const tables = await compileTables(places.runs, plan.experiment.name, { view });
  await tracking?.end(tables, pause.signal.aborted ? "KILLED" : outcome.failed > 0 ? "FAILED" : "FINISHED");
  if (options.json === true) {
    printJson({ experiment: plan.experiment.name, outcome, tables, trials: plan.trials.map((spec) => spec.id) });
  } else {
    printText(tablesText(tables, "terminal", { width: terminalWidth() }));
  }
  if (outcome.cancelled > 0) {
    printNote(`Interrupted: ${outcome.done} of ${plan.trials.length} trials are stored; the same command goes on.`);
    return EXIT.interrupted;
  }
  if (outcome.failed > 0) {
    const failed = `${outcome.failed} of ${plan.trials.length} trials failed`;
    printNote(`${pc.red(failed)}; the others are stored. The same command tries again what is missing.`);
    return EXIT.failed;
  }
  return EXIT.done;
}

/** The command that trains what is missing: as it was typed, but for jobs, threads and how to print. */
function commandLine(name: string, overrides: readonly string[], options: PlanOptions): string {
  const { data, runs, seeds, engine } = options;
  const given = Object.entries({ data, runs: runs === "runs" ? undefined : runs, seeds, engine });
  const flags = given.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, shellQuoted(value)]));
  return ["exp run", shellQuoted(name), ...overrides.map(shellQuoted), ...flags].join(" ");
}
