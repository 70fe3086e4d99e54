// Every error this package throws: one base class with a `kind` to switch on and a `code` to compare.
// Messages name the address without credentials; wrapping keeps the cause and the server's body.

export type MlflowErrorKind = "api" | "network" | "protocol" | "limit" | "config" | "deleted";

/** Base of all errors of this package. */
export abstract class MlflowError extends Error {
  abstract readonly kind: MlflowErrorKind;
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

export interface ApiErrorDetails {
  readonly errorCode: string;
  readonly httpStatus: number;
  readonly endpoint: string;
  readonly retryable: boolean;
  readonly body: string;
  readonly attempts: number;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The server answered with an error. `errorCode` is MLflow's, or `HTTP_<status>` when the body is not MLflow's. */
export class MlflowApiError extends MlflowError {
  readonly kind = "api";
  readonly errorCode: string;
  readonly httpStatus: number;
  readonly endpoint: string;
  /** Whether the same request may succeed later; says nothing about whether repeating it is safe. */
  readonly retryable: boolean;
  /** The answer as text, cut at 64 kB. */
  readonly body: string;
  /** Requests sent, this one included. */
  readonly attempts: number;
  readonly requestId: string | undefined;
  /** What the server asked for by Retry-After, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ApiErrorDetails) {
    super(details.errorCode, message);
    this.errorCode = details.errorCode;
    this.httpStatus = details.httpStatus;
    this.endpoint = details.endpoint;
    this.retryable = details.retryable;
    this.body = details.body;
    this.attempts = details.attempts;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface NetworkErrorDetails {
  readonly endpoint: string;
  readonly attempts: number;
  /** Whether it is certain that the server never saw the request. */
  readonly unsent: boolean;
  /** False for causes that waiting does not cure, such as an untrusted certificate. */
  readonly retryable: boolean;
}

/** No complete answer arrived: refused, reset, name not found, or timed out (code `TIMEOUT`). */
export class MlflowNetworkError extends MlflowError {
  readonly kind = "network";
  readonly endpoint: string;
  readonly attempts: number;
  readonly unsent: boolean;
  readonly retryable: boolean;

  constructor(code: string, message: string, details: NetworkErrorDetails, options?: { cause?: unknown }) {
    super(code, message, options);
    this.endpoint = details.endpoint;
    this.attempts = details.attempts;
    this.unsent = details.unsent;
    this.retryable = details.retryable;
  }
}

/** A successful answer that is not what MLflow sends: not JSON, a missing required field, a page token that repeats. */
export class MlflowProtocolError extends MlflowError {
  readonly kind = "protocol";
  /** The answer as text, cut at 64 kB, where there is one. */
  readonly body: string | undefined;

  constructor(code: string, message: string, options?: { cause?: unknown; body?: string }) {
    super(code, message, options);
    this.body = options?.body;
  }
}

/** Refused by this client before sending, since the server would refuse it or, worse, change it silently. */
export class MlflowLimitError extends MlflowError {
  readonly kind = "limit";
}

/** Wrong or missing settings, an unsupported store, or a local file that cannot be read or written. */
export class MlflowConfigError extends MlflowError {
  readonly kind = "config";
}

/** The name or tag belongs to something that was deleted; nothing is restored silently. */
export class MlflowDeletedError extends MlflowError {
  readonly kind = "deleted";
  readonly resource: "experiment" | "run";
  readonly id: string;

  constructor(resource: "experiment" | "run", id: string, message: string) {
    super(resource === "experiment" ? "EXPERIMENT_DELETED" : "RUN_DELETED", message);
    this.resource = resource;
    this.id = id;
  }
}
