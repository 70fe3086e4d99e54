// What an unsuccessful answer means. MLflow's own `error_code` decides first; the HTTP status only when the body has
// another shape: `{"detail"}` of FastAPI routes, plain text of the host check and auth plugins, HTML of proxies.

import { MlflowApiError } from "./errors.ts";
import { parseRetryAfter } from "./retry.ts";

const RETRYABLE_CODES = new Set([
  "REQUEST_LIMIT_EXCEEDED",
  "RESOURCE_EXHAUSTED",
  "INTERNAL_ERROR",
  "DATA_LOSS",
  "TEMPORARILY_UNAVAILABLE",
  "DEADLINE_EXCEEDED",
]);

/** Codes that no repetition cures; INVALID_STATE comes with status 500 all the same. */
const PERMANENT_CODES = new Set([
  "INVALID_PARAMETER_VALUE",
  "BAD_REQUEST",
  "RESOURCE_ALREADY_EXISTS",
  "UNAUTHENTICATED",
  "CUSTOMER_UNAUTHORIZED",
  "PERMISSION_DENIED",
  "RESOURCE_DOES_NOT_EXIST",
  "NOT_FOUND",
  "ENDPOINT_NOT_FOUND",
  "ABORTED",
  "RESOURCE_CONFLICT",
  "ALREADY_EXISTS",
  "CANCELLED",
  "INVALID_STATE",
  "NOT_IMPLEMENTED",
]);

const RETRYABLE_STATUSES = new Set([408, 429, 500, 502, 503, 504]);
const MAX_BODY = 65_536;
const MAX_EXCERPT = 600;

/** 503s that no waiting cures: the server was started without this function. FastAPI routes, then Flask routes. */
const DISABLED = /artifact serving is disabled|disabled due to the mlflow server running/i;

/**
 * 400s that do pass (seen with 3.17): the server's pool of database connections was empty for too long, or two requests
 * recorded the same dataset at the same moment and this one lost; the next one finds it there.
 */
const PASSING = [/QueuePool limit of size \d+ overflow \d+ reached/, /\b(unique|duplicate)\b[^[]*\bdatasets?(\b|_)/i];

export interface AnswerContext {
  /** Name of the call, e.g. `createRun`. */
  readonly endpoint: string;
  /** `POST http://host/path`, without credentials. */
  readonly request: string;
  readonly host: string;
  readonly attempts: number;
  redact(text: string): string;
}

/** Turns an answer whose status is not 2xx into the error that says what happened. */
export function answerToError(response: Response, text: string, context: AnswerContext): MlflowApiError {
  const body = context.redact(text).slice(0, MAX_BODY);
  const { errorCode, message, retryable } = classify(response.status, body);
  const hint = hintFor(response, body, context);
  return new MlflowApiError(
    `${context.endpoint}: server answered ${response.status} ${errorCode}: ${message || "(no text)"}` +
      `${hint} [${context.request}, attempt ${context.attempts}]`,
    {
      errorCode,
      httpStatus: response.status,
      endpoint: context.endpoint,
      retryable,
      body,
      attempts: context.attempts,
      requestId: response.headers.get("x-request-id") ?? undefined,
      retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), Date.now()),
    },
  );
}

interface Verdict {
  readonly errorCode: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** Classifies a status and a body; exported for the table-driven test. */
export function classify(status: number, body: string): Verdict {
  const json = parseObject(body);
  const byStatus = RETRYABLE_STATUSES.has(status);
  if (typeof json?.error_code === "string") {
    const errorCode = json.error_code;
    const message = typeof json.message === "string" ? shorten(json.message) : "";
    const passing = errorCode === "BAD_REQUEST" && PASSING.some((pattern) => pattern.test(message));
    const retryable = passing || RETRYABLE_CODES.has(errorCode) || (!PERMANENT_CODES.has(errorCode) && byStatus);
    return { errorCode, message, retryable };
  }
  const detail = json !== undefined && "detail" in json ? json.detail : undefined;
  const message = typeof detail === "string" ? detail : detail === undefined ? plainText(body) : JSON.stringify(detail);
  return { errorCode: `HTTP_${status}`, message: shorten(message), retryable: byStatus && !DISABLED.test(message) };
}

function hintFor(response: Response, body: string, context: AnswerContext): string {
  const { status } = response;
  if (status === 403 && /host header/i.test(body)) {
    return ` (the server does not know this host name; start it with --allowed-hosts ${context.host})`;
  }
  if (status === 413) return " (a proxy refuses bodies of this size; lower limits.batchBytes)";
  if (status === 404 && parseObject(body) === undefined) {
    return " (not MLflow's own answer: is the path prefix of the tracking URI right? 2.x servers have none for their API)";
  }
  if (status >= 300 && status < 400) {
    const target = response.headers.get("location") ?? "";
    const shown = URL.canParse(target) ? new URL(target).host : "another address";
    return ` (redirects are not followed, since they turn POST into GET; use the final address, it points to ${shown})`;
  }
  return "";
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function plainText(html: string): string {
  return html
    .replace(/<(script|style)[\s\S]*?<\/\1>/gi, " ")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** Some messages quote whole SQL statements; the full text is in the error's `body`. */
function shorten(text: string): string {
  return text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text;
}
