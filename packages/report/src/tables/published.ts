// Published numbers: to which cell each belongs, and what a reader must know about it. Those of methods or data that
// were not planned here get rows and columns of their own.
import { MerclabError, type MetricName } from "@merclab/core";
import type { Published, TableSpec } from "@merclab/runner";
import { axisValue } from "./axes.ts";
import { printedPerStored } from "./comparisons.ts";
import type { Notes } from "./notes.ts";
import type { AxisValue, AxisValues, Planned, TableCell, TableColumn } from "./table.ts";

export type PublishedValue = Published["values"][number];

export interface PublishedPlaces {
  /** Those of the plan, then those that only published numbers have. */
  readonly rowKeys: readonly AxisValues[];
  readonly columnKeys: readonly AxisValues[];
  at(row: AxisValues, column: AxisValues): readonly PublishedValue[];
}

interface PlannedPlaces {
  readonly rowAxes: readonly string[];
  readonly columnAxes: readonly string[];
  readonly rowKeys: readonly AxisValues[];
  readonly columnKeys: readonly AxisValues[];
  groupAt(row: AxisValues, column: AxisValues): readonly Planned[];
}

/** @throws MerclabError `config` for a number whose choices lead to no cell */
export function placePublished({ published }: TableSpec, planned: PlannedPlaces): PublishedPlaces {
  const rowKeys = [...planned.rowKeys];
  const columnKeys = [...planned.columnKeys];
  const places = new Map<AxisValues, Map<AxisValues, PublishedValue[]>>();
  const put = (row: AxisValues, column: AxisValues, value: PublishedValue) => {
    const columns = places.get(row) ?? new Map<AxisValues, PublishedValue[]>();
    places.set(row, columns);
    columns.set(column, [...(columns.get(column) ?? []), value]);
  };
  for (const value of published?.values ?? []) {
    const own = planned.rowKeys.flatMap((row) =>
      planned.columnKeys.flatMap((column) => {
        const [first] = planned.groupAt(row, column);
        return first !== undefined && agrees(value.at, (axis) => axisValue(first.spec, axis)) ? [{ row, column }] : [];
      }),
    );
    for (const { row, column } of own) {
      put(row, column, value);
    }
    if (own.length === 0) {
      const stray = Object.keys(value.at).find((axis) => ![...planned.rowAxes, ...planned.columnAxes].includes(axis));
      if (stray !== undefined) {
        throw new MerclabError("config", `table: a published number is at "${stray}", which is no axis of the table`, {
          hint: "Name it in rows or columns, or leave it out.",
        });
      }
      put(keyFor(value.at, planned.rowAxes, rowKeys), keyFor(value.at, planned.columnAxes, columnKeys), value);
    }
  }
  return { rowKeys, columnKeys, at: (row, column) => places.get(row)?.get(column) ?? [] };
}

/** Order of axes as the published table has it, then as the study has it. */
export function publishedOrder(
  { published }: TableSpec,
  order: Readonly<Record<string, readonly AxisValue[]>>,
): Readonly<Record<string, readonly AxisValue[]>> {
  const all: Record<string, AxisValue[]> = {};
  for (const [axis, value] of (published?.values ?? []).flatMap(({ at }) => Object.entries(at))) {
    const values = all[axis] ?? [];
    all[axis] = values.includes(value) ? values : [...values, value];
  }
  for (const [axis, values] of Object.entries(order)) {
    all[axis] = [...new Set([...(all[axis] ?? []), ...values])];
  }
  return all;
}

