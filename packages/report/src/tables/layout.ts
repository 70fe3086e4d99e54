// Where the trials of a table go: its rows, its columns, and the trials of each cell.
import { MerclabError, type MetricName } from "@merclab/core";
import type { TableSpec } from "@merclab/runner";
import { axisLabel, compareAxes, pickAxes, rootAxes, tableAxes } from "./axes.ts";
import { tableMetrics } from "./by-task.ts";
import { classNames, groupColumns } from "./columns.ts";
import { groupBy } from "./group-by.ts";
import { type PublishedValue, placePublished, publishedOrder } from "./published.ts";
import { selectTrials } from "./select-trials.ts";
import type { AxisValue, AxisValues, Planned, TableColumn } from "./table.ts";

export interface TableLayout {
  /** By seed. */
  readonly trials: readonly Planned[];
  readonly axes: ReturnType<typeof tableAxes>;
  readonly metrics: readonly MetricName[];
  /** Names that no trial is scored by. */
  readonly left: readonly MetricName[];
  readonly rowKeys: readonly AxisValues[];
  readonly columnGroups: readonly { readonly key: AxisValues; readonly columns: readonly TableColumn[] }[];
  /** All columns, group by group. */
  readonly columns: readonly TableColumn[];
  /** Trials of each row and column, `[rows][columns]`; none where nothing is planned. */
  readonly cells: readonly (readonly (readonly Planned[])[])[];
  /** Trials of each row and group of columns that has some. */
  readonly groups: readonly (readonly Planned[])[];
  groupAt(row: AxisValues, column: AxisValues): readonly Planned[];
  publishedAt(row: AxisValues, column: AxisValues): readonly PublishedValue[];
}

/**
 * @param planned in any order
 * @param order of an axis' values; others follow, sorted
 * @throws MerclabError `config` for an axis that no trial has, or a trial that is given twice
 */
export function layOutTable(
  spec: TableSpec,
  planned: readonly Planned[],
  order: Readonly<Record<string, readonly AxisValue[]>> = {},
): TableLayout {
  const trials = selectTrials(spec, planned).sort(bySeed);
  refuseRepeated(trials);
  const specs = trials.map((trial) => trial.spec);
  const axes = tableAxes(spec, specs);
  const { metrics, left } = tableMetrics(spec, specs);
  const groups = groupBy(trials, (trial) =>
    groupKey(pickAxes(trial.spec, axes.rows), pickAxes(trial.spec, axes.columns)),
  );
  const groupAt = (row: AxisValues, column: AxisValues) => groups.get(groupKey(row, column)) ?? [];
  const oneOfEach = [...groups.values()].flatMap(([trial]) => trial ?? []);
  const published = placePublished(spec, {
    rowAxes: axes.rows,
    columnAxes: axes.columns,
    rowKeys: distinctAxes(oneOfEach, axes.rows),
    columnKeys: distinctAxes(oneOfEach, axes.columns),
    groupAt,
  });
  const wanted = publishedOrder(spec, order);
  const rowKeys = published.rowKeys.toSorted(compareAxes(axes.rows, wanted));
  const columnKeys = published.columnKeys.toSorted(compareAxes(axes.columns, wanted));
  const columnGroups = columnKeys.map((key) => {
    const label = rootAxes(axes.columns).map((root) => axisLabel(root, axes.columns, key, spec.labels));
    const classes = spec.perClass === undefined ? [] : classNames(rowKeys.flatMap((row) => groupAt(row, key)));
    return { key, columns: groupColumns(spec, metrics, key, label.join(", "), classes) };
  });
  return {
    trials,
    axes,
    metrics,
    left,
    rowKeys,
    columnGroups,
    columns: columnGroups.flatMap(({ columns }) => columns),
    cells: rowKeys.map((row) =>
      columnGroups.flatMap(({ key, columns }) => {
        const group = groupAt(row, key);
        return columns.map(() => group);
      }),
    ),
    groups: [...groups.values()],
    groupAt,
    publishedAt: published.at,
  };
}

function bySeed(a: Planned, b: Planned): number {
  return a.spec.seed - b.spec.seed || Number(a.spec.id > b.spec.id) - Number(a.spec.id < b.spec.id);
}

function refuseRepeated(trials: readonly Planned[]): void {
  const seen = new Set<string>();
  for (const { spec } of trials) {
    if (seen.has(spec.id)) {
      throw new MerclabError("config", `table: trial ${spec.id} was given twice`, {
        hint: "A repeated trial would count as another seed; give each trial of the plan once.",
      });
    }
    seen.add(spec.id);
  }
}

function distinctAxes(trials: readonly Planned[], axes: readonly string[]): AxisValues[] {
  return [...new Map(trials.map(({ spec }) => pickAxes(spec, axes)).map((key) => [JSON.stringify(key), key])).values()];
}

function groupKey(row: AxisValues, column: AxisValues): string {
  return JSON.stringify([row, column]);
}
