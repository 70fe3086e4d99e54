// `exp watch`: follows a study, wherever its trials run, until none is left that somebody has.
import { setTimeout as sleep } from "node:timers/promises";
import { MerclabError } from "@merclab/core/errors";
import { type EndStatus, LIVE_STATES, readStudy, type StudyView, type TrialView, viewStudy } from "@merclab/runner";
import { Command } from "commander";
import pc from "picocolors";
import { columns, EXIT, printJson, printNote, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { createProgress } from "../progress.ts";
import { stalledSeconds, stalledText } from "../stalled.ts";
import { compileTables, tablesText } from "../tables.ts";
import { openTracking } from "../tracking.ts";
import { trialLabel } from "../trial-label.ts";
import { eventsBetween } from "../watch-events.ts";
import { parseSeconds } from "./parse-numbers.ts";
import { resume } from "./resume.ts";

/** Resubmissions of a trial that has not trained an epoch in between. */
const MAX_RESUBMISSIONS = 3;

const EXAMPLES = `
Ends when no trial waits or runs: with 0 when all are done. Ctrl-C ends the watching only.
Where MLFLOW_TRACKING_URI names a server, the trials are sent there meanwhile, as exp run does.

Examples:
  $ exp watch sdt-vs-lmam
  $ exp watch sdt-vs-lmam --resubmit       submits again what was paused or lost
  $ exp watch sdt-vs-lmam --once           one line per trial, now`;

interface WatchOptions {
  readonly runs: string;
  readonly every: number;
  readonly once?: boolean;
  readonly resubmit?: boolean;
  /** Seconds. */
  readonly stalledAfter: number;
  readonly json?: boolean;
}

export function watchCommand(): Command {
  return new Command("watch")
    .description("Follow the trials of a study, wherever they run")
    .argument("<experiment>", "an experiment that ran or was submitted")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option(
      "--every <seconds>",
      "time between two looks; grows to eight times that while nothing changes",
      parseSeconds,
      15,
    )
    .option("--once", "look once")
    .option("--resubmit", "submit trials that were paused or lost, with the launcher that they had")
    .option(
      "--stalled-after <seconds>",
      "tell trials that run and have ended no epoch for so long, and for twenty epochs' time",
      parseSeconds,
      600,
    )
    .option("--json", "one JSON document on stdout, at the end")
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, options: WatchOptions) => {
      process.exitCode = await watch(name, options);
    });
}

async function watch(name: string, options: WatchOptions): Promise<number> {
  const { runs } = findPlaces({ runs: options.runs });
  const { trials, experiment } = await readStudy(runs, name);
  const look = () => viewStudy(runs, experiment, trials);
  const stop = new AbortController();
  process.on("SIGINT", () => stop.abort());
  const view = options.once === true ? await look() : await follow(look, { runs, experiment }, options, stop.signal);
  tellSilence(view);
  if (options.json === true) {
    printJson({ experiment, trials: view.trials.map(plainView) });
  } else if (options.once === true) {
    printText(statesText(view.trials));
    tellStalled(view, options, new Set(), printNote);
  } else {
    printText(tablesText(await compileTables(runs, experiment), "terminal"));
  }
  const open = view.trials.filter(({ state }) => state !== "done");
  if (open.length === 0) {
    return EXIT.done;
  }
  printNote(`${counts(open)} of ${view.trials.length} trials.`);
  if (stop.signal.aborted) {
    printNote("They go on without being watched.");
    return EXIT.interrupted;
  }
  if (open.some(({ state }) => !LIVE_STATES.has(state))) {
    printNote(`"exp resume ${name}" submits or trains what is missing.`);
  }
  return options.once === true ? EXIT.done : EXIT.failed;
}

