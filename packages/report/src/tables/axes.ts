// Axes: the choices that tell trials apart. An axis that varies is always a row or a column, so that nothing but seeds
// is ever averaged.
import { MerclabError, suggestName } from "@merclab/core";
import { cellValue, type ResolvedConfig, type TableSpec, type TrialSpec } from "@merclab/runner";
import type { AxisValue, AxisValues } from "./table.ts";

/** Parts of a config that are choices of a study. The engine is none: it should not change a number, so it is noted. */
const CHOICES = [
  "dataset",
  "encoder",
  "fusion",
  "objective",
  "optimizer",
  "trainer",
] as const satisfies (keyof ResolvedConfig)[];

export interface TableAxes {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Axes that vary and were not asked for, options of others left out; they are among the rows. */
  readonly added: readonly string[];
  /** Axes that were asked for and have no value in any trial; they are left out. */
  readonly unused: readonly string[];
}

/** What a trial chose: as its plan says, else as its config says (`fusion`, `fusion.lmam.rank`, `optimizer.lr`). */
export function axisValue(spec: TrialSpec, axis: string): AxisValue {
  return Object.hasOwn(spec.cell, axis) ? spec.cell[axis] : configValue(spec, axis);
}

/** One trial at least of each cell: seeds of one share its objects, and whatever follows from these. */
export function onePerCell(trials: readonly TrialSpec[]): TrialSpec[] {
  const seen = new Map<TrialSpec["config"], TrialSpec["cell"]>();
  return trials.filter(({ config, cell }) => {
    const isNew = seen.get(config) !== cell;
    seen.set(config, cell);
    return isNew;
  });
}

/** What follows from a trial's cell, found once for all of its seeds. */
export function rememberedPerCell<T>(find: (spec: TrialSpec) => T): (spec: TrialSpec) => T {
  const known = new Map<TrialSpec["config"], { readonly cell: TrialSpec["cell"]; readonly found: T }>();
  return (spec) => {
    const { config, cell } = spec;
    const last = known.get(config);
    if (last?.cell === cell) {
      return last.found;
    }
    const found = find(spec);
    known.set(config, { cell, found });
    return found;
  };
}

/** @throws MerclabError `config` for an axis that no trial can have */
export function tableAxes(spec: TableSpec, all: readonly TrialSpec[]): TableAxes {
  const trials = onePerCell(all);
  const columns = spec.columns ?? (spec.rows?.includes("dataset") ? [] : ["dataset"]);
  const rows = spec.rows ?? ["dataset", "fusion"].filter((axis) => !columns.includes(axis));
  const unused: string[] = [];
  const isUsed = (axis: string) => {
    const used = trials.length === 0 || trials.some((trial) => axisValue(trial, axis) !== undefined);
    if (!used) {
      refuseUnknown(axis, trials);
      unused.push(axis);
    }
    return used;
  };
  const usedRows = rows.filter(isUsed);
  const usedColumns = columns.filter(isUsed);

  const candidates = [...new Set(trials.flatMap((trial) => [...Object.keys(trial.cell), ...CHOICES]))].sort();
  const used = [...usedRows, ...usedColumns];
  const added: string[] = [];
  for (const axis of candidates.filter((candidate) => !used.includes(candidate))) {
    // What follows from the axes already there (an objective that comes with its fusion) splits nothing.
    if (variesWithin(axis, [...used, ...added], trials)) {
      added.push(axis);
    }
  }
  // An option of what the columns show belongs to the columns; anything else makes more lines.
  const toColumns = added.filter((axis) => parentAxis(axis, usedColumns) !== undefined);
  const toRows = added.filter((axis) => !toColumns.includes(axis));
  const axes = { rows: [...usedRows, ...toRows], columns: [...usedColumns, ...toColumns] };
  return { ...axes, added: rootAxes(axes.rows).filter((axis) => toRows.includes(axis)), unused };
}

/** Whether trials that are alike on `axes` differ on `axis`. */
function variesWithin(axis: string, axes: readonly string[], trials: readonly TrialSpec[]): boolean {
  const values = trials.map((trial) => axisValue(trial, axis) ?? null);
  if (new Set(values).size < 2) {
    return false; // spares the grouping for most axes
  }
  const firstOf = new Map<string, string>();
  return trials.some((trial, place) => {
    const group = JSON.stringify(axes.map((each) => axisValue(trial, each) ?? null));
    const value = JSON.stringify(values[place]);
    const known = firstOf.get(group) ?? value;
    firstOf.set(group, known);
    return known !== value;
  });
}

