// What a trial's run says besides numbers over time: tags, the dataset as an input, how and when it ended.
import type { DatasetInput } from "mlflow-js-client";
import type { StoredTrial } from "../store/experiment-store.ts";
import type { JournalRecord } from "../store/journal.ts";
import type { TrialSpec } from "../store/trial-files.ts";
import type { EndStatus } from "./tracking-file.ts";

export const ERROR_TAG = "merclab.error";

/** MLflow keeps at most this much of a dataset's digest. */
const MAX_DIGEST = 36;

export function trialTags(spec: TrialSpec): Record<string, string> {
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
  };
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

/** The features as MLflow's dataset input; `source` is an address or says in words where they came from. */
export function datasetInput(spec: TrialSpec, source: string | undefined): DatasetInput {
  const { name } = spec.config.dataset;
  const origin = source ?? `${spec.data.source} features`;
  const fromWeb = /^https?:\/\//.test(origin);
  return {
    dataset: {
      name,
      digest: spec.data.fingerprint.slice(0, MAX_DIGEST),
      sourceType: fromWeb ? "http" : "code", // those that MLflow's own clients can read
      source: JSON.stringify(fromWeb ? { url: origin } : { tags: { "mlflow.source.name": origin } }),
    },
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
export function trialEnding(trial: StoredTrial, journal: readonly JournalRecord[]): Ending {
  const end = journal.findLast((record) => record.t === "end");
  const status = endStatus(trial, end?.status);
  return {
    status,
    at: end?.ts ?? unixTime(trial.status?.endedAt) ?? journal.at(-1)?.ts ?? Date.now(),
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
