// A study as MLflow's runs, without a server: what `exp sync` would send, as data.
import { join } from "node:path";
import { type DatasetInput, DEFAULT_LIMITS, type Metric, sanitizeKey } from "mlflow-js-client";
import {
  experimentFolder,
  readEnvironment,
  readTrials,
  type StoredTrial,
  TRIAL_FILES,
} from "../store/experiment-store.ts";
import { isExperimentRunning } from "../study/lock.ts";
import { plannedTrials } from "../study/study-file.ts";
import { readTexts } from "../tracking/artifacts.ts";
import {
  datasetInput,
  describeStudy,
  ERROR_TAG,
  type StudyDescription,
  trialEnding,
  trialTags,
  unixTime,
} from "../tracking/description.ts";
import { RUN_KEY, studyKey, trialKey } from "../tracking/destination.ts";
import { readJournalLines } from "../tracking/journal-lines.ts";
import { flattenConfig, trialName } from "../tracking/names.ts";
import { spreadMetrics } from "../tracking/spread.ts";
import { finishedTrials, lastEnd, type StudyTable, tableFiles } from "../tracking/study-run.ts";
import type { EndStatus } from "../tracking/tracking-file.ts";
import { recordPoints, resultPoints } from "../tracking/trial-points.ts";
import { TRIAL_ARTIFACTS } from "../tracking/trial-run.ts";
import { hasEnded, studyEnding } from "../tracking/trial-state.ts";

export interface RunContent {
  /** By which the run is known everywhere; its tag `exp.run_key`. */
  readonly key: string;
  readonly name: string;
  readonly status: EndStatus | "RUNNING";
  /** Unix ms. */
  readonly startTime: number;
  /** Undefined while it runs. */
  readonly endTime: number | undefined;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly points: readonly Metric[];
  readonly datasets: readonly DatasetInput[];
  /** Text by path below the run's artifacts. */
  readonly files: ReadonlyMap<string, string>;
}

export interface StudyContent {
  readonly experiment: string;
  readonly parent: RunContent;
  /** Of the trials that have begun. */
  readonly children: readonly RunContent[];
}

/** @param tables that are kept with the study's run */
export async function studyContent(
  runsFolder: string,
  experiment: string,
  tables: readonly StudyTable[],
): Promise<StudyContent> {
  const folder = experimentFolder(runsFolder, experiment);
  const stored = await readTrials(runsFolder, experiment);
  const planned = await plannedTrials(folder, stored);
  const trials = stored.filter(({ status, result }) => status !== undefined || result !== undefined);
  const isRunning = isExperimentRunning(folder);
  const goesOn = isRunning || trials.some((trial) => !hasEnded(trial, isRunning));
  const study = await describeStudy(folder, experiment);
  const children = await Promise.all(trials.map((trial) => trialContent(trial, study, isRunning)));
  const parent: RunContent = {
    key: studyKey(experiment),
    name: study.title,
    status: goesOn ? "RUNNING" : studyEnding(planned),
    startTime: study.startTime ?? Math.min(...children.map(({ startTime }) => startTime)),
    endTime: goesOn ? undefined : lastEnd(planned),
    params: new Map(),
    tags: fit(
      { ...study.sharedTags, ...study.tags, "merclab.experiment": experiment, [RUN_KEY]: studyKey(experiment) },
      DEFAULT_LIMITS.tagValue,
    ),
    points: spreadMetrics(finishedTrials(planned)).map(({ key, value, step = 0, timestamp = 0 }) => ({
      key,
      value,
      step,
      timestamp,
    })),
    datasets: [],
    files: tableFiles(tables),
  };
  return { experiment, parent, children };
}

async function trialContent(
  trial: StoredTrial,
  { sharedTags, data }: StudyDescription,
  isRunning: boolean,
): Promise<RunContent> {
  const { folder, spec, status, result } = trial;
  const key = trialKey(spec.experiment, spec.id);
  const journal = readJournalLines(join(folder, TRIAL_FILES.journal));
  const lines = [...journal.after(0), ...readJournalLines(join(folder, TRIAL_FILES.system)).after(0)];
  const ending = hasEnded(trial, isRunning) ? trialEnding(trial, journal) : undefined;
  const tags = {
    ...sharedTags,
    ...trialTags(spec, await readEnvironment(folder)),
    [RUN_KEY]: key,
    ...((journal.open?.attempt ?? 1) > 1 ? { "exp.attempt": String(journal.open?.attempt) } : {}),
    ...(ending?.error === undefined ? {} : { [ERROR_TAG]: ending.error }),
  };
  return {
    key,
    name: trialName(spec),
    status: ending?.status ?? "RUNNING",
    startTime: journal.open?.ts ?? unixTime(status?.startedAt) ?? Date.now(),
    endTime: ending?.at,
    params: fit(flattenConfig(spec.config, spec.seed), DEFAULT_LIMITS.paramValue),
    tags: fit(tags, DEFAULT_LIMITS.tagValue),
    points: [
      ...lines.flatMap(({ record }) => (record === undefined ? [] : recordPoints(record))),
      ...(result === undefined ? [] : resultPoints(result)),
    ],
    datasets: [datasetInput(spec, data)],
    files: await readTexts(folder, TRIAL_ARTIFACTS),
  };
}

/** As the client sends them: keys made fit, long values cut (they are complete in the files). */
function fit(values: Readonly<Record<string, string>>, length: number): Map<string, string> {
  return new Map(Object.entries(values).map(([key, value]) => [sanitizeKey(key), value.slice(0, length)]));
}
