// The data of MLflow as this client hands it out: camel-cased, absent fields filled in, metric values as numbers.
// Times are Unix milliseconds everywhere.

export const RUN_STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];
export type LifecycleStage = "active" | "deleted";
export type ViewType = "ACTIVE_ONLY" | "DELETED_ONLY" | "ALL";

export interface Metric {
  readonly key: string;
  /** May be NaN or infinite, see the README for what the server keeps of it. */
  readonly value: number;
  /** Unix time in ms. */
  readonly timestamp: number;
  readonly step: number;
  /** The logged model the value belongs to, where one was named (3.x). */
  readonly modelId?: string;
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}

/** A value of one of several runs. */
export interface RunMetric extends Metric {
  readonly runId: string;
}

/** A metric to log: the time defaults to now, the step to 0. */
export interface MetricInput {
  readonly key: string;
  readonly value: number;
  /** Unix time in ms, an integer. */
  readonly timestamp?: number;
  /** Any safe integer, negative ones included. */
  readonly step?: number;
  /** The logged model that was measured; 2.x servers ignore this and the dataset. */
  readonly modelId?: string;
  /** The dataset it was measured on; name and digest go together. */
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}

export interface Param {
  readonly key: string;
  readonly value: string;
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface Experiment {
  readonly experimentId: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly lifecycleStage: LifecycleStage;
  /** Unix time in ms; undefined on servers that do not record it. */
  readonly creationTime: number | undefined;
  readonly lastUpdateTime: number | undefined;
  readonly tags: ReadonlyMap<string, string>;
}

export interface RunInfo {
  readonly runId: string;
  readonly runName: string;
  readonly experimentId: string;
  readonly userId: string;
  readonly status: RunStatus;
  readonly startTime: number | undefined;
  readonly endTime: number | undefined;
  readonly artifactUri: string;
  readonly lifecycleStage: LifecycleStage;
}

export interface RunData {
  /** Latest value of each metric: the largest by (step, timestamp, value). */
  readonly metrics: ReadonlyMap<string, Metric>;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
}

export interface Dataset {
  /** At most 500 characters. */
  readonly name: string;
  /** At most 36 characters; with the name it identifies the dataset. */
  readonly digest: string;
  readonly sourceType: string;
  /** Where the data came from, usually JSON; less than 64 KiB. */
  readonly source: string;
  /** JSON, less than 1 MiB. */
  readonly schema?: string;
  /** JSON, less than 16 MiB. */
  readonly profile?: string;
}

/** A dataset a run reads; `context` ("train", "validation", "test") is the tag `mlflow.data.context`. */
export interface DatasetInput {
  readonly dataset: Dataset;
  readonly context?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** A dataset as read back: all tags, the context among them. */
export interface LoggedDataset {
  readonly dataset: Dataset;
  readonly context: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
}

export interface Run {
  readonly info: RunInfo;
  readonly data: RunData;
  readonly inputs: {
    readonly datasets: readonly LoggedDataset[];
    /** Ids of the logged models the run started from (3.x). */
    readonly models: readonly string[];
  };
  readonly outputs: { readonly models: readonly ModelOutput[] };
}

/** A logged model that a run produced, at a step. */
export interface ModelOutput {
  readonly modelId: string;
  readonly step: number;
}

/** PENDING until the files are there and `finalizeLoggedModel` said so. */
export type LoggedModelStatus = "PENDING" | "READY" | "FAILED";

/** A model of MLflow 3: metadata, files of its own, and the metrics measured on it. */
export interface LoggedModel {
  readonly modelId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly modelType: string;
  readonly sourceRunId: string;
  readonly artifactLocation: string;
  readonly status: LoggedModelStatus;
  readonly statusMessage: string;
  /** Unix time in ms. */
  readonly creationTimestamp: number | undefined;
  readonly lastUpdatedTimestamp: number | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly params: ReadonlyMap<string, string>;
  /** Each with the run that logged it. */
  readonly metrics: readonly RunMetric[];
}

export interface FileInfo {
  /** Relative to the artifact root of the run or model. */
  readonly path: string;
  readonly isDir: boolean;
  /** Bytes; undefined for folders. */
  readonly fileSize: number | undefined;
}

export interface ServerInfo {
  /** As the server spells it, e.g. "3.17.2"; undefined when the server has no `/version`. */
  readonly version: string | undefined;
}
