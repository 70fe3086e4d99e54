// Submits what is missing of a study and in nobody's hands, and returns: nothing waits for the jobs.
import { writeFile } from "node:fs/promises";
import { MerclabError, type PluginRegistry } from "@merclab/core";
import type { StudyPlan } from "../config/plan.ts";
import { createTrialFolder, experimentFolder } from "../store/experiment-store.ts";
import type { TrialSpec } from "../store/trial-files.ts";
import { lockExperiment } from "../study/lock.ts";
import { type StudyFile, writeStudy } from "../study/study-file.ts";
import { withdrawCancel } from "../supervisor/cancel-requests.ts";
import { type ArrayFile, arrayPath, newArray, readArrays, writeArray } from "./array-file.ts";
import type { Launcher, TrialCommand } from "./launcher.ts";
import { createLauncher, type LauncherSettings } from "./settings.ts";
import { LIVE_STATES, type StudyView, type TrialView, viewStudy } from "./trial-states.ts";

export interface SubmitOptions {
  readonly runsFolder: string;
  readonly launcher: LauncherSettings;
  readonly registry: PluginRegistry;
  readonly trialCommand: TrialCommand;
  /** What a user types to run this again. */
  readonly command: Pick<StudyFile, "command" | "arguments">;
  /** Trials that may be submitted; all that are missing when absent. */
  readonly only?: ReadonlySet<string>;
  /** Renders, and writes nothing. */
  readonly isDryRun: boolean;
}

export interface Submitted {
  readonly array: ArrayFile;
  /** Script or manifest, as a file and as text. */
  readonly file: string;
  readonly text: string;
  readonly trials: readonly TrialSpec[];
  /** Why some of its jobs are not there; the others train all its trials. */
  readonly failures: readonly MerclabError[];
}

export interface Submission {
  readonly submitted: readonly Submitted[];
  /** Arrays that waited already, with the number of tasks at a time that they have now. */
  readonly throttled: readonly { readonly array: ArrayFile; readonly tasks: number }[];
  /** Where all trials of the study stood before. */
  readonly trials: readonly TrialView[];
  /** Who did not answer: what they may have was left alone. */
  readonly silent: readonly MerclabError[];
}

/**
 * @throws MerclabError `config` when the scheduler refuses or does not answer; `storage` while another process submits or
 *   trains this experiment
 */
export async function submitStudy(plan: StudyPlan, options: SubmitOptions): Promise<Submission> {
  const { runsFolder, isDryRun, command } = options;
  const studyFolder = experimentFolder(runsFolder, plan.experiment.name);
  const launcher = createLauncher(options.launcher);
  if (isDryRun) {
    return submitMissing(plan, launcher, studyFolder, options);
  }
  const unlock = await lockExperiment(studyFolder);
  try {
    await writeStudy(runsFolder, plan, command);
    for (const spec of plan.trials) {
      await createTrialFolder(runsFolder, spec);
    }
    await findUnrecorded(studyFolder);
    return await submitMissing(plan, launcher, studyFolder, options);
  } finally {
    unlock();
  }
}

async function submitMissing(
  plan: StudyPlan,
  launcher: Launcher,
  studyFolder: string,
  { runsFolder, registry, launcher: settings, trialCommand, isDryRun, only }: SubmitOptions,
): Promise<Submission> {
  const view = await viewStudy(runsFolder, plan.experiment.name, plan.trials);
  const { trials, arrays, silent } = view;
  const free = trials
    .filter(({ state, spec }) => state !== "done" && !LIVE_STATES.has(state) && only?.has(spec.id) !== false)
    .map(({ spec }) => spec);
  if (silent[0] !== undefined && !isDryRun && free.length === 0 && trials.some(({ state }) => state === "unknown")) {
    const { message } = silent[0];
    const { name } = plan.experiment;
    throw new MerclabError(
      "config",
      `what was submitted before may still run, and the scheduler is silent: ${message}`,
      {
        hint: `Try again when it answers: nothing is submitted twice blindly. Should it never, "exp cancel ${name}" gives up what it had.`,
      },
    );
  }
  const throttled = await throttleWaiting(view, launcher, settings, isDryRun ? undefined : studyFolder);
  const submitted: Submitted[] = [];
  let number = Math.max(0, ...arrays.map((array) => array.number));
  if (free.length > 0) {
    const size = await launcher.maxArraySize();
    for (const { specs, threads } of split(free, size, registry, settings)) {
      number += 1;
      const ids = specs.map(({ id }) => id);
      const content = { launcher: settings, trials: ids, ...(threads === undefined ? {} : { threads }) };
      const array = newArray(plan.experiment.name, number, content);
      const path = arrayPath(studyFolder, number);
      const file = `${path}.${launcher.extension}`;
      const text = launcher.render({ array, folder: studyFolder, path, command: trialCommand });
      const done = isDryRun ? { array, failures: [] } : await submit(launcher, studyFolder, array, file, text);
      submitted.push({ ...done, file, text, trials: specs });
    }
  }
  return { submitted, throttled, trials, silent };
}

