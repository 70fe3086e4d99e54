// From the wire to the public types: int64 as number or string, absent means default, non-finite values restored.
// A missing id or a value of the wrong type is a protocol error, never a silent default.

import type {
  WireDatasetInput,
  WireExperiment,
  WireFileInfo,
  WireKeyValue,
  WireLoggedModel,
  WireMetric,
  WireModelInput,
  WireModelOutput,
  WireRun,
  WireRunInfo,
} from "./endpoints.ts";
import { MlflowProtocolError } from "./errors.ts";
import { decodeMetricValue } from "./non-finite.ts";
import {
  type Dataset,
  type Experiment,
  type FileInfo,
  type LifecycleStage,
  type LoggedDataset,
  type LoggedModel,
  type LoggedModelStatus,
  type Metric,
  type ModelOutput,
  RUN_STATUSES,
  type Run,
  type RunInfo,
  type RunMetric,
  type RunStatus,
} from "./types.ts";

export function decodeExperiment(wire: WireExperiment | undefined): Experiment {
  return {
    experimentId: requiredId("experiment.experiment_id", wire?.experiment_id),
    name: text("experiment.name", wire?.name),
    artifactLocation: text("experiment.artifact_location", wire?.artifact_location),
    lifecycleStage: lifecycleStage(wire?.lifecycle_stage),
    creationTime: int64("experiment.creation_time", wire?.creation_time),
    lastUpdateTime: int64("experiment.last_update_time", wire?.last_update_time),
    tags: keyValues("experiment.tags", wire?.tags),
  };
}

export function decodeRun(wire: WireRun | undefined): Run {
  const metrics = list("run.data.metrics", wire?.data?.metrics).map(decodeMetric);
  const datasets = list("run.inputs.dataset_inputs", wire?.inputs?.dataset_inputs);
  return {
    info: decodeRunInfo(wire?.info),
    data: {
      metrics: new Map(metrics.map((metric) => [metric.key, metric])),
      params: keyValues("run.data.params", wire?.data?.params),
      tags: keyValues("run.data.tags", wire?.data?.tags),
    },
    inputs: {
      datasets: datasets.map(decodeDatasetInput),
      models: list("run.inputs.model_inputs", wire?.inputs?.model_inputs).map(decodeModelInput),
    },
    outputs: { models: list("run.outputs.model_outputs", wire?.outputs?.model_outputs).map(decodeModelOutput) },
  };
}

export function decodeLoggedModel(wire: WireLoggedModel | undefined): LoggedModel {
  const info = wire?.info;
  return {
    modelId: requiredId("model.info.model_id", info?.model_id),
    experimentId: requiredId("model.info.experiment_id", info?.experiment_id),
    name: text("model.info.name", info?.name),
    modelType: text("model.info.model_type", info?.model_type),
    sourceRunId: text("model.info.source_run_id", info?.source_run_id),
    artifactLocation: text("model.info.artifact_uri", info?.artifact_uri),
    status: loggedModelStatus(info?.status),
    statusMessage: text("model.info.status_message", info?.status_message),
    creationTimestamp: int64("model.info.creation_timestamp_ms", info?.creation_timestamp_ms),
    lastUpdatedTimestamp: int64("model.info.last_updated_timestamp_ms", info?.last_updated_timestamp_ms),
    tags: keyValues("model.info.tags", info?.tags),
    params: keyValues("model.data.params", wire?.data?.params),
    metrics: list("model.data.metrics", wire?.data?.metrics).map(decodeRunMetric),
  };
}

/** The names of the wire by those of the Python client. */
export const WIRE_MODEL_STATUS: Readonly<Record<LoggedModelStatus, string>> = {
  PENDING: "LOGGED_MODEL_PENDING",
  READY: "LOGGED_MODEL_READY",
  FAILED: "LOGGED_MODEL_UPLOAD_FAILED",
};

function loggedModelStatus(value: string | undefined): LoggedModelStatus {
  const wire = value ?? WIRE_MODEL_STATUS.PENDING;
  for (const status of ["PENDING", "READY", "FAILED"] as const) if (WIRE_MODEL_STATUS[status] === wire) return status;
  throw wrongShape("model.info.status", `one of ${Object.values(WIRE_MODEL_STATUS).join(", ")}`, wire);
}

function decodeModelInput(wire: WireModelInput): string {
  return requiredId("model_input.model_id", wire.model_id);
}

