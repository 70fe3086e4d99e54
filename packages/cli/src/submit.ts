// Hands a study to a launcher, says what it got, and returns.
import { resolve } from "node:path";
import { type LauncherSettings, LIVE_STATES, type StudyPlan, type Submission, submitStudy } from "@merclab/runner";
import pc from "picocolors";
import type { KeepWeights } from "./commands/keep-weights-option.ts";
import { dataLine, engineLine } from "./commands/plan-options.ts";
import { columns, EXIT, printJson, printNote, printText } from "./output.ts";
import type { Site } from "./site.ts";
import { compileTables, tablesText } from "./tables.ts";
import { trialLabel } from "./trial-label.ts";

export interface SubmitArguments {
  /** What a user types to run this again, as text and as words. */
  readonly command: string;
  readonly arguments: readonly string[];
  readonly checkpointEvery: number;
  readonly keepWeights: KeepWeights;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** Trials that may be submitted; all that are missing when absent. */
  readonly only?: ReadonlySet<string>;
}

/** @returns exit code */
export async function submit(
  { site, plan }: { readonly site: Site; readonly plan: StudyPlan },
  launcher: LauncherSettings,
  given: SubmitArguments,
): Promise<number> {
  const { places, registry } = site;
  const isDryRun = given.dryRun === true;
  printNote(dataLine(plan));
  printNote(pc.bold(plan.experiment.title));
  printNote(engineLine(plan));
  const submission = await submitStudy(plan, {
    runsFolder: places.runs,
    launcher,
    registry,
    trialCommand: {
      cwd: process.cwd(),
      node: process.execPath,
      exp: resolve(import.meta.dirname, "../bin/exp.mjs"),
      data: places.dataRoot,
      checkpointEvery: given.checkpointEvery,
      keepWeights: given.keepWeights,
    },
    command: { command: given.command, arguments: given.arguments },
    isDryRun,
    ...(given.only === undefined ? {} : { only: given.only }),
  });
  const { submitted, throttled, trials } = submission;
  if (given.json === true) {
    printJson({
      experiment: plan.experiment.name,
      launcher: launcher.name,
      isDryRun,
      throttled: throttled.map(({ array, tasks }) => ({ number: array.number, jobs: array.jobs, tasks })),
      submitted: submitted.map(({ array, file, text, failures }) => ({
        ...array,
        file,
        ...(isDryRun ? { text } : {}),
        failures: failures.map(({ message }) => message),
      })),
      silent: submission.silent.map(({ message }) => message),
      trials: trials.map(({ spec, state, detail, job }) => ({
        id: spec.id,
        label: trialLabel(spec),
        state,
        detail,
        job,
      })),
    });
    return EXIT.done;
  }
  for (const line of aliveLines(submission)) {
    printNote(line);
  }
  for (const { array, tasks } of throttled) {
    const now = isDryRun ? "would run" : "runs now";
    printNote(`array ${array.number}, job ${array.jobs?.join(", ")}, ${now} ${tasks} at a time.`);
  }
  if (isDryRun) {
    printText(submitted.map(dryRunText).join("\n") || "nothing to submit");
    return EXIT.done;
  }
  // Within exp watch, stdout is for what that one prints.
  const print = given.only === undefined ? printText : printNote;
  for (const { array, file, text, failures } of submitted) {
    for (const { message } of failures) {
      printNote(`${pc.yellow("warning")} ${message}; the other workers go through all trials`);
    }
    if (array.jobs === undefined) {
      print(text);
      printNote(`${file} is yours to apply: kubectl apply -f ${file}`);
    } else {
      print(
        `array ${array.number}: ${array.trials.length === 1 ? "1 trial" : `${array.trials.length} trials`}, job ${array.jobs.join(", ")}`,
      );
    }
  }
  const { name } = plan.experiment;
  if (submitted.length > 0) {
    printNote(
      `"exp watch ${name}" follows them, "exp cancel ${name}" ends them, "exp resume ${name}" submits what is missing.`,
    );
  } else if (trials.every(({ state }) => state === "done")) {
    printNote(`All ${trials.length} trials are stored already; nothing to submit.`);
    printText(tablesText(await compileTables(places.runs, name), "terminal"));
  }
  return EXIT.done;
}

/** What is left alone, and why. */
function aliveLines({ trials, silent }: Submission): string[] {
  const alive = trials.filter(({ state }) => LIVE_STATES.has(state));
  const unknown = alive.filter(({ state }) => state === "unknown");
  return [
    ...silent.map(({ message }) => `${pc.yellow("unknown")} ${message}`),
    ...(alive.length > unknown.length
      ? [`${alive.length - unknown.length} of ${trials.length} trials wait or run already; they are left alone.`]
      : []),
    ...(unknown.length > 0
      ? [
          silent.length > 0
            ? `${unknown.length} of ${trials.length} trials may still wait or run where nobody answers.`
            : `${unknown.length} of ${trials.length} trials were submitted minutes ago and are not known to the scheduler; ` +
              "should they stay unknown for ten minutes, the same command submits them again.",
        ]
      : []),
  ];
}

function dryRunText({ file, text, trials }: Submission["submitted"][number]): string {
  const rows = trials.map((spec, index) => [String(index), spec.id, trialLabel(spec)]);
  return `# ${file}\n${text}\n${columns([["index", "trial", "what"], ...rows])}\n`;
}
