// The columns of a table, and what each reads from a trial.
import { METRICS, type MetricName, outputNames } from "@merclab/core";
import type { TableSpec } from "@merclab/runner";
import type { AxisValues, Planned, TableColumn } from "./table.ts";

const DETAIL_UNITS = { n: "count", parameters: "count", flops: "flops", seconds: "seconds" } as const;

const PUBLISHED = ["published", "difference"] as const;

/** Columns of one group: how many seeds, the scores by metric, what it costs. */
export function groupColumns(
  spec: TableSpec,
  metrics: readonly MetricName[],
  axes: AxisValues,
  groupLabel: string,
  classes: readonly string[],
): TableColumn[] {
  const { spread = "sd" } = spec;
  const detail = (kind: TableSpec["details"][number]): TableColumn[] =>
    spec.details.includes(kind) ? [{ axes, groupLabel, kind, unit: DETAIL_UNITS[kind], spread }] : [];
  return [
    ...detail("n"),
    ...metrics.flatMap((metric) =>
      [...spec.show, ...(spec.published === undefined ? [] : PUBLISHED)].map(
        (kind): TableColumn => ({ axes, groupLabel, kind, metric, unit: METRICS[metric].unit, spread }),
      ),
    ),
    ...(spec.perClass ?? []).flatMap((score) =>
      classes.map((name): TableColumn => {
        const unit = score === "support" ? "count" : "share";
        return { axes, groupLabel, kind: "per-class", classScore: { score, class: name }, unit, spread };
      }),
    ),
    ...detail("parameters"),
    ...detail("flops"),
    ...detail("seconds"),
  ];
}

/** Classes or labels that trials are scored by, in the order of their tasks. */
export function classNames(trials: readonly Planned[]): string[] {
  const own = ({ spec: { task }, result }: Planned): readonly string[] =>
    task === undefined ? (result?.classes ?? []) : task.type === "regression" ? [] : outputNames(task);
  return [...new Set(trials.flatMap(own))];
}

/** Scores come from a result; a count of parameters is known from the plan. */
export function needsResult(column: TableColumn): boolean {
  return column.kind !== "parameters";
}

/**
 * What one trial adds to a column, in the column's unit.
 *
 * Optimism is positive where the epoch chosen on the test part looks better.
 *
 * @returns undefined when the trial has no result or was not scored so; NaN for what was stored as no number
 */
export function columnValue(column: TableColumn, { spec, result }: Planned): number | undefined {
  if (column.kind === "parameters") {
    return (result ?? spec).parameters.trainable;
  }
  if (result === undefined || column.kind === "published" || column.kind === "difference") {
    return undefined; // published numbers are no trial's
  }
  if (column.kind === "flops") {
    return result.cost !== undefined && "utterance" in result.cost ? result.cost.utterance.products : undefined;
  }
  if (column.classScore !== undefined) {
    const { score, class: name } = column.classScore;
    const scores = result.test.validSelected.perClass[result.classes.indexOf(name)];
    return score === "predicted" ? undefined : stored(scores?.[score]);
  }
  if (column.metric === undefined) {
    return column.kind === "n" ? 1 : result.seconds;
  }
  const selected = stored(result.test.validSelected.metrics[column.metric]);
  const best = stored(result.test.maxTest.metrics[column.metric]);
  if (column.kind === "optimism") {
    return selected === undefined || best === undefined
      ? undefined
      : METRICS[column.metric].higherIsBetter
        ? best - selected
        : selected - best;
  }
  return column.kind === "max-test" ? best : selected;
}

/** JSON has no NaN: it is stored as null. */
function stored(value: number | null | undefined): number | undefined {
  return value === null ? Number.NaN : value;
}
