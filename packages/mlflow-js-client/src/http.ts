// The wire: one typed call per endpoint of the table, and one request function below it that bounds the time,
// adds credentials, classifies failures and repeats what is safe to repeat. No knowledge of what the calls mean.

import { type AnswerContext, answerToError } from "./answer.ts";
import { type Connection, type ConnectionOptions, createConnection } from "./connection.ts";
import { ENDPOINTS, type EndpointName, type EndpointRequest, type EndpointResponse } from "./endpoints.ts";
import {
  MlflowApiError,
  MlflowConfigError,
  MlflowError,
  MlflowLimitError,
  MlflowNetworkError,
  MlflowProtocolError,
} from "./errors.ts";
import { createGate, type Gate } from "./gate.ts";
import { createInsecureFetch } from "./insecure-fetch.ts";
import { describeCause, isPermanent, isUnsent } from "./network-cause.ts";
import { createRetryPolicy, type RetryOptions, type RetryPolicy, type RetryVerdict, withRetry } from "./retry.ts";

export interface HttpOptions extends ConnectionOptions {
  /** Limit for one attempt of a JSON request, body included, in milliseconds. */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  /**
   * Requests of this client on their way at once, 10 unless told: a server has 15 connections to its database, and
   * refuses what waits for one too long.
   */
  readonly concurrency?: number;
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  /** Stops the call and its retries; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** One request as the function below sees it; `consume` reads the successful answer. */
export interface Exchange<T> extends CallOptions {
  /** Used in messages. */
  readonly name: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string;
  readonly repeatable: boolean;
  /** Of a request to another service, at an address that was signed for us: these headers and no credentials. */
  readonly foreignHeaders?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** Made anew for each attempt. */
  readonly body?: () => string | Uint8Array | Blob | Promise<string | Uint8Array | Blob>;
  /** `extend(ms)` restarts the time limit, for answers whose length is known only from their header. */
  readonly consume: (response: Response, extend: (ms: number) => void) => Promise<T>;
}

export class MlflowHttp {
  /** Without credentials or trailing slash. */
  readonly baseUrl: string;
  readonly retry: RetryPolicy;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #fetch: typeof globalThis.fetch;
  readonly #gate: Gate;

  /** @throws MlflowConfigError without a usable tracking URI or with incomplete credentials. */
  constructor({ timeoutMs = 30_000, retry, concurrency = 10, fetch, ...connection }: HttpOptions = {}) {
    this.#connection = createConnection(connection);
    this.baseUrl = this.#connection.baseUrl;
    this.retry = createRetryPolicy(retry);
    this.#timeoutMs = timeoutMs;
    if (!(concurrency >= 1))
      throw new MlflowConfigError("CONCURRENCY", `concurrency must be 1 or more: ${concurrency}`);
    this.#gate = createGate(concurrency);
    this.#fetch = fetch ?? (this.#connection.insecureTls ? createInsecureFetch() : globalThis.fetch);
  }

  /**
   * Calls an endpoint of the table.
   * @throws MlflowApiError, MlflowNetworkError, MlflowProtocolError
   */
  call<E extends EndpointName>(
    endpoint: E,
    request: EndpointRequest<E>,
    options: CallOptions = {},
  ): Promise<EndpointResponse<E>> {
    const { method, path, repeatable } = ENDPOINTS[endpoint];
    const url = `${this.baseUrl}/api/2.0/mlflow${fillPath(path, request)}`;
    const send = method === "GET" ? { url: url + queryString(request) } : { url, ...jsonBody(request) };
    return this.exchange({
      ...options,
      ...send,
      name: endpoint,
      method,
      repeatable,
      // The one place where the server's word is taken for the type; every field is optional and checked on decoding.
      consume: async (response) => (await readJsonObject(endpoint, response)) as EndpointResponse<E>,
    });
  }

  /** POST of JSON to an address outside the table. */
  post(name: string, url: string, request: object, repeatable: boolean, options: CallOptions): Promise<object> {
    const consume = (response: Response) => readJsonObject(name, response);
    return this.exchange({ ...options, ...jsonBody(request), name, method: "POST", url, repeatable, consume });
  }

  /** GET of a plain-text route, such as `/version`. */
  text(path: string, options: CallOptions = {}): Promise<string> {
    const url = this.baseUrl + path;
    const consume = (response: Response) => response.text();
    return this.exchange({ ...options, name: path, method: "GET", url, repeatable: true, consume });
  }

