// Logged models of MLflow 3: created PENDING, filled with files, finalized, and linked to runs by inputs and outputs.
// 2.x servers answer 404 (ENDPOINT_NOT_FOUND or no JSON at all); `serverInfo` cannot tell, `supportsLoggedModels` can.

import { decodeLoggedModel, list, WIRE_MODEL_STATUS } from "./decode.ts";
import type { WireKeyValue } from "./endpoints.ts";
import { MlflowApiError, MlflowLimitError } from "./errors.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { checkKey } from "./keys.ts";
import { paginate } from "./pages.ts";
import type { LoggedModel, LoggedModelStatus } from "./types.ts";

export interface CreateLoggedModelOptions extends CallOptions {
  /** The server invents one when absent. */
  readonly name?: string;
  /** A word of the caller's, e.g. "merclab". */
  readonly modelType?: string;
  readonly sourceRunId?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface LoggedModelOrder {
  /** E.g. `metrics.f1` or `creation_timestamp`. */
  readonly fieldName: string;
  /** Default true. */
  readonly ascending?: boolean;
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}

export interface SearchLoggedModelsOptions extends CallOptions {
  readonly experimentIds: readonly string[];
  readonly filter?: string;
  readonly orderBy?: readonly LoggedModelOrder[];
  /** Metrics in the filter count only where measured on one of these. */
  readonly datasets?: readonly { readonly name: string; readonly digest?: string }[];
  /** Models per request, at most 50. */
  readonly pageSize?: number;
}

export async function createLoggedModel(
  http: MlflowHttp,
  experimentId: string,
  { name, modelType, sourceRunId, params = {}, tags = {}, ...call }: CreateLoggedModelOptions,
): Promise<LoggedModel> {
  const request = {
    experiment_id: experimentId,
    params: keyValues("param", params),
    tags: keyValues("tag", tags),
    ...(name !== undefined && { name }),
    ...(modelType !== undefined && { model_type: modelType }),
    ...(sourceRunId !== undefined && { source_run_id: sourceRunId }),
  };
  return decodeLoggedModel((await http.call("createLoggedModel", request, call)).model);
}

export async function getLoggedModel(http: MlflowHttp, modelId: string, call: CallOptions): Promise<LoggedModel> {
  return decodeLoggedModel((await http.call("getLoggedModel", { model_id: modelId }, call)).model);
}

export async function finalizeLoggedModel(
  http: MlflowHttp,
  modelId: string,
  status: Exclude<LoggedModelStatus, "PENDING">,
  call: CallOptions,
): Promise<LoggedModel> {
  const wire = WIRE_MODEL_STATUS[status];
  if (wire === undefined) {
    throw new MlflowLimitError("UNKNOWN_STATUS", `finalizeLoggedModel: expected READY or FAILED, got ${status}`);
  }
  const { model } = await http.call("finalizeLoggedModel", { model_id: modelId, status: wire }, call);
  return decodeLoggedModel(model);
}

export function searchLoggedModels(http: MlflowHttp, options: SearchLoggedModelsOptions): AsyncGenerator<LoggedModel> {
  const { experimentIds, filter, orderBy, datasets, pageSize = 50, ...call } = options;
  if (experimentIds.length === 0) {
    throw new MlflowLimitError("NO_EXPERIMENTS", "searchLoggedModels: expected at least one experiment id");
  }
  return paginate("searchLoggedModels", async (pageToken) => {
    const request = {
      experiment_ids: experimentIds,
      max_results: pageSize,
      ...(filter !== undefined && { filter }),
      ...(orderBy !== undefined && { order_by: orderBy.map(encodeOrder) }),
      ...(datasets !== undefined && { datasets: datasets.map(encodeDataset) }),
      ...(pageToken !== undefined && { page_token: pageToken }),
    };
    const { models, next_page_token } = await http.call("searchLoggedModels", request, call);
    return { items: list("models", models).map(decodeLoggedModel), nextPageToken: next_page_token };
  });
}

/** Asks for a model that cannot exist: servers with logged models say so, others do not know the address. */
export async function supportsLoggedModels(http: MlflowHttp, call: CallOptions): Promise<boolean> {
  try {
    await http.call("getLoggedModel", { model_id: "m-00000000000000000000000000000000" }, call);
    return true;
  } catch (error) {
    if (!(error instanceof MlflowApiError) || error.httpStatus !== 404) throw error;
    return error.errorCode === "RESOURCE_DOES_NOT_EXIST";
  }
}

export function keyValues(what: "param" | "tag", values: Readonly<Record<string, string>>): WireKeyValue[] {
  return Object.entries(values).map(([key, value]) => {
    checkKey(what, key);
    if (typeof value !== "string") {
      throw new MlflowLimitError("VALUE_NOT_A_STRING", `${what} ${key}: expected a string, got ${typeof value}`);
    }
    return { key, value };
  });
}

function encodeOrder({ fieldName, ascending = true, datasetName, datasetDigest }: LoggedModelOrder) {
  return {
    field_name: fieldName,
    ascending,
    ...(datasetName !== undefined && { dataset_name: datasetName }),
    ...(datasetDigest !== undefined && { dataset_digest: datasetDigest }),
  };
}

function encodeDataset({ name, digest }: { readonly name: string; readonly digest?: string }) {
  return { dataset_name: name, ...(digest !== undefined && { dataset_digest: digest }) };
}