/** The cells of a group, one per column, with its published numbers in place. */
export function withPublished(
  published: Published,
  values: readonly PublishedValue[],
  group: readonly Planned[],
  columns: readonly TableColumn[],
  cells: readonly TableCell[],
  notes: Notes,
): TableCell[] {
  const conditions = publishedConditions(published, group);
  return columns.map((column, place): TableCell => {
    const cell = cells[place] as TableCell;
    if (column.metric === undefined || (column.kind !== "published" && column.kind !== "difference")) {
      return cell;
    }
    const { metric } = column;
    const found = publishedNumber(values, metric);
    if (found === undefined) {
      return { ...cell, state: "not-published" };
    }
    // As the decimal number it is: 69.91 % is 0.6991.
    const printed = Number((found.value / printedPerStored(metric)).toPrecision(12));
    if (column.kind === "published") {
      const source = found.source ?? published.source;
      const texts = [...(found.source === undefined ? [] : [`published: ${found.source}`]), found.note, ...conditions];
      return {
        ...cell,
        state: "filled",
        mean: printed,
        trials: [],
        configs: [],
        provenance: { seeds: [], fingerprints: [], engines: [], versions: [], command: "" },
        ...(source === undefined ? {} : { source }),
        notes: texts.flatMap((text) => (text === undefined ? [] : [notes.mark(text)])),
      };
    }
    const result = columns.findIndex((other) => other.metric === metric && other.kind === "valid-selected");
    const ours = cells[result];
    return ours?.mean === undefined
      ? { ...cell, state: ours?.state ?? "not-planned" }
      : { ...cell, state: "filled", n: ours.n, mean: ours.mean - printed };
  });
}

/** The printed number, in printed units, and what it comes with. */
function publishedNumber(
  values: readonly PublishedValue[],
  metric: MetricName,
): { readonly value: number; readonly source: string | undefined; readonly note: string | undefined } | undefined {
  const found = values.find((value) => value[metric] !== undefined);
  const value = found?.[metric];
  return value === undefined ? undefined : { value, source: found?.source, note: found?.note };
}

/** What the numbers of a cell were made with, where ours were made with something else. */
function publishedConditions(published: Published, trials: readonly Planned[]): string[] {
  const notes: string[] = [];
  const [first] = trials;
  if (first === undefined) {
    return notes;
  }
  const theirs = published.features[first.spec.config.dataset.name];
  const ours = first.spec.features;
  if (theirs !== undefined && ours === undefined) {
    notes.push(`published with the features ${widths(theirs)}; the widths of ours were not stored`);
  } else if (theirs !== undefined && ours !== undefined && differ(theirs, ours)) {
    notes.push(`other features: published with ${widths(theirs)}, ours ${widths(ours)}`);
  }
  return notes;
}

/** About all published numbers of a table. */
export function publishedNotes(published: Published, hasLacking: boolean): string[] {
  const rule = {
    test: "Their epoch was chosen on the test part, as max-test is; the difference is taken from valid-selected, the result.",
    validation: "Their epoch was chosen on validation.",
    unknown: "How their epoch was chosen is not known.",
  }[published.selection];
  return [
    ...(published.values.length === 0 ? [] : [`Published: ${published.source ?? "see each number"}. ${rule}`]),
    ...(hasLacking ? [`n/a among the published: ${published.lacking}.`] : []),
  ];
}

function differ(theirs: Readonly<Record<string, number>>, ours: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(ours);
  // A subset of the modalities is a choice of the table, not other features.
  return names.some((name) => theirs[name] !== ours[name]);
}

function widths(features: Readonly<Record<string, number>>): string {
  return Object.entries(features)
    .map(([name, width]) => `${name} ${width}`)
    .join(" + ");
}

function agrees(at: PublishedValue["at"], choiceOf: (axis: string) => AxisValue): boolean {
  return Object.entries(at).every(([axis, value]) => choiceOf(axis) === value);
}

/** The place that agrees on all of these axes that the number names, else a new one. */
function keyFor(at: PublishedValue["at"], axes: readonly string[], keys: AxisValues[]): AxisValues {
  const own = Object.fromEntries(Object.entries(at).filter(([axis]) => axes.includes(axis)));
  const known = keys.find((key) => agrees(own, (axis) => key[axis]));
  if (known !== undefined) {
    return known;
  }
  keys.push(own);
  return own;
}
