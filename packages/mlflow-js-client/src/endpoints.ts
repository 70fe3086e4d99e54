// The REST endpoints this client speaks: one table with method and path, one interface with the wire types.
// Field names are the server's. In responses everything is optional, because absent means default.

/** JSON numbers on MLflow's own server, decimal strings on some other implementations. */
export type WireInt64 = number | string;
/** Finite values are numbers; "NaN", "Infinity" and "-Infinity" are strings. */
export type WireDouble = number | string;

export interface WireKeyValue {
  key?: string;
  value?: string;
}
export interface WireMetric {
  key?: string;
  value?: WireDouble;
  timestamp?: WireInt64;
  step?: WireInt64;
  /** From 3.x: the logged model and the dataset the value was measured on. */
  model_id?: string;
  dataset_name?: string;
  dataset_digest?: string;
  run_id?: string;
}
export interface WireExperiment {
  experiment_id?: string;
  name?: string;
  artifact_location?: string;
  lifecycle_stage?: string;
  creation_time?: WireInt64;
  last_update_time?: WireInt64;
  tags?: WireKeyValue[];
}
export interface WireRunInfo {
  run_id?: string;
  run_uuid?: string;
  run_name?: string;
  experiment_id?: string;
  user_id?: string;
  status?: string;
  start_time?: WireInt64;
  end_time?: WireInt64;
  artifact_uri?: string;
  lifecycle_stage?: string;
}
export interface WireDataset {
  name?: string;
  digest?: string;
  source_type?: string;
  source?: string;
  schema?: string;
  profile?: string;
}
export interface WireDatasetInput {
  dataset?: WireDataset;
  tags?: WireKeyValue[];
}
export interface WireRun {
  info?: WireRunInfo;
  data?: { metrics?: WireMetric[]; params?: WireKeyValue[]; tags?: WireKeyValue[] };
  inputs?: { dataset_inputs?: WireDatasetInput[]; model_inputs?: WireModelInput[] };
  outputs?: { model_outputs?: WireModelOutput[] };
}
export interface WireModelInput {
  model_id?: string;
}
export interface WireModelOutput {
  model_id?: string;
  step?: WireInt64;
}
export interface WireLoggedModel {
  info?: {
    model_id?: string;
    experiment_id?: string;
    name?: string;
    creation_timestamp_ms?: WireInt64;
    last_updated_timestamp_ms?: WireInt64;
    artifact_uri?: string;
    status?: string;
    model_type?: string;
    source_run_id?: string;
    status_message?: string;
    tags?: WireKeyValue[];
  };
  data?: { params?: WireKeyValue[]; metrics?: WireMetric[] };
}
export interface WireFileInfo {
  path?: string;
  is_dir?: boolean;
  file_size?: WireInt64;
}

type Empty = Record<string, never>;
interface PageRequest {
  max_results?: number;
  page_token?: string;
}
interface SearchRequest extends PageRequest {
  filter?: string;
  order_by?: readonly string[];
}
interface PageResponse {
  next_page_token?: string;
}
interface PresignedResponse {
  presigned_url?: string;
  headers?: Readonly<Record<string, string>>;
}

