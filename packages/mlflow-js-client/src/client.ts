// The client: Python's `MlflowClient` names in camel case, each method one line onto the module that does the work.
// Every call may reject with MlflowApiError, MlflowNetworkError or MlflowProtocolError; what the client itself
// refuses before sending is MlflowLimitError. Holds settings only: no current run, no background work, no dispose.

import * as artifacts from "./artifacts.ts";
import type { Batch } from "./batch.ts";
import { MlflowApiError, MlflowConfigError, MlflowProtocolError } from "./errors.ts";
import * as experiments from "./experiments.ts";
import { type CallOptions, type HttpOptions, MlflowHttp } from "./http.ts";
import { DEFAULT_LIMITS, type Limits, type LongValues } from "./limits.ts";
import * as logging from "./logging.ts";
import type { NonFinite } from "./non-finite.ts";
import * as runs from "./runs.ts";
import type {
  DatasetInput,
  Experiment,
  FileInfo,
  Metric,
  MetricInput,
  Run,
  RunInfo,
  RunStatus,
  ServerInfo,
} from "./types.ts";

export interface MlflowClientOptions extends HttpOptions {
  readonly limits?: Partial<Limits>;
  /** NaN and infinite metrics: send as strings (default), leave out, or refuse the call. */
  readonly nonFinite?: NonFinite;
  /** Param and tag values beyond the limits: refuse the call (default), or cut them. */
  readonly longValues?: LongValues;
  /** `host[:port]`s besides the tracking server that may be sent artifacts, and with them the credentials. */
  readonly artifactHosts?: readonly string[];
}

export class MlflowClient {
  /** Layer 1, for endpoints this class has no method for. */
  readonly http: MlflowHttp;
  readonly #rules: logging.LoggingRules;
  readonly #store: artifacts.ArtifactStore;

  /** @throws MlflowConfigError without a usable tracking URI or with incomplete credentials */
  constructor(options: MlflowClientOptions = {}) {
    const { limits, nonFinite = "string", longValues = "throw", artifactHosts = [], ...http } = options;
    this.http = new MlflowHttp(http);
    this.#rules = { limits: { ...DEFAULT_LIMITS, ...limits }, nonFinite, longValues };
    this.#store = { http: this.http, artifactHosts };
  }

  /** Checks `/health` and asks for the version: a hint, never a gate. Rejects when the server is not well. */
  async serverInfo(options: CallOptions = {}): Promise<ServerInfo> {
    const health = (await this.http.text("/health", options)).trim();
    if (health !== "OK") {
      const body = health.slice(0, 1000);
      throw new MlflowProtocolError("NOT_MLFLOW", "serverInfo: /health did not answer OK", { body });
    }
    try {
      const version = (await this.http.text("/version", options)).trim();
      return { version: /^\d+\.\d+\S*$/.test(version) ? version : undefined };
    } catch (error) {
      if (error instanceof MlflowApiError && error.httpStatus === 404) return { version: undefined };
      throw error;
    }
  }

