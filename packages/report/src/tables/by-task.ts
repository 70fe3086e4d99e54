// Tasks have metrics of their own, so trials of several tasks make several tables; and the metrics of one table.
import { type MetricName, metricsOfTask, type Task, usualMetrics } from "@merclab/core";
import type { TableSpec, TrialSpec } from "@merclab/runner";
import { groupBy } from "./group-by.ts";
import { selectTrials } from "./select-trials.ts";
import type { Planned } from "./table.ts";

/** Of trials that do not say: those of before there was more than one. */
const SINGLE_LABEL: Task = { type: "single-label", classes: [] };

/** The part of a table that belongs to one type of task. */
export interface TaskPart {
  readonly spec: TableSpec;
  readonly planned: readonly Planned[];
}

/**
 * One part per type of task, in the order of the trials; the title tells them apart where there are several. A table
 * whose metrics belong to some of the tasks is about those alone.
 */
export function splitByTask(spec: TableSpec, planned: readonly Planned[]): TaskPart[] {
  const all = [...groupBy(selectTrials(spec, planned), (trial) => taskOf(trial.spec).type)];
  const wanted = all.filter(([, members]) => spec.metrics?.some((metric) => scoredBy(members).has(metric)) ?? true);
  const groups = wanted.length > 0 ? wanted : all;
  if (groups.length < 2) {
    return [{ spec, planned: groups[0]?.[1] ?? planned }];
  }
  return groups.map(([type, members]) => {
    const title = `${spec.title ?? members[0]?.spec.title ?? ""} (${type})`;
    // Another table has the others; those that no task has stay, and are told.
    const metrics = spec.metrics?.filter((metric) => scoredBy(members).has(metric) || !scoredBy(planned).has(metric));
    return { spec: { ...spec, title, ...(metrics === undefined ? {} : { metrics }) }, planned: members };
  });
}

/**
 * The metrics of a table: those that its spec names and its trials are scored by, or the usual ones.
 *
 * @returns as well the names that no trial is scored by
 */
export function tableMetrics(
  { metrics }: TableSpec,
  trials: readonly TrialSpec[],
): { readonly metrics: readonly MetricName[]; readonly left: readonly MetricName[] } {
  const tasks = trials.length === 0 ? [SINGLE_LABEL] : [...new Set(trials.map(taskOf))];
  const scored = new Set(tasks.flatMap(metricsOfTask));
  const usual = [...new Set(tasks.flatMap(usualMetrics))];
  if (metrics === undefined || trials.length === 0) {
    return { metrics: metrics ?? usual, left: [] };
  }
  const kept = metrics.filter((metric) => scored.has(metric));
  return { metrics: kept.length === 0 ? usual : kept, left: metrics.filter((metric) => !scored.has(metric)) };
}

function scoredBy(trials: readonly Planned[]): ReadonlySet<MetricName> {
  const tasks = new Set(trials.map(({ spec }) => taskOf(spec)));
  return new Set([...tasks].flatMap(metricsOfTask));
}

function taskOf({ task }: TrialSpec): Task {
  return task ?? SINGLE_LABEL;
}