function decodeModelOutput(wire: WireModelOutput): ModelOutput {
  return {
    modelId: requiredId("model_output.model_id", wire.model_id),
    step: int64("model_output.step", wire.step) ?? 0,
  };
}

export function decodeRunInfo(wire: WireRunInfo | undefined): RunInfo {
  return {
    runId: requiredId("run.info.run_id", wire?.run_id ?? wire?.run_uuid),
    runName: text("run.info.run_name", wire?.run_name),
    experimentId: requiredId("run.info.experiment_id", wire?.experiment_id),
    userId: text("run.info.user_id", wire?.user_id),
    status: runStatus(wire?.status),
    startTime: int64("run.info.start_time", wire?.start_time),
    endTime: int64("run.info.end_time", wire?.end_time),
    artifactUri: text("run.info.artifact_uri", wire?.artifact_uri),
    lifecycleStage: lifecycleStage(wire?.lifecycle_stage),
  };
}

export function decodeMetric(wire: WireMetric): Metric {
  const key = text("metric.key", wire.key);
  const value = decodeMetricValue(wire.value ?? 0);
  if (value === undefined) throw wrongShape(`metric ${key}.value`, "a number", wire.value);
  return {
    key,
    value,
    timestamp: int64("metric.timestamp", wire.timestamp) ?? 0,
    step: int64("metric.step", wire.step) ?? 0,
    ...(wire.model_id && { modelId: wire.model_id }),
    ...(wire.dataset_name && { datasetName: wire.dataset_name }),
    ...(wire.dataset_digest && { datasetDigest: wire.dataset_digest }),
  };
}

export function decodeRunMetric(wire: WireMetric): RunMetric {
  return { ...decodeMetric(wire), runId: requiredId("metric.run_id", wire.run_id) };
}

export function decodeFileInfo(wire: WireFileInfo): FileInfo {
  const isDir = wire.is_dir === true;
  // The size of an empty file is the default, hence absent.
  const fileSize = isDir ? undefined : (int64("file.file_size", wire.file_size) ?? 0);
  return { path: requiredId("file.path", wire.path), isDir, fileSize };
}

/** A repeated field; absent when empty. */
export function list<T>(name: string, value: readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrongShape(name, "an array", value);
  return value;
}

/** Ids are strings; a number is taken as its digits. */
export function requiredId(name: string, value: string | undefined): string {
  const given: unknown = value;
  if (typeof given === "number") return String(given);
  if (typeof given === "string" && given !== "") return given;
  throw wrongShape(name, "a non-empty string", given);
}

/** A JSON number or a decimal string; undefined when absent. */
export function int64(name: string, value: number | string | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  if (typeof value === "string" && /^-?\d+$/.test(value)) return Number(value);
  throw wrongShape(name, "an integer", value);
}

function decodeDatasetInput(wire: WireDatasetInput): LoggedDataset {
  const tags = keyValues("dataset.tags", wire.tags);
  const { name, digest, source_type, source, schema, profile } = wire.dataset ?? {};
  const dataset: Dataset = {
    name: text("dataset.name", name),
    digest: text("dataset.digest", digest),
    sourceType: text("dataset.source_type", source_type),
    source: text("dataset.source", source),
    ...(schema !== undefined && { schema }),
    ...(profile !== undefined && { profile }),
  };
  return { dataset, context: tags.get("mlflow.data.context"), tags };
}

function keyValues(name: string, pairs: readonly WireKeyValue[] | undefined): Map<string, string> {
  return new Map(list(name, pairs).map(({ key, value }) => [text(`${name}.key`, key), text(`${name}.value`, value)]));
}

function text(name: string, value: string | undefined): string {
  const given: unknown = value ?? "";
  if (typeof given !== "string") throw wrongShape(name, "a string", given);
  return given;
}

function runStatus(value: string | undefined): RunStatus {
  const status = value ?? "RUNNING";
  const known = RUN_STATUSES.find((candidate) => candidate === status);
  if (known === undefined) throw wrongShape("run.info.status", `one of ${RUN_STATUSES.join(", ")}`, status);
  return known;
}

function lifecycleStage(value: string | undefined): LifecycleStage {
  if (value === undefined || value === "active") return "active";
  if (value === "deleted") return "deleted";
  throw wrongShape("lifecycle_stage", "active or deleted", value);
}

function wrongShape(name: string, expected: string, got: unknown): MlflowProtocolError {
  return new MlflowProtocolError(
    "WRONG_SHAPE",
    `response: expected ${name} to be ${expected}, got ${JSON.stringify(got)}`,
  );
}
