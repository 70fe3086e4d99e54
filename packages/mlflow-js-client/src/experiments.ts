// Experiments: creating, finding, and the race between the two. There is no create-if-missing on the server, and a
// deleted experiment keeps its name.

import { decodeExperiment, list, requiredId } from "./decode.ts";
import type { WireKeyValue } from "./endpoints.ts";
import { MlflowApiError, MlflowDeletedError, MlflowLimitError } from "./errors.ts";
import { type CallOptions, isRetryable, type MlflowHttp } from "./http.ts";
import { checkKey } from "./keys.ts";
import { checkLength, fitValue, type Limits, type LongValues } from "./limits.ts";
import { paginate } from "./pages.ts";
import type { Experiment, ViewType } from "./types.ts";

export const MAX_EXPERIMENT_NAME = 500;

export interface CreateExperimentOptions extends CallOptions {
  /** A URI; the server chooses one when absent. */
  readonly artifactLocation?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface SearchExperimentsOptions extends CallOptions {
  /** MLflow's search grammar, e.g. `name LIKE 'iemocap%'`. */
  readonly filter?: string;
  readonly orderBy?: readonly string[];
  readonly viewType?: ViewType;
  /** Experiments per request, at most 50000. */
  readonly pageSize?: number;
}

interface Rules {
  readonly limits: Limits;
  readonly longValues: LongValues;
}

export async function createExperiment(
  http: MlflowHttp,
  name: string,
  { artifactLocation, tags = {}, ...call }: CreateExperimentOptions,
  rules: Rules,
): Promise<string> {
  checkExperimentName(name);
  const request = {
    name,
    tags: Object.entries(tags).map(([key, value]) => encodeExperimentTag(key, value, rules)),
    ...(artifactLocation !== undefined && { artifact_location: artifactLocation }),
  };
  const { experiment_id } = await http.call("createExperiment", request, call);
  return requiredId("experiment_id", experiment_id);
}

/** Look up, create, and when somebody else was faster (or the answer got lost) look up again. */
export async function getOrCreateExperiment(
  http: MlflowHttp,
  name: string,
  options: CreateExperimentOptions,
  rules: Rules,
): Promise<Experiment> {
  const found = await getExperimentByName(http, name, options);
  if (found !== undefined) return refuseDeleted(found);
  try {
    const id = await createExperiment(http, name, options, rules);
    return await getExperiment(http, id, options);
  } catch (error) {
    const existsByNow = error instanceof MlflowApiError && error.errorCode === "RESOURCE_ALREADY_EXISTS";
    if (!existsByNow && !isRetryable(error)) throw error;
    const other = await getExperimentByName(http, name, options);
    if (other === undefined) throw error;
    return refuseDeleted(other);
  }
}

export async function getExperiment(
  http: MlflowHttp,
  id: string,
  { signal, timeoutMs }: CallOptions,
): Promise<Experiment> {
  const { experiment } = await http.call("getExperiment", { experiment_id: id }, pick(signal, timeoutMs));
  return decodeExperiment(experiment);
}

export async function getExperimentByName(
  http: MlflowHttp,
  name: string,
  { signal, timeoutMs }: CallOptions,
): Promise<Experiment | undefined> {
  try {
    const answer = await http.call("getExperimentByName", { experiment_name: name }, pick(signal, timeoutMs));
    return decodeExperiment(answer.experiment);
  } catch (error) {
    // By code, not by status: a 404 page of a proxy is not the answer "no such experiment".
    if (error instanceof MlflowApiError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
    throw error;
  }
}

export function searchExperiments(http: MlflowHttp, options: SearchExperimentsOptions): AsyncGenerator<Experiment> {
  const { filter, orderBy, viewType = "ACTIVE_ONLY", pageSize = 1000, ...call } = options;
  return paginate("searchExperiments", async (pageToken) => {
    const request = {
      max_results: pageSize, // required: the server refuses 0, which is what absent means to it
      view_type: viewType,
      ...(filter !== undefined && { filter }),
      ...(orderBy !== undefined && { order_by: orderBy }),
      ...(pageToken !== undefined && { page_token: pageToken }),
    };
    const { experiments, next_page_token } = await http.call("searchExperiments", request, call);
    return { items: list("experiments", experiments).map(decodeExperiment), nextPageToken: next_page_token };
  });
}

/** @throws MlflowLimitError for a name the server refuses */
export function checkExperimentName(name: string): void {
  if (name === "") throw new MlflowLimitError("EMPTY_NAME", "experiment name: must not be empty");
  checkLength("experiment name", name, MAX_EXPERIMENT_NAME);
}

/** @throws MlflowLimitError for a key or value the server refuses */
export function encodeExperimentTag(key: string, value: string, { limits, longValues }: Rules): Required<WireKeyValue> {
  checkKey("tag", key);
  return { key, value: fitValue(`experiment tag ${key}`, value, limits.experimentTagValue, longValues) };
}

function refuseDeleted(experiment: Experiment): Experiment {
  if (experiment.lifecycleStage === "active") return experiment;
  const { experimentId, name } = experiment;
  throw new MlflowDeletedError(
    "experiment",
    experimentId,
    `getOrCreateExperiment: experiment ${JSON.stringify(name)} (id ${experimentId}) is deleted and keeps its name; ` +
      `restore it with restoreExperiment(${JSON.stringify(experimentId)}) or choose another name`,
  );
}

function pick(signal: AbortSignal | undefined, timeoutMs: number | undefined): CallOptions {
  return { ...(signal !== undefined && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}