/** Request and response body of each endpoint. */
export interface Endpoints {
  createExperiment: {
    request: { name: string; artifact_location?: string; tags?: WireKeyValue[] };
    response: { experiment_id?: string };
  };
  getExperiment: { request: { experiment_id: string }; response: { experiment?: WireExperiment } };
  getExperimentByName: { request: { experiment_name: string }; response: { experiment?: WireExperiment } };
  searchExperiments: {
    request: SearchRequest & { view_type?: string };
    response: PageResponse & { experiments?: WireExperiment[] };
  };
  setExperimentTag: { request: { experiment_id: string; key: string; value: string }; response: Empty };
  deleteExperimentTag: { request: { experiment_id: string; key: string }; response: Empty };
  updateExperiment: { request: { experiment_id: string; new_name: string }; response: Empty };
  deleteExperiment: { request: { experiment_id: string }; response: Empty };
  restoreExperiment: { request: { experiment_id: string }; response: Empty };
  createRun: {
    request: { experiment_id: string; run_name?: string; start_time: number; tags?: WireKeyValue[] };
    response: { run?: WireRun };
  };
  getRun: { request: { run_id: string }; response: { run?: WireRun } };
  updateRun: {
    request: { run_id: string; status?: string; end_time?: number; run_name?: string };
    response: { run_info?: WireRunInfo };
  };
  deleteRun: { request: { run_id: string }; response: Empty };
  restoreRun: { request: { run_id: string }; response: Empty };
  searchRuns: {
    request: SearchRequest & { experiment_ids: readonly string[]; run_view_type?: string };
    response: PageResponse & { runs?: WireRun[] };
  };
  logMetric: { request: WireMetric & { run_id: string }; response: Empty };
  logParam: { request: { run_id: string; key: string; value: string }; response: Empty };
  setTag: { request: { run_id: string; key: string; value: string }; response: Empty };
  deleteTag: { request: { run_id: string; key: string }; response: Empty };
  logBatch: {
    request: { run_id: string; metrics: WireMetric[]; params: WireKeyValue[]; tags: WireKeyValue[] };
    response: Empty;
  };
  logInputs: {
    request: { run_id: string; datasets: WireDatasetInput[]; models?: WireModelInput[] };
    response: Empty;
  };
  logOutputs: { request: { run_id: string; models: WireModelOutput[] }; response: Empty };
  getMetricHistory: {
    request: PageRequest & { run_id: string; metric_key: string };
    response: PageResponse & { metrics?: WireMetric[] };
  };
  getMetricHistoryBulkInterval: {
    request: {
      run_ids: readonly string[];
      metric_key: string;
      start_step?: number;
      end_step?: number;
      max_results: number;
    };
    response: { metrics?: WireMetric[] };
  };
  listArtifacts: {
    request: { run_id: string; path?: string; page_token?: string };
    response: PageResponse & { root_uri?: string; files?: WireFileInfo[] };
  };
  presignedUpload: {
    request: { run_id?: string; model_id?: string; path: string };
    response: PresignedResponse;
  };
  presignedDownload: {
    request: { run_id: string; path: string };
    response: PresignedResponse & { file_size?: WireInt64 };
  };
  createLoggedModel: {
    request: {
      experiment_id: string;
      name?: string;
      model_type?: string;
      source_run_id?: string;
      params?: WireKeyValue[];
      tags?: WireKeyValue[];
    };
    response: { model?: WireLoggedModel };
  };
  getLoggedModel: { request: { model_id: string }; response: { model?: WireLoggedModel } };
  finalizeLoggedModel: { request: { model_id: string; status: string }; response: { model?: WireLoggedModel } };
  deleteLoggedModel: { request: { model_id: string }; response: Empty };
  searchLoggedModels: {
    request: PageRequest & {
      experiment_ids: readonly string[];
      filter?: string;
      datasets?: readonly { dataset_name: string; dataset_digest?: string }[];
      order_by?: readonly {
        field_name: string;
        ascending?: boolean;
        dataset_name?: string;
        dataset_digest?: string;
      }[];
    };
    response: PageResponse & { models?: WireLoggedModel[] };
  };
  logLoggedModelParams: { request: { model_id: string; params: WireKeyValue[] }; response: Empty };
  setLoggedModelTags: { request: { model_id: string; tags: WireKeyValue[] }; response: Empty };
  deleteLoggedModelTag: { request: { model_id: string; tag_key: string }; response: Empty };
  listLoggedModelArtifacts: {
    request: { model_id: string; artifact_directory_path?: string; page_token?: string };
    response: PageResponse & { root_uri?: string; files?: WireFileInfo[] };
  };
}

export type EndpointName = keyof Endpoints;
export type EndpointRequest<E extends EndpointName> = Endpoints[E]["request"];
export type EndpointResponse<E extends EndpointName> = Endpoints[E]["response"];