  /** The request function under everything else. */
  exchange<T>(request: Exchange<T>): Promise<T> {
    const judge = (error: unknown) => judgeError(error, request.repeatable);
    return withRetry(this.retry, judge, (attempt) => this.#gate(() => this.#attempt(request, attempt)), request.signal);
  }

  async #attempt<T>(request: Exchange<T>, attempt: number): Promise<T> {
    request.signal?.throwIfAborted();
    const headers =
      request.foreignHeaders === undefined ? await this.#connection.headers() : new Headers(request.foreignHeaders);
    if (request.contentType !== undefined) headers.set("content-type", request.contentType);
    const body = await request.body?.();
    const deadline = startDeadline(request.timeoutMs ?? this.#timeoutMs, request.signal);
    try {
      const init = { method: request.method, headers, redirect: "manual", signal: deadline.signal } as const;
      const response = await this.#fetch(request.url, body === undefined ? init : { ...init, body });
      if (!response.ok) throw answerToError(response, await response.text(), this.#context(request, attempt));
      return await request.consume(response, deadline.extend);
    } catch (error) {
      if (error instanceof MlflowError) throw error;
      if (request.signal?.aborted) throw request.signal.reason;
      throw this.#networkError(request, attempt, error, deadline.expiredAfterMs());
    } finally {
      deadline.stop();
    }
  }

  #context(request: Exchange<unknown>, attempts: number): AnswerContext {
    const { origin, pathname, hostname } = new URL(request.url);
    return {
      endpoint: request.name,
      request: `${request.method} ${origin}${pathname}`,
      host: hostname,
      attempts,
      redact: this.#connection.redact,
    };
  }

  #networkError(request: Exchange<unknown>, attempts: number, cause: unknown, expiredAfterMs: number | undefined) {
    const { endpoint, request: line } = this.#context(request, attempts);
    const { code, text, hint } = describeCause(cause);
    const timedOut = expiredAfterMs !== undefined;
    const what = timedOut ? `no complete answer within ${expiredAfterMs} ms` : this.#connection.redact(text) + hint;
    return new MlflowNetworkError(
      timedOut ? "TIMEOUT" : code,
      `${endpoint}: ${what} [${line}, attempt ${attempts}]`,
      {
        endpoint,
        attempts,
        unsent: !timedOut && isUnsent(cause),
        retryable: timedOut || !isPermanent(cause),
      },
      { cause },
    );
  }
}

/** Whether a later attempt may help at all, however often the request may be sent. */
export function isRetryable(error: unknown): error is MlflowApiError | MlflowNetworkError {
  return (error instanceof MlflowApiError || error instanceof MlflowNetworkError) && error.retryable;
}

/** Whether the request surely changed nothing: it never left, or the server was too busy to look at it. */
export function hadNoEffect(error: MlflowApiError | MlflowNetworkError): boolean {
  return error instanceof MlflowApiError ? error.httpStatus === 429 : error.unsent;
}

/** Repeat, after the time the server named where it did. */
export function repeatAfter(error: MlflowApiError | MlflowNetworkError): RetryVerdict {
  const retryAfterMs = error instanceof MlflowApiError ? error.retryAfterMs : undefined;
  return retryAfterMs === undefined ? { repeat: true } : { repeat: true, retryAfterMs };
}

/** A request that must not be delivered twice is repeated only when it had no effect. */
function judgeError(error: unknown, repeatable: boolean): RetryVerdict {
  const repeat = isRetryable(error) && (repeatable || hadNoEffect(error));
  return repeat ? repeatAfter(error) : { repeat: false };
}

/** The server wants such fields in the path, and some of its releases in the body as well. */
function fillPath(path: string, request: object): string {
  const fields = new Map<string, unknown>(Object.entries(request));
  return path.replace(/\{(\w+)\}/g, (_, field: string) => {
    const value = fields.get(field);
    if (typeof value === "string" && value !== "") return encodeURIComponent(value);
    throw new MlflowLimitError("EMPTY_ID", `${path}: ${field} must be a non-empty string`);
  });
}

function jsonBody(request: object) {
  const json = JSON.stringify(request);
  return { contentType: "application/json", body: () => json };
}

function queryString(request: object): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(request)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined) query.append(key, String(item));
    }
  }
  return query.size === 0 ? "" : `?${query}`;
}

async function readJsonObject(name: string, response: Response): Promise<object> {
  const text = await response.text();
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const type = response.headers.get("content-type") ?? "no content type";
    throw new MlflowProtocolError(
      "NOT_JSON",
      `${name}: expected JSON, got ${type} (a login page or another service at this address?)`,
      { cause, body: text.slice(0, 65_536) },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MlflowProtocolError("WRONG_SHAPE", `${name}: expected a JSON object`, { body: text.slice(0, 65_536) });
  }
  return value;
}

function startDeadline(timeoutMs: number, outer: AbortSignal | undefined) {
  const controller = new AbortController();
  let limitMs = timeoutMs;
  let expired = false;
  const expire = () => {
    expired = true;
    controller.abort(new DOMException(`timed out after ${limitMs} ms`, "TimeoutError"));
  };
  let timer = setTimeout(expire, limitMs);
  const forward = () => controller.abort(outer?.reason);
  outer?.addEventListener("abort", forward, { once: true });
  if (outer?.aborted) forward();
  return {
    signal: controller.signal,
    expiredAfterMs: () => (expired ? limitMs : undefined),
    extend: (ms: number) => {
      clearTimeout(timer);
      limitMs = ms;
      timer = setTimeout(expire, ms);
    },
    stop: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", forward);
    },
  };
}
