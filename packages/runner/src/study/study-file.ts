// `study.json`: what the last run of an experiment planned, so that tables can be made later without data or plan.
import { join } from "node:path";
import { MerclabError, nearestName } from "@merclab/core";
import type { StudyPlan } from "../config/plan.ts";
import type { TableSpec } from "../config/table-spec.ts";
import { type Origin, readOrigin } from "../origin/origin.ts";
import { experimentFolder, readExperimentNames, readJson, writeJson } from "../store/experiment-store.ts";
import type { TrialSpec } from "../store/trial-files.ts";

export interface StudyFile {
  readonly schema: 1;
  readonly experiment: string;
  readonly title: string;
  /** The command that trains what is missing. */
  readonly command: string;
  readonly notices: readonly string[];
  readonly tables: readonly TableSpec[];
  readonly trials: readonly TrialSpec[];
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

export async function writeStudy(runsFolder: string, plan: StudyPlan, command: string): Promise<void> {
  const { experiment, notices, trials, datasets } = plan;
  const folder = experimentFolder(runsFolder, experiment.name);
  const study: StudyFile = {
    schema: 1,
    experiment: experiment.name,
    title: experiment.title,
    command,
    notices,
    tables: experiment.tables,
    trials,
    startedAt: (await readStudyFile(folder))?.startedAt ?? new Date().toISOString(),
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
  await writeJson(join(folder, FILE), study);
}

/** @returns undefined when the experiment of the folder never ran */
export function readStudyFile(folder: string): Promise<StudyFile | undefined> {
  return readJson<StudyFile>(join(folder, FILE));
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
