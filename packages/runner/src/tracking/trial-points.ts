// The numbers of a trial as MLflow's metrics: of the journal, of system.jsonl, and of the result.
import { type Metric, sanitizeKey } from "mlflow-js-client";
import type { JournalRecord } from "../store/journal.ts";
import type { TrialResult } from "../store/trial-files.ts";
import { unixTime } from "./description.ts";
import { resultMetrics } from "./names.ts";

/** None for a record that is not about metrics. */
export function recordPoints(record: JournalRecord): Metric[] {
  if (record.t !== "m") {
    return [];
  }
  return Object.entries(record.v).map(([name, value]) => ({
    key: sanitizeKey(name),
    value: Number(value), // NaN and the infinities are journalled by name
    step: record.s,
    timestamp: record.ts,
  }));
}

export function resultPoints(result: TrialResult): Metric[] {
  const timestamp = unixTime(result.seal.openedAt) ?? Date.now();
  return resultMetrics(result).map((metric) => ({ ...metric, key: sanitizeKey(metric.key), timestamp }));
}
