// Limits of the server, checked before sending because several of them are not errors there: long values are cut,
// fractional or oversized steps are changed, all silently and with status 200.

import { MlflowLimitError } from "./errors.ts";

export interface Limits {
  /** Metrics, params and tags together in one request. */
  readonly batchEntities: number;
  readonly batchParams: number;
  readonly batchTags: number;
  /**
   * Different metric keys in one request. Not a limit of the server, but 2.x releases answer 400 to the replay of a
   * stored batch with more than 100 (mlflow#19144), and a replay is what a retry after a lost answer is.
   */
  readonly batchMetricKeys: number;
  /** Bytes of one log-batch request; reverse proxies often stop at 1 MiB. */
  readonly batchBytes: number;
  /** Characters of a param value: 500 on early 2.x servers, then 6000. */
  readonly paramValue: number;
  /** Characters of a run tag's value: 5000 on early 2.x servers, then 8000. */
  readonly tagValue: number;
  /** Characters of an experiment tag's value: 5000 up to 2.x, 20000 on new 3.x servers. */
  readonly experimentTagValue: number;
}

export const DEFAULT_LIMITS: Limits = {
  batchEntities: 1000,
  batchParams: 100,
  batchTags: 100,
  batchMetricKeys: 100,
  batchBytes: 900_000,
  paramValue: 6000,
  tagValue: 5000,
  experimentTagValue: 5000,
};

/** What to do with values longer than the limit: refuse the call or cut them. */
export type LongValues = "throw" | "truncate";

/** @returns the value, cut to `limit` UTF-16 units if `longValues` says so, never inside a surrogate pair */
export function fitValue(what: string, value: string, limit: number, longValues: LongValues): string {
  if (typeof value !== "string") {
    throw new MlflowLimitError("VALUE_NOT_A_STRING", `${what}: expected a string, got ${typeof value}`);
  }
  if (value.length <= limit) return value;
  if (longValues === "truncate") return value.slice(0, limit).replace(/[\uD800-\uDBFF]$/, "");
  throw new MlflowLimitError(
    "VALUE_TOO_LONG",
    `${what}: ${value.length} characters, at most ${limit}; raise \`limits\` if the server takes more, or set longValues: "truncate"`,
  );
}

/** Steps: the server takes 1.5 or 2^63 with status 200 and stores something else. */
export function checkStep(what: string, step: number): number {
  return checkInteger(`${what}: step`, step);
}

/** Unix time in ms. */
export function checkTime(what: string, time: number): number {
  const checked = checkInteger(`${what}: time`, time);
  if (checked < 0) throw new MlflowLimitError("NEGATIVE_TIME", `${what}: time ${time} is negative`);
  return checked;
}

export function checkLength(what: string, value: string, limit: number): void {
  if (value.length > limit) {
    throw new MlflowLimitError("VALUE_TOO_LONG", `${what}: ${value.length} characters, at most ${limit}`);
  }
}

function checkInteger(what: string, value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new MlflowLimitError("NOT_AN_INTEGER", `${what} must be an integer within ±(2^53 - 1), got ${value}`);
}
