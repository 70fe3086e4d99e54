// The client: Python's `MlflowClient` names in camel case, each method one line onto the module that does the work.
// Every call may reject with MlflowApiError, MlflowNetworkError or MlflowProtocolError; what the client itself
// refuses before sending is MlflowLimitError. Holds settings only: no current run, no background work, no dispose.

import * as downloads from "./artifact-download.ts";
import type { ArtifactStore } from "./artifact-target.ts";
import * as artifacts from "./artifacts.ts";
import type { Batch } from "./batch.ts";
import { MlflowApiError, MlflowConfigError, MlflowProtocolError } from "./errors.ts";
import * as experiments from "./experiments.ts";
import { type CallOptions, type HttpOptions, MlflowHttp } from "./http.ts";
import { DEFAULT_LIMITS, type Limits, type LongValues } from "./limits.ts";
import * as logging from "./logging.ts";
import * as history from "./metric-history.ts";
import * as models from "./models.ts";
import { DEFAULT_MULTIPART, type MultipartOptions } from "./multipart.ts";
import type { NonFinite } from "./non-finite.ts";
import * as runs from "./runs.ts";
import type {
  DatasetInput,
  Experiment,
  FileInfo,
  LoggedModel,
  LoggedModelStatus,
  Metric,
  MetricInput,
  ModelOutput,
  Run,
  RunInfo,
  RunMetric,
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
  /** Uploads of large files in parts where the server's store takes them (S3, GCS, Azure); false for never. */
  readonly multipart?: Partial<MultipartOptions> | false;
}

export class MlflowClient {
  /** Layer 1, for endpoints this class has no method for. */
  readonly http: MlflowHttp;
  readonly #rules: logging.LoggingRules;
  readonly #store: ArtifactStore;

