// Metric values JSON has no number for. `JSON.stringify(NaN)` is null, which the server refuses together with the
// whole batch; protobuf's JSON form is the strings below. SQL stores keep NaN but turn ±infinity into the largest
// double, so that value reads back as infinite: a metric of exactly ±1.7976931348623157e308 cannot be told apart.

import { MlflowLimitError } from "./errors.ts";

/** What to do with NaN and infinities: send as strings, leave out, or refuse the call. */
export type NonFinite = "string" | "skip" | "throw";

/** The value for the wire, undefined when it is to be left out. */
export function encodeMetricValue(key: string, value: number, nonFinite: NonFinite): number | string | undefined {
  if (typeof value !== "number") {
    throw new MlflowLimitError("VALUE_NOT_A_NUMBER", `metric ${key}: expected a number, got ${typeof value}`);
  }
  if (Number.isFinite(value)) return value;
  if (nonFinite === "throw") throw new MlflowLimitError("NON_FINITE", `metric ${key}: value is ${value}`);
  return nonFinite === "skip" ? undefined : String(value);
}

/** Number from the wire; undefined when it is none. */
export function decodeMetricValue(wire: number | string): number | undefined {
  const value = typeof wire === "string" ? parseDouble(wire) : wire;
  if (typeof value !== "number") return undefined;
  return Math.abs(value) === Number.MAX_VALUE ? Math.sign(value) * Number.POSITIVE_INFINITY : value;
}

function parseDouble(text: string): number | undefined {
  if (text === "NaN") return Number.NaN;
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? undefined : value;
}
