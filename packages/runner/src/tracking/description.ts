// What runs say besides numbers over time: tags, the dataset as an input, how and when they ended. Everything comes from
// the folders, so that a study that was shipped while it ran and one that is sent later say the same.
import { join } from "node:path";
import type { DatasetInput } from "mlflow-js-client";
import { originTags } from "../origin/origin.ts";
import { readTrials, type StoredTrial } from "../store/experiment-store.ts";
import type { TrialEnvironment, TrialSpec } from "../store/trial-files.ts";
import { readStudyFile, type StudyData } from "../study/study-file.ts";
import type { JournalLines } from "./journal-lines.ts";
import type { EndStatus } from "./tracking-file.ts";

export const ERROR_TAG = "merclab.error";

/** MLflow keeps at most this much of a dataset's digest. */
const MAX_DIGEST = 36;

export interface StudyDescription {
  readonly title: string;
  /** Unix ms. */
  readonly startTime: number | undefined;
  /** Of the study's own run. */
  readonly tags: Readonly<Record<string, string>>;
  /** On every run of the study. */
  readonly sharedTags: Readonly<Record<string, string>>;
  readonly data: readonly StudyData[];
}

/** @param folder of the experiment */
export async function describeStudy(folder: string, experiment: string): Promise<StudyDescription> {
  const study = await readStudyFile(folder);
  if (study === undefined) {
    // Trials of before there was such a file.
    const [first] = await readTrials(join(folder, ".."), experiment);
    return { title: first?.spec.title ?? experiment, startTime: undefined, tags: {}, sharedTags: {}, data: [] };
  }
  const { title, command, notices, origin, startedAt, data = [] } = study;
  return {
    title,
    startTime: unixTime(startedAt),
    tags: { "merclab.command": command, ...(origin === undefined ? {} : originTags(origin)) },
    sharedTags: {
      "mlflow.source.name": "merclab",
      "mlflow.source.type": "LOCAL",
      "merclab.experiment": experiment,
      ...(notices.length === 0 ? {} : { "merclab.notices": notices.join(" ") }),
    },
    data,
  };
}

/** @param environment undefined while the trial has not come so far, and in trials of older versions */
export function trialTags(spec: TrialSpec, environment: TrialEnvironment | undefined): Record<string, string> {
  const { config, data } = spec;
  return {
    "merclab.dataset": config.dataset.name,
    "merclab.data.source": data.source,
    "merclab.data.fingerprint": data.fingerprint,
    "merclab.protocol": protocolName(spec),
    "merclab.engine": config.engine.name,
    "merclab.experiment": spec.experiment,
    "merclab.trial": spec.id,
    "mlflow.note.content": spec.title,
    ...(environment === undefined ? {} : environmentTags(environment)),
  };
}

function environmentTags({ threads, versions, origin }: TrialEnvironment): Record<string, string> {
  const used = Object.entries(versions).map(([name, version]) => [`merclab.versions.${name}`, version]);
  return { ...originTags(origin), "merclab.threads": String(threads), ...Object.fromEntries(used) };
}

/** The protocol by name where the config gives one, else the rule by which the epoch is chosen. */
function protocolName({ config }: TrialSpec): string {
  const name = config.dataset.options.protocol ?? config.trainer.options.protocol;
  const { selectBy } = config.trainer.options;
  return typeof name === "string"
    ? name
    : typeof selectBy === "string"
      ? `valid-selected ${selectBy}`
      : "valid-selected";
}

/** The features as MLflow's dataset input, of a type that MLflow's own clients can read. */
export function datasetInput(spec: TrialSpec, found: readonly StudyData[]): DatasetInput {
  const { name } = spec.config.dataset;
  const data = found.find(({ fingerprint }) => fingerprint === spec.data.fingerprint);
  const folder = data?.folder;
  return {
    dataset: {
      name,
      digest: spec.data.fingerprint.slice(0, MAX_DIGEST),
      sourceType: folder === undefined ? "code" : "local",
      source: JSON.stringify(
        folder === undefined ? { tags: { "mlflow.source.name": `${spec.data.source} features` } } : { uri: folder },
      ),
      ...(data === undefined ? {} : { profile: JSON.stringify({ dialogues: data.dialogues }) }),
    },
    context: "train, validation, test",
    tags: { "merclab.data.source": spec.data.source },
  };
}

export interface Ending {
  readonly status: EndStatus;
  /** Unix ms. */
  readonly at: number;
  readonly error: string | undefined;
}

/** How a trial that no longer runs ended; a worker that was killed had no time to write it down. */
export function trialEnding(trial: StoredTrial, { last }: Pick<JournalLines, "last">): Ending {
  const end = last?.t === "end" ? last : undefined;
  const status = endStatus(trial, end?.status);
  return {
    status,
    at: end?.ts ?? unixTime(trial.status?.endedAt) ?? last?.ts ?? Date.now(),
    error: status === "FINISHED" ? undefined : (trial.status?.error ?? end?.reason),
  };
}

function endStatus({ result, status }: StoredTrial, journalled: EndStatus | undefined): EndStatus {
  if (result !== undefined) {
    return "FINISHED";
  }
  if (status?.state === "failed") {
    return "FAILED";
  }
  return status?.state === "cancelled" ? "KILLED" : (journalled ?? "KILLED");
}

/** Unix ms of an ISO time. */
export function unixTime(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? undefined : time;
}