  /** @throws MlflowConfigError without a usable tracking URI or with incomplete credentials */
  constructor(options: MlflowClientOptions = {}) {
    const { limits, nonFinite = "string", longValues = "throw", artifactHosts = [], multipart, ...http } = options;
    this.http = new MlflowHttp(http);
    this.#rules = { limits: { ...DEFAULT_LIMITS, ...limits }, nonFinite, longValues };
    const parts = multipart === false ? multipart : { ...DEFAULT_MULTIPART, ...multipart };
    this.#store = { http: this.http, artifactHosts, multipart: parts };
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

  /** Rejects with RESOURCE_DOES_NOT_EXIST when there is no such tag; 2.x servers do not know this call. */
  async deleteExperimentTag(experimentId: string, key: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("deleteExperimentTag", { experiment_id: experimentId, key }, options);
  }

  async renameExperiment(experimentId: string, newName: string, options: CallOptions = {}): Promise<void> {
    experiments.checkExperimentName(newName);
    await this.http.call("updateExperiment", { experiment_id: experimentId, new_name: newName }, options);
  }

  /** Marks as deleted; the name stays taken. */
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

  /** Marks as deleted: no search finds the run, logging to it is refused, `restoreRun` brings it back. */
  async deleteRun(runId: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("deleteRun", { run_id: runId }, options);
  }

  async restoreRun(runId: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("restoreRun", { run_id: runId }, options);
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
  logInputs(runId: string, datasets: readonly DatasetInput[], options: logging.LogInputsOptions = {}): Promise<void> {
    return logging.logInputs(this.http, runId, datasets, options);
  }

  /** Links logged models (3.x) to the run that made them. Not repeated after a lost answer: links would double. */
  logOutputs(runId: string, outputs: readonly ModelOutput[], options: CallOptions = {}): Promise<void> {
    return logging.logOutputs(this.http, runId, outputs, options);
  }

  /** All values of one metric, ordered by (timestamp, step, value); nothing for an unknown key. */
  getMetricHistory(runId: string, key: string, options: history.MetricHistoryOptions = {}): AsyncIterable<Metric> {
    return history.getMetricHistory(this.http, runId, key, options);
  }

  /** A sample of one metric of several runs, evenly by step with the first and last: what a chart needs (3.x). */
  getMetricHistoryBulkInterval(
    runIds: readonly string[],
    key: string,
    options: history.BulkIntervalOptions = {},
  ): Promise<RunMetric[]> {
    return history.getMetricHistoryBulkInterval(this.http, runIds, key, options);
  }

  /** One level of the artifact tree. */
  listArtifacts(runId: string, path?: string, options: CallOptions = {}): AsyncIterable<FileInfo> {
    return artifacts.listArtifacts(this.#store, { runId }, path, options);
  }

  /** Uploads a file under its own name. @returns its path below the artifact root */
  logArtifact(runId: string, localPath: string, options: artifacts.LogArtifactOptions = {}): Promise<string> {
    return artifacts.logArtifact(this.#store, { runId }, localPath, options);
  }

  /** Uploads a folder's content; empty folders are lost. @returns the paths below the artifact root, sorted */
  logArtifacts(runId: string, localDir: string, options: artifacts.LogArtifactsOptions = {}): Promise<string[]> {
    return artifacts.logArtifacts(this.#store, { runId }, localDir, options);
  }

  logText(runId: string, text: string, artifactFile: string, options: CallOptions = {}): Promise<void> {
    return artifacts.logBytes(this.#store, { runId }, Buffer.from(text, "utf8"), artifactFile, options);
  }

  /** Stores a value as JSON; NaN and infinities become strings. YAML names are refused, since JSON is written. */
  async logDict(runId: string, value: object, artifactFile: string, options: CallOptions = {}): Promise<void> {
    if (/\.ya?ml$/i.test(artifactFile)) {
      throw new MlflowConfigError("NO_YAML", `logDict: ${artifactFile} asks for YAML, only JSON is written`);
    }
    const encode = (_key: string, item: unknown) =>
      typeof item === "number" && !Number.isFinite(item) ? String(item) : item;
    await this.logText(runId, `${JSON.stringify(value, encode, 2)}\n`, artifactFile, options);
  }

  /** Streams a file to `to`, making folders as needed; `to` changes only when the whole file has arrived. */
  downloadArtifact(
    runId: string,
    path: string,
    to: string,
    options: CallOptions = {},
  ): Promise<downloads.DownloadedArtifact> {
    return downloads.downloadArtifact(this.#store, { runId }, path, to, options);
  }

  /** Downloads a folder, or with `undefined` everything. @returns the paths below the artifact root, sorted */
  downloadArtifacts(
    runId: string,
    folder: string | undefined,
    toFolder: string,
    options: downloads.DownloadArtifactsOptions = {},
  ): Promise<string[]> {
    return downloads.downloadArtifacts(this.#store, { runId }, folder, toFolder, options);
  }

  /** Whether the server knows logged models (3.x); without, files of a model belong to the run, below `model/`. */
  supportsLoggedModels(options: CallOptions = {}): Promise<boolean> {
    return models.supportsLoggedModels(this.http, options);
  }

  /** Creates a model, PENDING until `finalizeLoggedModel`. Not repeated after a lost answer. */
  createLoggedModel(experimentId: string, options: models.CreateLoggedModelOptions = {}): Promise<LoggedModel> {
    return models.createLoggedModel(this.http, experimentId, options);
  }

  getLoggedModel(modelId: string, options: CallOptions = {}): Promise<LoggedModel> {
    return models.getLoggedModel(this.http, modelId, options);
  }

  finalizeLoggedModel(
    modelId: string,
    status: Exclude<LoggedModelStatus, "PENDING">,
    options: CallOptions = {},
  ): Promise<LoggedModel> {
    return models.finalizeLoggedModel(this.http, modelId, status, options);
  }

  searchLoggedModels(options: models.SearchLoggedModelsOptions): AsyncIterable<LoggedModel> {
    return models.searchLoggedModels(this.http, options);
  }

  async deleteLoggedModel(modelId: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("deleteLoggedModel", { model_id: modelId }, options);
  }

  /** Write-once, like those of runs, but the same value again is refused as well. */
  async logModelParams(
    modelId: string,
    params: Readonly<Record<string, string>>,
    options: CallOptions = {},
  ): Promise<void> {
    const request = { model_id: modelId, params: models.keyValues("param", params) };
    await this.http.call("logLoggedModelParams", request, options);
  }

  async setLoggedModelTags(
    modelId: string,
    tags: Readonly<Record<string, string>>,
    options: CallOptions = {},
  ): Promise<void> {
    await this.http.call("setLoggedModelTags", { model_id: modelId, tags: models.keyValues("tag", tags) }, options);
  }

  async deleteLoggedModelTag(modelId: string, key: string, options: CallOptions = {}): Promise<void> {
    await this.http.call("deleteLoggedModelTag", { model_id: modelId, tag_key: key }, options);
  }

  /** As `logArtifact`, into the model's own files. */
  logModelArtifact(modelId: string, localPath: string, options: artifacts.LogArtifactOptions = {}): Promise<string> {
    return artifacts.logArtifact(this.#store, { modelId }, localPath, options);
  }

  logModelArtifacts(modelId: string, localDir: string, options: artifacts.LogArtifactsOptions = {}): Promise<string[]> {
    return artifacts.logArtifacts(this.#store, { modelId }, localDir, options);
  }

  listLoggedModelArtifacts(modelId: string, path?: string, options: CallOptions = {}): AsyncIterable<FileInfo> {
    return artifacts.listArtifacts(this.#store, { modelId }, path, options);
  }

  downloadLoggedModelArtifact(
    modelId: string,
    path: string,
    to: string,
    options: CallOptions = {},
  ): Promise<downloads.DownloadedArtifact> {
    return downloads.downloadArtifact(this.#store, { modelId }, path, to, options);
  }
}