  /** @returns the experiment's id; rejects with RESOURCE_ALREADY_EXISTS when the name is taken, by a deleted one too */
  createExperiment(name: string, options: experiments.CreateExperimentOptions = {}): Promise<string> {
    return experiments.createExperiment(this.http, name, options, this.#rules);
  }

  /** Safe among many processes; rejects with MlflowDeletedError when the name belongs to a deleted experiment. */
  getOrCreateExperiment(name: string, options: experiments.CreateExperimentOptions = {}): Promise<Experiment> {
    return experiments.getOrCreateExperiment(this.http, name, options, this.#rules);
  }

  getExperiment(experimentId: string, options: CallOptions = {}): Promise<Experiment> {
    return experiments.getExperiment(this.http, experimentId, options);
  }

  /** Deleted experiments are found as well; undefined when there is none of this name. */
  getExperimentByName(name: string, options: CallOptions = {}): Promise<Experiment | undefined> {
    return experiments.getExperimentByName(this.http, name, options);
  }

  searchExperiments(options: experiments.SearchExperimentsOptions = {}): AsyncIterable<Experiment> {
    return experiments.searchExperiments(this.http, options);
  }

  async setExperimentTag(experimentId: string, key: string, value: string, options: CallOptions = {}): Promise<void> {
    const tag = experiments.encodeExperimentTag(key, value, this.#rules);
    await this.http.call("setExperimentTag", { experiment_id: experimentId, ...tag }, options);
  }

  async deleteExperiment(experimentId: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("deleteExperiment", { experiment_id: experimentId }, options);
  }

  async restoreExperiment(experimentId: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("restoreExperiment", { experiment_id: experimentId }, options);
  }

  /**
   * Creates a run. Not repeated after a lost answer, except with `uniqueTag`, where each try looks for the tag
   * first; then a deleted run with that tag rejects with MlflowDeletedError.
   */
  createRun(experimentId: string, options: runs.CreateRunOptions = {}): Promise<Run> {
    return runs.createRun(this.http, experimentId, options, this.#rules);
  }

  getRun(runId: string, options: CallOptions = {}): Promise<Run> {
    return runs.getRun(this.http, runId, options);
  }

  updateRun(runId: string, update: runs.UpdateRunOptions): Promise<RunInfo> {
    return runs.updateRun(this.http, runId, update);
  }

  /** @param endTime Unix time in ms */
  async setTerminated(
    runId: string,
    status: Exclude<RunStatus, "RUNNING" | "SCHEDULED"> = "FINISHED",
    endTime: number = Date.now(),
    options: CallOptions = {},
  ): Promise<void> {
    await runs.updateRun(this.http, runId, { ...options, status, endTime });
  }

  searchRuns(options: runs.SearchRunsOptions): AsyncIterable<Run> {
    return runs.searchRuns(this.http, options);
  }

  /** One request for one value; `logBatch` is much cheaper for several. */
  logMetric(runId: string, metric: MetricInput, options: CallOptions = {}): Promise<void> {
    return logging.logMetric(this.http, runId, metric, options, this.#rules);
  }

  /** Params are write-once: the same value again is accepted, another one rejects with INVALID_PARAMETER_VALUE. */
  logParam(runId: string, key: string, value: string, options: CallOptions = {}): Promise<void> {
    return logging.logParam(this.http, runId, { key, value }, options, this.#rules);
  }

  setTag(runId: string, key: string, value: string, options: CallOptions = {}): Promise<void> {
    return logging.setTag(this.http, runId, { key, value }, options, this.#rules);
  }

  /** Rejects with RESOURCE_DOES_NOT_EXIST when the run has no such tag. */
  async deleteTag(runId: string, key: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("deleteTag", { run_id: runId, key }, options);
  }

  /**
   * Logs any number of entries, in as many requests as the limits need. Not atomic: when one request fails, those
   * before it are stored. Calling again with the same entries is harmless if the metrics carry their timestamps.
   */
  logBatch(runId: string, batch: Batch, options: CallOptions = {}): Promise<logging.BatchSummary> {
    return logging.logBatch(this.http, runId, batch, options, this.#rules);
  }

  /** Records the datasets a run reads; the same dataset twice is stored once. */
  logInputs(runId: string, datasets: readonly DatasetInput[], options: CallOptions = {}): Promise<void> {
    return logging.logInputs(this.http, runId, datasets, options);
  }

  /** All values of one metric, ordered by (timestamp, step, value); nothing for an unknown key. */
  getMetricHistory(runId: string, key: string, options: logging.MetricHistoryOptions = {}): AsyncIterable<Metric> {
    return logging.getMetricHistory(this.http, runId, key, options);
  }

  /** One level of the artifact tree. */
  listArtifacts(runId: string, path?: string, options: CallOptions = {}): AsyncIterable<FileInfo> {
    return artifacts.listArtifacts(this.#store, runId, path, options);
  }

  /** Uploads a file under its own name. @returns its path below the artifact root */
  logArtifact(runId: string, localPath: string, options: artifacts.LogArtifactOptions = {}): Promise<string> {
    return artifacts.logArtifact(this.#store, runId, localPath, options);
  }

  /** Uploads a folder's content; empty folders are lost. @returns the paths below the artifact root, sorted */
  logArtifacts(runId: string, localDir: string, options: artifacts.LogArtifactsOptions = {}): Promise<string[]> {
    return artifacts.logArtifacts(this.#store, runId, localDir, options);
  }

  logText(runId: string, text: string, artifactFile: string, options: CallOptions = {}): Promise<void> {
    return artifacts.logBytes(this.#store, runId, Buffer.from(text, "utf8"), artifactFile, options);
  }

  /** Stores a value as JSON; NaN and infinities become strings. YAML names are refused, since JSON is written. */
  async logDict(runId: string, value: object, artifactFile: string, options: CallOptions = {}): Promise<void> {
    if (/\.ya?ml$/i.test(artifactFile)) {
      throw new MlflowConfigError("NO_YAML", `logDict: ${artifactFile} asks for YAML, only JSON is written`);
    }
    const encode = (_key: string, item: unknown) =>
      typeof item === "number" && !Number.isFinite(item) ? String(item) : item;
    const json = `${JSON.stringify(value, encode, 2)}\n`;
    await artifacts.logBytes(this.#store, runId, Buffer.from(json, "utf8"), artifactFile, options);
  }

  /** Streams a file to `to`, making folders as needed; `to` changes only when the whole file has arrived. */
  downloadArtifact(
    runId: string,
    path: string,
    to: string,
    options: CallOptions = {},
  ): Promise<artifacts.DownloadedArtifact> {
    return artifacts.downloadArtifact(this.#store, runId, path, to, options);
  }
}
