// `study.json`: what the last run of an experiment planned, so that tables can be made later without data or plan.
import { join } from "node:path";
import { MerclabError, nearestName } from "@merclab/core";
import type { StudyPlan } from "../config/plan.ts";
import type { TableSpec } from "../config/table-spec.ts";
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
}

const FILE = "study.json";

/** Overrides that narrow a study leave its file as it is, so that its tables stay whole while a part is computed. */
export async function writeStudy(runsFolder: string, plan: StudyPlan, command: string): Promise<void> {
  const { experiment, notices, trials } = plan;
  const study: StudyFile = {
    schema: 1,
    experiment: experiment.name,
    title: experiment.title,
    command,
    notices,
    tables: experiment.tables,
    trials,
  };
  const file = join(experimentFolder(runsFolder, experiment.name), FILE);
  const stored = await readJson<StudyFile>(file);
  if (stored === undefined || !plan.isOverridden || !isPart(study, stored)) {
    await writeJson(file, study);
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

/** @throws MerclabError `config` when the experiment never ran */
export async function readStudy(runsFolder: string, experiment: string): Promise<StudyFile> {
  const study = await readJson<StudyFile>(join(experimentFolder(runsFolder, experiment), FILE));
  if (study === undefined) {
    const near = nearestName(experiment, await readExperimentNames(runsFolder));
    throw new MerclabError("config", `experiment "${experiment}" has no stored runs in ${runsFolder}`, {
      hint: `${near === undefined ? "" : `Did you mean "${near}"? `}Run it first: exp run ${experiment}`,
    });
  }
  return study;
}
