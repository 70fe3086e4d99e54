// Writing to a run: metrics, params, tags, and what it read and produced.

import { type Batch, type BatchRules, encodeMetric, encodeParam, encodeTag, planBatches } from "./batch.ts";
import type { WireDatasetInput } from "./endpoints.ts";
import { MlflowLimitError } from "./errors.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { checkLength, checkStep } from "./limits.ts";
import type { DatasetInput, MetricInput, ModelOutput, Param, Tag } from "./types.ts";

/** Rules of a client, without the time. */
export type LoggingRules = Omit<BatchRules, "now">;

export interface BatchSummary {
  /** Requests it took. */
  readonly requests: number;
  /** Metrics left out because of `nonFinite: "skip"`. */
  readonly skipped: readonly MetricInput[];
}

export interface LogInputsOptions extends CallOptions {
  /** Ids of logged models the run starts from; 2.x servers ignore them. */
  readonly models?: readonly string[];
}

export async function logMetric(
  http: MlflowHttp,
  runId: string,
  metric: MetricInput,
  call: CallOptions,
  rules: LoggingRules,
): Promise<void> {
  const encoded = encodeMetric(metric, { ...rules, now: Date.now() });
  if (encoded !== undefined) await http.call("logMetric", { run_id: runId, ...encoded }, call);
}

export async function logParam(
  http: MlflowHttp,
  runId: string,
  param: Param,
  call: CallOptions,
  rules: LoggingRules,
): Promise<void> {
  await http.call("logParam", { run_id: runId, ...encodeParam(param, rules) }, call);
}

export async function setTag(
  http: MlflowHttp,
  runId: string,
  tag: Tag,
  call: CallOptions,
  rules: LoggingRules,
): Promise<void> {
  await http.call("setTag", { run_id: runId, ...encodeTag(tag, rules) }, call);
}

/** Sends the planned requests one after another, since params must precede what refers to them and order is kept. */
export async function logBatch(
  http: MlflowHttp,
  runId: string,
  batch: Batch,
  call: CallOptions,
  rules: LoggingRules,
): Promise<BatchSummary> {
  const { requests, skipped } = planBatches(runId, batch, { ...rules, now: Date.now() });
  for (const request of requests) await http.call("logBatch", request, call);
  return { requests: requests.length, skipped };
}

export async function logInputs(
  http: MlflowHttp,
  runId: string,
  inputs: readonly DatasetInput[],
  { models = [], ...call }: LogInputsOptions,
): Promise<void> {
  if (inputs.length === 0 && models.length === 0) return;
  const request = {
    run_id: runId,
    datasets: inputs.map(encodeInput),
    ...(models.length > 0 && { models: models.map((model_id) => ({ model_id })) }),
  };
  await http.call("logInputs", request, call);
}

export async function logOutputs(
  http: MlflowHttp,
  runId: string,
  models: readonly ModelOutput[],
  call: CallOptions,
): Promise<void> {
  if (models.length === 0) return;
  const outputs = models.map(({ modelId, step }) => ({
    model_id: modelId,
    step: checkStep(`model output ${modelId}`, step),
  }));
  await http.call("logOutputs", { run_id: runId, models: outputs }, call);
}

function encodeInput({ dataset, context, tags = {} }: DatasetInput): WireDatasetInput {
  const { name, digest, sourceType, source, schema, profile } = dataset;
  if (name === "" || digest === "")
    throw new MlflowLimitError("EMPTY_NAME", "dataset: name and digest must not be empty");
  checkLength("dataset name", name, 500);
  checkLength("dataset digest", digest, 36);
  checkLength("dataset source", source, 65_535);
  checkLength("dataset schema", schema ?? "", 1_048_575);
  checkLength("dataset profile", profile ?? "", 16_777_215);
  const all = { ...tags, ...(context !== undefined && { "mlflow.data.context": context }) };
  for (const [key, value] of Object.entries(all)) {
    checkLength("dataset tag key", key, 255);
    checkLength(`dataset tag ${key}`, value, 500);
  }
  return {
    dataset: {
      name,
      digest,
      source_type: sourceType,
      source,
      ...(schema !== undefined && { schema }),
      ...(profile !== undefined && { profile }),
    },
    tags: Object.entries(all).map(([key, value]) => ({ key, value })),
  };
}
