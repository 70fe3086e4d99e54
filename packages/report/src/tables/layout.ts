// Where the trials of a table go: its rows, its columns, and the trials of each cell.
import { MerclabError, type MetricName } from "@merclab/core";
import type { TableSpec, TrialSpec } from "@merclab/runner";
import { axisLabel, compareAxes, onePerCell, pickAxes, rememberedPerCell, rootAxes, tableAxes } from "./axes.ts";
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
  const rowOf = rememberedPerCell((each) => pickAxes(each, axes.rows));
  const columnOf = rememberedPerCell((each) => pickAxes(each, axes.columns));
  const keyOf = rememberedPerCell((each) => groupKey(rowOf(each), columnOf(each)));
  const groups = groupBy(trials, (trial) => keyOf(trial.spec));
  const groupAt = (row: AxisValues, column: AxisValues) => groups.get(groupKey(row, column)) ?? [];
  const representatives = [...groups.values()].flatMap(([trial]) => trial?.spec ?? []);
  const published = placePublished(spec, {
    rowAxes: axes.rows,
    columnAxes: axes.columns,
    rowKeys: distinctAxes(representatives, rowOf),
    columnKeys: distinctAxes(representatives, columnOf),
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

function distinctAxes(trials: readonly TrialSpec[], valuesOf: (spec: TrialSpec) => AxisValues): AxisValues[] {
  const keys = onePerCell(trials).map(valuesOf);
  return [...new Map(keys.map((key) => [textOf(key), key])).values()];
}

function groupKey(row: AxisValues, column: AxisValues): string {
  return `${textOf(row)} ${textOf(column)}`;
}

/** A table asks for the same rows and columns again and again. */
const texts = new WeakMap<AxisValues, string>();

function textOf(values: AxisValues): string {
  const text = texts.get(values) ?? JSON.stringify(values);
  texts.set(values, text);
  return text;
}
