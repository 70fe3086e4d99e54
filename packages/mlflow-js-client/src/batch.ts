// log-batch: from what the caller gives to requests within the limits. Pure functions; params go first, then tags,
// then metrics, each kind in the order given, so that a failure half-way leaves a prefix on the server.

import type { EndpointRequest, WireKeyValue, WireMetric } from "./endpoints.ts";
import { MlflowLimitError } from "./errors.ts";
import { checkKey } from "./keys.ts";
import { checkStep, checkTime, fitValue, type Limits, type LongValues } from "./limits.ts";
import { encodeMetricValue, type NonFinite } from "./non-finite.ts";
import type { MetricInput, Param, Tag } from "./types.ts";

export interface Batch {
  readonly metrics?: readonly MetricInput[];
  readonly params?: readonly Param[];
  readonly tags?: readonly Tag[];
}

export interface BatchRules {
  readonly limits: Limits;
  readonly nonFinite: NonFinite;
  readonly longValues: LongValues;
  /** Time of metrics without one, Unix ms; one value for the whole batch, fixed before the first try. */
  readonly now: number;
}

export interface BatchPlan {
  readonly requests: readonly EndpointRequest<"logBatch">[];
  /** Metrics left out because of `nonFinite: "skip"`. */
  readonly skipped: readonly MetricInput[];
}

/** @throws MlflowLimitError before anything is sent, for any entry the server would refuse or change */
export function planBatches(runId: string, batch: Batch, rules: BatchRules): BatchPlan {
  const params = mergeParams(batch.params ?? []).map((param) => encodeParam(param, rules));
  const tags = lastOfEachKey(batch.tags ?? []).map((tag) => encodeTag(tag, rules));
  const skipped: MetricInput[] = [];
  const metrics: WireMetric[] = [];
  for (const metric of batch.metrics ?? []) {
    const encoded = encodeMetric(metric, rules);
    if (encoded === undefined) skipped.push(metric);
    else metrics.push(encoded);
  }
  return { requests: pack(runId, { params, tags, metrics }, rules.limits), skipped };
}

/** The metric as the server takes it; undefined when non-finite values are skipped. */
export function encodeMetric(metric: MetricInput, rules: BatchRules): WireMetric | undefined {
  const { key, timestamp = rules.now, step = 0 } = metric;
  checkKey("metric", key);
  checkTime(`metric ${key}`, timestamp);
  checkStep(`metric ${key}`, step);
  const value = encodeMetricValue(key, metric.value, rules.nonFinite);
  if (value === undefined) return undefined;
  const { modelId, datasetName, datasetDigest } = metric;
  if ((datasetName === undefined) !== (datasetDigest === undefined)) {
    throw new MlflowLimitError("HALF_A_DATASET", `metric ${key}: datasetName and datasetDigest go together`);
  }
  return {
    key,
    value,
    timestamp,
    step,
    ...(modelId !== undefined && { model_id: modelId }),
    ...(datasetName !== undefined && { dataset_name: datasetName, dataset_digest: datasetDigest }),
  };
}

export function encodeParam({ key, value }: Param, { limits, longValues }: Pick<BatchRules, "limits" | "longValues">) {
  checkKey("param", key);
  return { key, value: fitValue(`param ${key}`, value, limits.paramValue, longValues) };
}

export function encodeTag({ key, value }: Tag, { limits, longValues }: Pick<BatchRules, "limits" | "longValues">) {
  checkKey("tag", key);
  return { key, value: fitValue(`tag ${key}`, value, limits.tagValue, longValues) };
}

/** The server refuses a repeated param key even with equal values: equal ones are merged, others refused here. */
function mergeParams(params: readonly Param[]): Param[] {
  const byKey = new Map<string, Param>();
  for (const param of params) {
    const earlier = byKey.get(param.key);
    if (earlier !== undefined && earlier.value !== param.value) {
      throw new MlflowLimitError(
        "PARAM_CONFLICT",
        `param ${param.key}: two different values in one batch; params are write-once`,
      );
    }
    if (earlier === undefined) byKey.set(param.key, param);
  }
  return [...byKey.values()];
}

/** Later values win, as they would on the server, wherever the batch happens to be split. */
function lastOfEachKey(tags: readonly Tag[]): Tag[] {
  const byKey = new Map<string, Tag>();
  for (const tag of tags) {
    byKey.delete(tag.key);
    byKey.set(tag.key, tag);
  }
  return [...byKey.values()];
}

interface Encoded {
  readonly params: readonly WireKeyValue[];
  readonly tags: readonly WireKeyValue[];
  readonly metrics: readonly WireMetric[];
}

/** Greedy: each request takes entries until the next one would break a limit. */
function pack(runId: string, entries: Encoded, limits: Limits): LogBatchRequest[] {
  const empty = byteLength({ run_id: runId, metrics: [], params: [], tags: [] });
  const packed: Packed[] = [];
  const place = (entry: WireMetric | WireKeyValue, add: (to: Packed) => boolean) => {
    const bytes = byteLength(entry) + 1; // the comma
    if (empty + bytes > limits.batchBytes) {
      const problem = `${bytes} bytes do not fit limits.batchBytes ${limits.batchBytes}`;
      throw new MlflowLimitError("ENTRY_TOO_LARGE", `${entry.key}: ${problem}`);
    }
    let last = packed.at(-1);
    const room = last && last.entities < limits.batchEntities && last.bytes + bytes <= limits.batchBytes;
    if (last === undefined || !room || !add(last)) {
      last = {
        request: { run_id: runId, metrics: [], params: [], tags: [] },
        metricKeys: new Set(),
        entities: 0,
        bytes: empty,
      };
      packed.push(last);
      add(last);
    }
    last.entities++;
    last.bytes += bytes;
  };
  for (const param of entries.params) place(param, ({ request }) => addUpTo(limits.batchParams, request.params, param));
  for (const tag of entries.tags) place(tag, ({ request }) => addUpTo(limits.batchTags, request.tags, tag));
  for (const metric of entries.metrics) {
    place(metric, ({ request, metricKeys }) => {
      const { key = "" } = metric;
      if (!metricKeys.has(key) && metricKeys.size >= limits.batchMetricKeys) return false;
      metricKeys.add(key);
      return addUpTo(limits.batchEntities, request.metrics, metric);
    });
  }
  return packed.map(({ request }) => request);
}

type LogBatchRequest = EndpointRequest<"logBatch">;

/** A request being filled, with what its limits are counted by. */
interface Packed {
  readonly request: LogBatchRequest;
  readonly metricKeys: Set<string>;
  entities: number;
  bytes: number;
}

/** Appends, unless the list is full. */
function addUpTo<T>(limit: number, items: T[], item: T): boolean {
  if (items.length >= limit) return false;
  items.push(item);
  return true;
}

function byteLength(value: object): number {
  return Buffer.byteLength(JSON.stringify(value), "utf8");
}
