// Public API of mlflow-js-client: a tracking client for MLflow's REST interface, without dependencies.

export type { DownloadArtifactsOptions, DownloadedArtifact } from "./artifact-download.ts";
export type { LogArtifactOptions, LogArtifactsOptions } from "./artifacts.ts";
export type { Batch } from "./batch.ts";
export { MlflowClient, type MlflowClientOptions } from "./client.ts";
export type { Auth, ConnectionOptions } from "./connection.ts";
export type { EndpointName, EndpointRequest, EndpointResponse, EndpointSpec, Endpoints } from "./endpoints.ts";
export {
  type ApiErrorDetails,
  MlflowApiError,
  MlflowConfigError,
  MlflowDeletedError,
  MlflowError,
  type MlflowErrorKind,
  MlflowLimitError,
  MlflowNetworkError,
  MlflowProtocolError,
  type NetworkErrorDetails,
} from "./errors.ts";
export type { CreateExperimentOptions, SearchExperimentsOptions } from "./experiments.ts";
export { type CallOptions, type Exchange, type HttpOptions, MlflowHttp } from "./http.ts";
export { keyProblem, sanitizeKey } from "./keys.ts";
export { DEFAULT_LIMITS, type Limits, type LongValues } from "./limits.ts";
export type { BatchSummary, LogInputsOptions } from "./logging.ts";
export type { BulkIntervalOptions, MetricHistoryOptions } from "./metric-history.ts";
export type { CreateLoggedModelOptions, LoggedModelOrder, SearchLoggedModelsOptions } from "./models.ts";
export { DEFAULT_MULTIPART, type MultipartOptions } from "./multipart.ts";
export type { NonFinite } from "./non-finite.ts";
export type { RetryOptions, RetryPolicy } from "./retry.ts";
export type { CreateRunOptions, SearchRunsOptions, UpdateRunOptions } from "./runs.ts";
export { quoteString } from "./search-filter.ts";
export type {
  Dataset,
  DatasetInput,
  Experiment,
  FileInfo,
  LifecycleStage,
  LoggedDataset,
  LoggedModel,
  LoggedModelStatus,
  Metric,
  MetricInput,
  ModelOutput,
  Param,
  Run,
  RunData,
  RunInfo,
  RunMetric,
  RunStatus,
  ServerInfo,
  Tag,
  ViewType,
} from "./types.ts";