/** The values that a trial has on these axes. */
export function pickAxes(spec: TrialSpec, axes: readonly string[]): AxisValues {
  return Object.fromEntries(
    axes.flatMap((axis): [string, AxisValue][] => {
      const value = axisValue(spec, axis);
      return value === undefined ? [] : [[axis, value]];
    }),
  );
}

/** Axes with a label of their own: those that are no option of another one. */
export function rootAxes(axes: readonly string[]): string[] {
  return axes.filter((axis) => parentAxis(axis, axes) === undefined);
}

/** "lmam (rank 4)": an axis' value with those of its options. */
export function axisLabel(
  root: string,
  axes: readonly string[],
  values: AxisValues,
  labels: TableSpec["labels"] = {},
): string {
  const value = values[root];
  const label = labels[root]?.[String(value)] ?? valueLabel(value);
  const options = axes
    .filter((axis) => axis !== root && rootOf(axis, axes) === root)
    .flatMap((axis) => {
      const option = values[axis];
      const path = axis.slice(root.length + 1);
      const own = `${String(value)}.`;
      const applies = path.startsWith(own) || !path.includes(".");
      const name = path.startsWith(own) ? path.slice(own.length) : path;
      return option === undefined || (option === null && !applies) ? [] : [`${name} ${valueLabel(option)}`];
    });
  return options.length === 0 ? label : `${label} (${options.join(", ")})`;
}

const collator = new Intl.Collator("en", { numeric: true });

/** Orders by the axes in turn: values in the order wanted first, then numbers, then text with its numbers by size. */
export function compareAxes(
  axes: readonly string[],
  order: Readonly<Record<string, readonly AxisValue[]>>,
): (a: AxisValues, b: AxisValues) => number {
  const rank = (axis: string, value: AxisValue) => {
    const place = order[axis]?.indexOf(value) ?? -1;
    return place === -1 ? Number.MAX_SAFE_INTEGER : place;
  };
  // An axis is followed by its own options, so that lmam's ranks stay together.
  const ordered = rootAxes(axes).flatMap((root) => [
    root,
    ...axes.filter((axis) => axis !== root && rootOf(axis, axes) === root),
  ]);
  return (a, b) => {
    for (const axis of ordered) {
      const [x, y] = [a[axis], b[axis]];
      const difference = rank(axis, x) - rank(axis, y) || compareValues(x, y);
      if (difference !== 0) {
        return difference;
      }
    }
    return 0;
  };
}

function compareValues(a: AxisValue, b: AxisValue): number {
  if (typeof a === "number" && typeof b === "number") {
    return a - b;
  }
  const kind = (value: AxisValue) => (value === undefined ? 0 : typeof value === "number" ? 1 : 2);
  const [x, y] = [String(a), String(b)];
  return kind(a) - kind(b) || collator.compare(x, y) || (x < y ? -1 : x > y ? 1 : 0) || compareTypes(a, b);
}

function compareTypes(a: AxisValue, b: AxisValue): number {
  return Number(typeof a > typeof b) - Number(typeof a < typeof b);
}

function valueLabel(value: AxisValue): string {
  return value === undefined ? "-" : value === null ? "none" : String(value);
}

/** The longest other axis that this one is an option of. */
function parentAxis(axis: string, axes: readonly string[]): string | undefined {
  return axes.filter((other) => axis.startsWith(`${other}.`)).sort((a, b) => b.length - a.length)[0];
}

function rootOf(axis: string, axes: readonly string[]): string {
  const parent = parentAxis(axis, axes);
  return parent === undefined ? axis : rootOf(parent, axes);
}

function configValue(spec: TrialSpec, axis: string): AxisValue {
  const [part = "", ...path] = axis.split(".");
  const config = Object.hasOwn(spec.config, part) ? spec.config[part as keyof TrialSpec["config"]] : undefined;
  if (config === undefined || path.length === 0) {
    return config?.name;
  }
  const keys = path.length > 1 && path[0] === config.name ? path.slice(1) : path;
  let value: unknown = config.options;
  for (const key of keys) {
    value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return value === undefined ? undefined : cellValue(value);
}

function refuseUnknown(axis: string, trials: readonly TrialSpec[]): void {
  const parts = trials.flatMap((trial) => Object.keys(trial.config));
  if (!parts.includes(axis.split(".")[0] ?? "")) {
    const known = new Set([...parts, ...trials.flatMap((trial) => Object.keys(trial.cell))]);
    throw new MerclabError("config", `table: no trial has an axis "${axis}"`, { hint: suggestName(axis, known) });
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