export interface EndpointSpec {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `/api/2.0/mlflow`; `{field}` stands for that field of the request. */
  readonly path: string;
  /**
   * Whether delivering the same request twice leaves the same state and gives the same answer. Metrics qualify
   * because SQL stores drop an exact replay, and the timestamp is fixed before the first try. Creations do not,
   * nor do calls whose second delivery answers 404, nor run outputs, which would be stored twice.
   */
  readonly repeatable: boolean;
}

export const ENDPOINTS: { readonly [E in EndpointName]: EndpointSpec } = {
  createExperiment: { method: "POST", path: "/experiments/create", repeatable: false },
  getExperiment: { method: "GET", path: "/experiments/get", repeatable: true },
  getExperimentByName: { method: "GET", path: "/experiments/get-by-name", repeatable: true },
  searchExperiments: { method: "POST", path: "/experiments/search", repeatable: true },
  setExperimentTag: { method: "POST", path: "/experiments/set-experiment-tag", repeatable: true },
  deleteExperimentTag: { method: "POST", path: "/experiments/delete-experiment-tag", repeatable: false },
  updateExperiment: { method: "POST", path: "/experiments/update", repeatable: true },
  deleteExperiment: { method: "POST", path: "/experiments/delete", repeatable: false },
  restoreExperiment: { method: "POST", path: "/experiments/restore", repeatable: false },
  createRun: { method: "POST", path: "/runs/create", repeatable: false },
  getRun: { method: "GET", path: "/runs/get", repeatable: true },
  updateRun: { method: "POST", path: "/runs/update", repeatable: true },
  deleteRun: { method: "POST", path: "/runs/delete", repeatable: true },
  restoreRun: { method: "POST", path: "/runs/restore", repeatable: true },
  searchRuns: { method: "POST", path: "/runs/search", repeatable: true },
  logMetric: { method: "POST", path: "/runs/log-metric", repeatable: true },
  logParam: { method: "POST", path: "/runs/log-parameter", repeatable: true },
  setTag: { method: "POST", path: "/runs/set-tag", repeatable: true },
  deleteTag: { method: "POST", path: "/runs/delete-tag", repeatable: false },
  logBatch: { method: "POST", path: "/runs/log-batch", repeatable: true },
  logInputs: { method: "POST", path: "/runs/log-inputs", repeatable: true },
  logOutputs: { method: "POST", path: "/runs/outputs", repeatable: false },
  getMetricHistory: { method: "GET", path: "/metrics/get-history", repeatable: true },
  getMetricHistoryBulkInterval: { method: "GET", path: "/metrics/get-history-bulk-interval", repeatable: true },
  listArtifacts: { method: "GET", path: "/artifacts/list", repeatable: true },
  presignedUpload: { method: "POST", path: "/artifacts/presigned-upload-url", repeatable: true },
  presignedDownload: { method: "POST", path: "/artifacts/presigned-download-url", repeatable: true },
  createLoggedModel: { method: "POST", path: "/logged-models", repeatable: false },
  getLoggedModel: { method: "GET", path: "/logged-models/{model_id}", repeatable: true },
  finalizeLoggedModel: { method: "PATCH", path: "/logged-models/{model_id}", repeatable: true },
  deleteLoggedModel: { method: "DELETE", path: "/logged-models/{model_id}", repeatable: false },
  searchLoggedModels: { method: "POST", path: "/logged-models/search", repeatable: true },
  logLoggedModelParams: { method: "POST", path: "/logged-models/{model_id}/params", repeatable: false },
  setLoggedModelTags: { method: "PATCH", path: "/logged-models/{model_id}/tags", repeatable: true },
  deleteLoggedModelTag: { method: "DELETE", path: "/logged-models/{model_id}/tags/{tag_key}", repeatable: false },
  listLoggedModelArtifacts: {
    method: "GET",
    path: "/logged-models/{model_id}/artifacts/directories",
    repeatable: true,
  },
};
