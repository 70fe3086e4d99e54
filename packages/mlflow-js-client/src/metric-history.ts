// Reading metrics back: every value of one run, or a sample of the values of several.

import { decodeMetric, decodeRunMetric, list } from "./decode.ts";
import { MlflowLimitError } from "./errors.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { checkStep } from "./limits.ts";
import { paginate } from "./pages.ts";
import type { Metric, RunMetric } from "./types.ts";

/** Runs of one bulk request; the server refuses more. */
const BULK_RUNS = 100;
const BULK_POINTS = 2_500;

export interface MetricHistoryOptions extends CallOptions {
  /** Points per request; 25000 is what MLflow's own clients ask for. */
  readonly pageSize?: number;
}

export interface BulkIntervalOptions extends CallOptions {
  /** First and last step, both or neither. */
  readonly startStep?: number;
  readonly endStep?: number;
  /** About so many points per run, 1 to 2500. */
  readonly maxResults?: number;
}

/** In the server's order: by (timestamp, step, value). */
export function getMetricHistory(
  http: MlflowHttp,
  runId: string,
  key: string,
  { pageSize = 25_000, ...call }: MetricHistoryOptions,
): AsyncGenerator<Metric> {
  return paginate("getMetricHistory", async (pageToken) => {
    const page = pageToken === undefined ? {} : { page_token: pageToken };
    // max_results always: without it some releases answer an empty page whose token leads back to itself.
    const request = { run_id: runId, metric_key: key, max_results: pageSize, ...page };
    const { metrics, next_page_token } = await http.call("getMetricHistory", request, call);
    return { items: list("metrics", metrics).map(decodeMetric), nextPageToken: next_page_token };
  });
}

/** One request for each hundred runs. @throws MlflowLimitError for half an interval and for `maxResults` out of range */
export async function getMetricHistoryBulkInterval(
  http: MlflowHttp,
  runIds: readonly string[],
  key: string,
  { startStep, endStep, maxResults = BULK_POINTS, ...call }: BulkIntervalOptions,
): Promise<RunMetric[]> {
  const what = "getMetricHistoryBulkInterval";
  if ((startStep === undefined) !== (endStep === undefined)) {
    throw new MlflowLimitError("HALF_AN_INTERVAL", `${what}: startStep and endStep go together`);
  }
  if (!Number.isInteger(maxResults) || maxResults < 1 || maxResults > BULK_POINTS) {
    throw new MlflowLimitError("OUT_OF_RANGE", `${what}: maxResults must be 1 to ${BULK_POINTS}, got ${maxResults}`);
  }
  const interval =
    startStep === undefined || endStep === undefined
      ? {}
      : { start_step: checkStep(what, startStep), end_step: checkStep(what, endStep) };
  const found: RunMetric[] = [];
  for (let first = 0; first < runIds.length; first += BULK_RUNS) {
    const run_ids = runIds.slice(first, first + BULK_RUNS);
    const request = { run_ids, metric_key: key, max_results: maxResults, ...interval };
    const { metrics } = await http.call(what, request, call);
    for (const metric of list("metrics", metrics)) found.push(decodeRunMetric(metric));
  }
  return found;
}
