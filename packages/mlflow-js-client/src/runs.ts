// Runs: creating, also at most once by a unique tag, reading, updating and searching. The server chooses the run id
// and cannot tell a repeated create from a new one, so only a tag of ours finds a run again.

import { encodeTag } from "./batch.ts";
import { decodeRun, decodeRunInfo, list } from "./decode.ts";
import { MlflowDeletedError, MlflowLimitError } from "./errors.ts";
import { type CallOptions, hadNoEffect, isRetryable, type MlflowHttp, repeatAfter } from "./http.ts";
import { checkTime, type Limits, type LongValues } from "./limits.ts";
import { paginate } from "./pages.ts";
import { type RetryVerdict, withRetry } from "./retry.ts";
import { tagEquals } from "./search-filter.ts";
import { RUN_STATUSES, type Run, type RunInfo, type RunStatus, type Tag, type ViewType } from "./types.ts";

export interface CreateRunOptions extends CallOptions {
  /** The server invents one when absent. */
  readonly runName?: string;
  /** Unix time in ms, default now. */
  readonly startTime?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** Use the run of this experiment that bears this tag, and create one with it only when there is none. */
  readonly uniqueTag?: Tag;
}

export interface UpdateRunOptions extends CallOptions {
  readonly status?: RunStatus;
  readonly name?: string;
  /** Unix time in ms. */
  readonly endTime?: number;
}

export interface SearchRunsOptions extends CallOptions {
  readonly experimentIds: readonly string[];
  /** MLflow's search grammar, e.g. `metrics.f1 > 0.6 AND tags."exp.sweep" = 'a'`. */
  readonly filter?: string;
  /** E.g. `["metrics.val_loss ASC"]`; ties by start time, newest first. */
  readonly orderBy?: readonly string[];
  readonly viewType?: ViewType;
  /** Runs per request, at most 50000. */
  readonly pageSize?: number;
}

interface Rules {
  readonly limits: Limits;
  readonly longValues: LongValues;
}

export async function createRun(
  http: MlflowHttp,
  experimentId: string,
  { runName, startTime = Date.now(), tags = {}, uniqueTag, ...call }: CreateRunOptions,
  rules: Rules,
): Promise<Run> {
  checkTime("createRun: startTime", startTime); // left to itself the server stores 0
  if (uniqueTag !== undefined && (tags[uniqueTag.key] ?? uniqueTag.value) !== uniqueTag.value) {
    throw new MlflowLimitError("TAG_CONFLICT", `createRun: tags and uniqueTag disagree about ${uniqueTag.key}`);
  }
  const allTags = uniqueTag === undefined ? tags : { ...tags, [uniqueTag.key]: uniqueTag.value };
  const request = {
    experiment_id: experimentId,
    start_time: startTime,
    tags: Object.entries(allTags).map(([key, value]) => encodeTag({ key, value }, rules)),
    ...(runName !== undefined && { run_name: runName }),
  };
  const create = async () => decodeRun((await http.call("createRun", request, call)).run);
  if (uniqueTag === undefined) return create();
  fitsUnchanged(uniqueTag, rules.limits);
  // A lost answer may have created the run, so each try looks before it creates. (Failures without effect were
  // repeated inside the call already.)
  const judge = (error: unknown): RetryVerdict => {
    const lost = isRetryable(error) && error.endpoint === "createRun" && !hadNoEffect(error);
    return lost ? repeatAfter(error) : { repeat: false };
  };
  const findOrCreate = async () => (await findByTag(http, experimentId, uniqueTag, call)) ?? (await create());
  return withRetry(http.retry, judge, findOrCreate, call.signal);
}

export async function getRun(http: MlflowHttp, runId: string, call: CallOptions): Promise<Run> {
  return decodeRun((await http.call("getRun", { run_id: runId }, call)).run);
}

export async function updateRun(
  http: MlflowHttp,
  runId: string,
  { status, name, endTime, ...call }: UpdateRunOptions,
): Promise<RunInfo> {
  if (status !== undefined && !RUN_STATUSES.includes(status)) {
    // The server ignores an unknown status and answers 200.
    throw new MlflowLimitError(
      "UNKNOWN_STATUS",
      `updateRun: expected one of ${RUN_STATUSES.join(", ")}, got ${status}`,
    );
  }
  if (endTime !== undefined) checkTime("updateRun: endTime", endTime);
  const request = {
    run_id: runId,
    ...(status !== undefined && { status }),
    ...(endTime !== undefined && { end_time: endTime }),
    ...(name !== undefined && { run_name: name }),
  };
  return decodeRunInfo((await http.call("updateRun", request, call)).run_info);
}

export function searchRuns(http: MlflowHttp, options: SearchRunsOptions): AsyncGenerator<Run> {
  const { experimentIds, filter, orderBy, viewType = "ACTIVE_ONLY", pageSize = 1000, ...call } = options;
  if (experimentIds.length === 0) {
    throw new MlflowLimitError(
      "NO_EXPERIMENTS",
      "searchRuns: expected at least one experiment id; the server finds nothing for none",
    );
  }
  return paginate("searchRuns", async (pageToken) => {
    const request = {
      experiment_ids: experimentIds,
      run_view_type: viewType,
      max_results: pageSize,
      ...(filter !== undefined && { filter }),
      ...(orderBy !== undefined && { order_by: orderBy }),
      ...(pageToken !== undefined && { page_token: pageToken }),
    };
    const { runs, next_page_token } = await http.call("searchRuns", request, call);
    return { items: list("runs", runs).map(decodeRun), nextPageToken: next_page_token };
  });
}

/** The oldest active run with exactly this tag; some databases compare without case, hence the second look. */
async function findByTag(
  http: MlflowHttp,
  experimentId: string,
  tag: Tag,
  call: CallOptions,
): Promise<Run | undefined> {
  let deleted: Run | undefined;
  const options = {
    filter: tagEquals(tag.key, tag.value),
    orderBy: ["attributes.start_time ASC"],
    viewType: "ALL",
  } as const;
  for await (const run of searchRuns(http, { ...call, ...options, experimentIds: [experimentId], pageSize: 100 })) {
    if (run.data.tags.get(tag.key) !== tag.value) continue;
    if (run.info.lifecycleStage === "active") return run;
    deleted ??= run;
  }
  if (deleted === undefined) return undefined;
  throw new MlflowDeletedError(
    "run",
    deleted.info.runId,
    `createRun: the run with tag ${tag.key}=${tag.value} (id ${deleted.info.runId}) is deleted; ` +
      `restore it with restoreRun(${JSON.stringify(deleted.info.runId)}), or remove it for good with \`mlflow gc\``,
  );
}

function fitsUnchanged(tag: Tag, limits: Limits): void {
  // A cut value would never be found again.
  encodeTag(tag, { limits, longValues: "throw" });
}
