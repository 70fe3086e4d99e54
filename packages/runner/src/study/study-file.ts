// `study.json`: what the last run of an experiment planned, so that tables can be made later without data or plan; and
// which cells any of its plans names, so that those of former configs can be told.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { MerclabError, nearestName } from "@merclab/core";
import { cellId } from "../config/identity.ts";
import type { StudyPlan } from "../config/plan.ts";
import type { TableSpec } from "../config/table-spec.ts";
import { type Origin, readOrigin } from "../origin/origin.ts";
import {
  experimentFolder,
  readExperimentNames,
  readJson,
  type StoredTrial,
  writeJson,
} from "../store/experiment-store.ts";
import type { TrialSpec } from "../store/trial-files.ts";
import { lockExperiment } from "./lock.ts";

export interface StudyFile {
  readonly schema: 1;
  readonly experiment: string;
  readonly title: string;
  /** The command that trains what is missing. */
  readonly command: string;
  /** The same as `exp run` takes it. Absent in files of older versions. */
  readonly arguments?: readonly string[];
  readonly notices: readonly string[];
  readonly tables: readonly TableSpec[];
  readonly trials: readonly TrialSpec[];
  /** The cells of the last plan of every variant that ran. Absent in files of older versions. */
  readonly plans?: Readonly<Record<string, readonly string[]>>;
  /** When it was run for the first time. Absent in files of older versions, as is what follows. */
  readonly startedAt?: string;
  /** Code and machine of the last run. */
  readonly origin?: Origin;
  readonly data?: readonly StudyData[];
}

/** A data set as it was found. */
export interface StudyData {
  readonly fingerprint: string;
  /** Absent for what is made up. */
  readonly folder?: string;
  /** Dialogues per part. */
  readonly dialogues: { readonly train: number; readonly valid: number; readonly test: number };
}

const FILE = "study.json";

/** Overrides that narrow a study leave its file as it is, so that its tables stay whole while a part is computed. */
export async function writeStudy(
  runsFolder: string,
  plan: StudyPlan,
  command: Pick<StudyFile, "command" | "arguments">,
): Promise<void> {
  const { experiment, notices, trials, datasets } = plan;
  const folder = experimentFolder(runsFolder, experiment.name);
  const earlier = await readStudyFile(folder);
  const study: StudyFile = {
    schema: 1,
    experiment: experiment.name,
    title: experiment.title,
    ...command,
    notices,
    tables: experiment.tables,
    trials,
    plans: knownPlans(earlier, plan),
    startedAt: earlier?.startedAt ?? new Date().toISOString(),
    origin: await readOrigin(),
    data: datasets.map(({ dataset, folder }) => ({
      fingerprint: dataset.fingerprint,
      ...(folder === undefined ? {} : { folder }),
      dialogues: {
        train: dataset.splits.train.length,
        valid: dataset.splits.valid.length,
        test: dataset.splits.test.length,
      },
    })),
  };
  if (earlier === undefined || !plan.isOverridden || !isPart(study, earlier)) {
    await writeJson(join(folder, FILE), study);
  }
}

function isPart(study: StudyFile, whole: StudyFile): boolean {
  const known = new Set(whole.trials.map(({ id }) => id));
  const declared = ({ title, tables }: StudyFile) => JSON.stringify([title, tables]);
  return (
    declared(study) === declared(whole) &&
    study.trials.length < whole.trials.length &&
    study.trials.every(({ id }) => known.has(id))
  );
}

/** The cells of every variant, those of this plan's as it has them. */
function knownPlans(study: StudyFile | undefined, { variant, trials }: StudyPlan): Record<string, readonly string[]> {
  return { ...study?.plans, [variant]: [...new Set(trials.map(cellId))] };
}

/**
 * Stored trials that no plan names any more: their config or their data changed since. A cell that only lost seeds is
 * not among them.
 *
 * @param plan where it is newer than what ran last
 */
export async function findStaleTrials(
  runsFolder: string,
  experiment: string,
  stored: readonly StoredTrial[],
  plan?: StudyPlan,
): Promise<StoredTrial[]> {
  const study = await readStudyFile(experimentFolder(runsFolder, experiment));
  const plans = plan === undefined ? study?.plans : knownPlans(study, plan);
  if (plans === undefined) {
    return []; // nothing is known of what was planned
  }
  const known = new Set(Object.values(plans).flat());
  return stored.filter(({ spec }) => !known.has(cellId(spec)));
}

/** Removes trial folders, which nothing may be running. @throws MerclabError `storage` */
export async function removeTrials(
  runsFolder: string,
  experiment: string,
  trials: readonly StoredTrial[],
): Promise<void> {
  const unlock = await lockExperiment(experimentFolder(runsFolder, experiment));
  try {
    for (const { folder } of trials) {
      await rm(folder, { recursive: true, force: true });
    }
  } finally {
    unlock();
  }
}

/** @returns undefined when the experiment of the folder never ran */
export async function readStudyFile(folder: string): Promise<StudyFile | undefined> {
  const study = await readJson<StudyFile>(join(folder, FILE));
  return study === undefined ? undefined : { ...study, trials: shareEqual(study.trials) };
}

/** Trials of one cell have one config and one task, as in a plan: what is worked out of these is worked out once. */
function shareEqual(trials: readonly TrialSpec[]): TrialSpec[] {
  const known = new Map<string, unknown>();
  const shared = <T>(value: T): T => {
    const text = JSON.stringify(value);
    const first = known.get(text) ?? value;
    known.set(text, first);
    return first as T;
  };
  return trials.map((spec) => ({
    ...spec,
    config: shared(spec.config),
    ...(spec.task === undefined ? {} : { task: shared(spec.task) }),
  }));
}

/** Those of the trials that the last run of the experiment planned; all where that is not known. */
export async function plannedTrials<T extends { readonly spec: TrialSpec }>(
  folder: string,
  trials: readonly T[],
): Promise<T[]> {
  const study = await readStudyFile(folder);
  const ids = study === undefined ? undefined : new Set(study.trials.map(({ id }) => id));
  return trials.filter(({ spec }) => ids?.has(spec.id) ?? true);
}

/** @throws MerclabError `config` when the experiment never ran */
export async function readStudy(runsFolder: string, experiment: string): Promise<StudyFile> {
  const study = await readStudyFile(experimentFolder(runsFolder, experiment));
  if (study === undefined) {
    const near = nearestName(experiment, await readExperimentNames(runsFolder));
    throw new MerclabError("config", `experiment "${experiment}" has no stored runs in ${runsFolder}`, {
      hint: `${near === undefined ? "" : `Did you mean "${near}"? `}Run it first: exp run ${experiment}`,
    });
  }
  return study;
}