/**
 * Arrays of the launcher that wait get the number of tasks at a time that is asked for now, where it is another one.
 *
 * @param studyFolder undefined: nothing is done
 */
async function throttleWaiting(
  { trials, arrays }: StudyView,
  launcher: Launcher,
  { kind, options: { throttle: tasks } }: LauncherSettings,
  studyFolder: string | undefined,
): Promise<Submission["throttled"]> {
  if (typeof tasks !== "number" || launcher.setThrottle === undefined) {
    return [];
  }
  const waiting = trials.flatMap(({ state, job }) => (state === "waiting" && job !== undefined ? [job] : []));
  const throttled: { array: ArrayFile; tasks: number }[] = [];
  for (const array of arrays) {
    const options = array.launcher.options as LauncherSettings["options"];
    const hasWaiting = array.jobs?.some((job) => waiting.some((task) => task.startsWith(`${job}_`))) === true;
    if (array.launcher.kind === kind && hasWaiting && options.throttle !== tasks) {
      if (studyFolder !== undefined) {
        await launcher.setThrottle(array, tasks);
        await writeArray(studyFolder, {
          ...array,
          launcher: { ...array.launcher, options: { ...options, throttle: tasks } },
        });
      }
      throttled.push({ array, tasks });
    }
  }
  return throttled;
}

async function submit(
  launcher: Launcher,
  studyFolder: string,
  array: ArrayFile,
  file: string,
  text: string,
): Promise<Pick<Submitted, "array" | "failures">> {
  await withdrawCancel(studyFolder, array.trials);
  await writeArray(studyFolder, array);
  await writeFile(file, text);
  const refused = async (error: unknown): Promise<never> => {
    await writeArray(studyFolder, { ...array, notSubmitted: (error as Error).message });
    throw error;
  };
  const answer = await launcher.submit?.(array, file).catch(refused);
  const jobs = answer === undefined ? {} : { jobs: answer.jobs };
  const recorded = { ...array, submittedAt: new Date().toISOString(), ...jobs };
  await writeArray(studyFolder, recorded);
  return { array: recorded, failures: answer?.failures ?? [] };
}

/** A crash between submission and record: the scheduler knows the array by its name, or it was never submitted. */
async function findUnrecorded(studyFolder: string): Promise<void> {
  const arrays = await readArrays(studyFolder);
  for (const array of arrays.filter(
    ({ submittedAt, notSubmitted }) => submittedAt === undefined && notSubmitted === undefined,
  )) {
    const launcher = createLauncher(array.launcher);
    if (launcher.submit === undefined) {
      continue; // applied by the user, or not
    }
    const jobs = (await launcher.find?.([array]))?.get(array.name);
    await writeArray(
      studyFolder,
      jobs === undefined
        ? { ...array, notSubmitted: "a crash before the scheduler had it" }
        : { ...array, submittedAt: array.plannedAt, jobs },
    );
  }
}

interface Part {
  readonly specs: TrialSpec[];
  readonly threads: number | undefined;
}

/** Arrays no larger than allowed, each of trials that need the same. */
function split(
  trials: readonly TrialSpec[],
  size: number,
  registry: PluginRegistry,
  { options }: LauncherSettings,
): Part[] {
  const cpus = typeof options.cpus === "number" ? options.cpus : 1;
  const usesOne = ({ config }: TrialSpec) => registry.get("engine", config.engine.name).threads === "one";
  const parts: Part[] = [
    { specs: trials.filter(usesOne), threads: undefined },
    { specs: trials.filter((spec) => !usesOne(spec)), threads: cpus },
  ];
  return parts.flatMap(({ specs, threads }) =>
    Array.from({ length: Math.ceil(specs.length / size) }, (_, i) => ({
      specs: specs.slice(i * size, (i + 1) * size),
      threads,
    })),
  );
}