/** Tells what changes until nothing lives any more, or the signal. @returns the last look */
async function follow(
  look: () => Promise<StudyView>,
  { runs, experiment }: { readonly runs: string; readonly experiment: string },
  options: WatchOptions,
  signal: AbortSignal,
): Promise<StudyView> {
  let before: readonly TrialView[] | undefined;
  let view = await look();
  const running = () => Math.max(1, view.trials.filter(({ state }) => state === "running").length);
  const progress = createProgress(
    view.trials.map(({ spec }) => spec),
    running,
  );
  const tracking = openTracking(experiment, runs, progress.note);
  const resubmitted = new Map<string, { epoch: number; times: number }>();
  let wait = options.every;
  const stalled = new Set<string>();
  let said = "";
  for (;;) {
    const events = eventsBetween(before, view.trials);
    for (const event of events) {
      progress.show(event);
    }
    tracking?.look(view.trials);
    tellStalled(view, options, stalled, progress.note);
    const summary = counts(view.trials.filter(({ state }) => state !== "done"));
    if (summary !== said && summary !== "") {
      progress.note(pc.dim(summary));
      said = summary;
    }
    before = view.trials;
    const again = options.resubmit === true ? resubmittable(view.trials, resubmitted) : [];
    if (again.length > 0) {
      await resubmit(experiment, view, { runs: options.runs, only: new Set(again) }, progress.note);
    } else if (!view.trials.some(({ state }) => LIVE_STATES.has(state))) {
      break;
    }
    // The scheduler is asked less often while nothing happens.
    wait = events.length > 0 ? options.every : Math.min(1.5 * wait, 8 * options.every);
    await sleep(1000 * wait, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) {
      break;
    }
    view = await look();
  }
  progress.end();
  const status = statusOf(view);
  await tracking?.end(status === undefined ? undefined : { tables: await compileTables(runs, experiment), status });
  return view;
}

/** As the run of the study on a server says it; undefined while trials wait or run. */
function statusOf({ trials }: StudyView): EndStatus | undefined {
  if (trials.some(({ state }) => LIVE_STATES.has(state))) {
    return undefined;
  }
  const missing = trials.filter(({ state }) => state !== "done");
  return missing.length === 0 ? "FINISHED" : missing.every(({ state }) => state === "failed") ? "FAILED" : "KILLED";
}

/** What cannot be submitted now is tried again at the next look. */
async function resubmit(
  experiment: string,
  { arrays }: StudyView,
  options: Parameters<typeof resume>[2],
  note: (text: string) => void,
): Promise<void> {
  if (arrays.length === 0) {
    throw new MerclabError("config", `"${experiment}" was run on this machine, and not submitted`, {
      where: "command line: --resubmit",
      hint: `exp resume ${experiment} goes on with it here.`,
    });
  }
  try {
    await resume(experiment, [], options);
  } catch (error) {
    if (!(error instanceof MerclabError)) {
      throw error;
    }
    note(`cannot submit now: ${error.message}`);
  }
}

/** Trials that wait for nobody, but those that were resubmitted again and again without an epoch. */
function resubmittable(
  trials: readonly TrialView[],
  resubmitted: Map<string, { epoch: number; times: number }>,
): string[] {
  return trials
    .filter(({ state }) => state === "paused" || state === "lost" || state === "missing")
    .filter(({ spec, epoch }) => {
      const before = resubmitted.get(spec.id);
      const times = before !== undefined && before.epoch >= epoch ? before.times + 1 : 1;
      resubmitted.set(spec.id, { epoch, times });
      return times <= MAX_RESUBMISSIONS;
    })
    .map(({ spec }) => spec.id);
}

/** @param told ids of trials that have been told, and have not moved since */
function tellStalled(
  { trials }: StudyView,
  { stalledAfter }: WatchOptions,
  told: Set<string>,
  note: (text: string) => void,
): void {
  for (const view of trials) {
    const seconds = stalledSeconds(view, stalledAfter, Date.now());
    if (seconds === undefined) {
      told.delete(view.spec.id);
    } else if (!told.has(view.spec.id)) {
      told.add(view.spec.id);
      note(`${pc.yellow("stalled")} ${stalledText(view, seconds)}`);
    }
  }
}

function tellSilence({ silent }: StudyView): void {
  for (const { message } of silent) {
    printNote(`${pc.yellow("unknown")} ${message}`);
  }
}

/** "2 running, 5 waiting (PENDING (Resources)), 1 failed" */
function counts(trials: readonly TrialView[]): string {
  const states = [...new Set(trials.map(({ state }) => state))];
  return states
    .map((state) => {
      const members = trials.filter((each) => each.state === state);
      const details = [...new Set(members.flatMap(({ detail }) => (detail === undefined ? [] : [detail])))];
      const why = state === "waiting" || state === "unknown" ? ` (${details.join("; ")})` : "";
      return `${members.length} ${state}${why}`;
    })
    .join(", ");
}

function statesText(trials: readonly TrialView[]): string {
  const rows = trials.map(({ spec, state, epoch, epochs, attempt, job, detail }) => [
    spec.id,
    trialLabel(spec),
    state,
    `${epoch}/${epochs}`,
    String(attempt),
    job ?? "–",
    detail ?? "",
  ]);
  return columns([["trial", "what", "state", "epoch", "attempt", "job", ""], ...rows]);
}

function plainView({ spec, folder, state, detail, job, attempt, epoch, epochs }: TrialView) {
  return { id: spec.id, label: trialLabel(spec), state, detail, job, attempt, epoch, epochs, folder };
}
