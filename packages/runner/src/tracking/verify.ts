// Compares what a server holds of a study with its folders: every point of every metric, by history.
import { join } from "node:path";
import type { Metric } from "mlflow-js-client";
import { readTrials, TRIAL_FILES } from "../store/experiment-store.ts";
import type { StudySite } from "./destination.ts";
import { readJournalLines } from "./journal-lines.ts";
import { readRejected } from "./rejected.ts";
import { readTracking, type TrackingFile } from "./tracking-file.ts";
import { recordPoints, resultPoints } from "./trial-points.ts";

/** A metric of which the server holds something else than the folder. */
export interface Difference {
  readonly trial: string;
  readonly metric: string;
  /** Points of the folder, without those that were rejected. */
  readonly stored: number;
  readonly onServer: number;
  /** Steps that the server lacks, or holds with another value. */
  readonly missing: number;
  /** Steps that it holds more than once. */
  readonly doubled: number;
}

export interface Verification {
  readonly experiment: string;
  readonly metrics: number;
  readonly points: number;
  readonly differences: readonly Difference[];
}

/**
 * Only trials that were sent; what a server holds beyond the folder, of an attempt that went further, is no difference.
 *
 * @param patiently does what may have to be repeated
 */
export async function verifyStudy(
  site: StudySite,
  runsFolder: string,
  patiently: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<Verification> {
  const differences: Difference[] = [];
  let metrics = 0;
  let points = 0;
  const trials = await readTrials(runsFolder, site.experiment);
  for (const { folder, spec, result } of trials) {
    const noted = readTracking<TrackingFile>(folder, site);
    if (noted === undefined) {
      continue;
    }
    const lines = (["journal", "system"] as const).flatMap((file) => [
      ...readJournalLines(join(folder, TRIAL_FILES[file])).after(0),
    ]);
    const rejected = readRejected(folder, site).flatMap(({ kind, record }) =>
      kind === "metric" ? [pointName(record as Metric)] : [],
    );
    const stored = byMetric(
      [
        ...lines.flatMap(({ record }) => (record === undefined ? [] : recordPoints(record))),
        ...(result === undefined ? [] : resultPoints(result)),
      ].filter((point) => !rejected.includes(pointName(point))),
    );
    for (const [metric, steps] of stored) {
      metrics += 1;
      points += steps.size;
      const difference = await patiently(() => compare(site, noted.runId, metric, steps));
      if (difference.missing > 0 || difference.doubled > 0) {
        differences.push({ trial: spec.id, metric, stored: steps.size, ...difference });
      }
    }
  }
  return { experiment: site.experiment, metrics, points, differences };
}

async function compare(
  { client, call }: StudySite,
  runId: string,
  metric: string,
  steps: ReadonlyMap<number, number>,
): Promise<Pick<Difference, "onServer" | "missing" | "doubled">> {
  const held = new Map<number, number>();
  let onServer = 0;
  for await (const { step, value } of client.getMetricHistory(runId, metric, call)) {
    onServer += 1;
    held.set(step, value);
  }
  const missing = [...steps].filter(([step, value]) => !Object.is(held.get(step), value) && held.get(step) !== value);
  return { onServer, missing: missing.length, doubled: onServer - held.size };
}

function byMetric(points: readonly Metric[]): Map<string, Map<number, number>> {
  const metrics = new Map<string, Map<number, number>>();
  for (const { key, step, value } of points) {
    const steps = metrics.get(key) ?? new Map<number, number>();
    steps.set(step, value);
    metrics.set(key, steps);
  }
  return metrics;
}

function pointName({ key, step }: Metric): string {
  return `${step} ${key}`;
}
