// From stored trials to a table. Pure, and independent of the order of the trials: rows, columns, sums and marks
// follow from what the trials are, not from when they were read.
import { type MetricName, metricDescriptor } from "@merclab/core";
import type { TableSpec, TrialSpec } from "@merclab/runner";
import { describeValues } from "../aggregate/statistics.ts";
import { axisLabel, rootAxes } from "./axes.ts";
import { columnValue, needsResult } from "./columns.ts";
import { type Comparisons, comparableFamilies, compareFamilies, marginsOf } from "./comparisons.ts";
import { groupConditions, metricConditions, tableConditions } from "./conditions.ts";
import { layOutTable } from "./layout.ts";
import { createNotes, type Notes } from "./notes.ts";
import { type Origin, originOf } from "./provenance.ts";
import { publishedNotes, withPublished } from "./published.ts";
import { markStandings } from "./standings.ts";
import type { AxisValue, Planned, Table, TableCell, TableColumn } from "./table.ts";

/** Of so many groups at most, each has a note with its own command. */
const MOST_COMMANDS = 6;

export interface CompileOptions {
  /** Names the experiment where no trial does. */
  readonly experiment?: string;
  /** The command that computes these trials of a cell; for no cell, or without it, what finishes the experiment. */
  readonly command?: (wanted: readonly TrialSpec[], cell: readonly TrialSpec[]) => string;
  /** Order of an axis' values, as declared in the experiment; others follow, sorted. */
  readonly order?: Readonly<Record<string, readonly AxisValue[]>>;
}

/**
 * @param planned every trial of the experiment's current plan, done or not, in any order
 * @throws MerclabError `config` for an axis that no trial has, or a trial that is given twice
 */
export function compileTable(spec: TableSpec, planned: readonly Planned[], options: CompileOptions = {}): Table {
  const layout = layOutTable(spec, planned, options.order);
  const { trials, axes, metrics, left, rowKeys, columnGroups, columns, groups } = layout;
  const first = trials[0]?.spec;
  const experiment = options.experiment ?? first?.experiment ?? "EXPERIMENT";
  const command = options.command ?? (() => `exp run ${experiment}`);
  const roots = rootAxes(axes.rows);
  const mostWanted = Math.max(0, ...groups.map((group) => group.length));
  const synthetic = new Set(trials.map((trial) => trial.spec.data.source === "synthetic"));
  const comparisons = compareFamilies(comparableFamilies(columns, layout.cells), spec);
  const notes = createNotes();
  const lackingGroups = groups.filter((group) => group.some(({ result }) => result === undefined)).length;
  const cells = rowKeys.map((row) =>
    columnGroups.flatMap(({ key, columns: own }) => {
      const group = layout.groupAt(row, key);
      const origin = originOf(group, command);
      const conditions = groupConditions({
        trials: group,
        command: lackingGroups > MOST_COMMANDS ? undefined : origin.fill,
        mostWanted,
        partlySynthetic: synthetic.size > 1,
      });
      const cells = compileGroup(group, own, origin, group.length === 0 ? [] : conditions, notes);
      return spec.published === undefined
        ? cells
        : withPublished(spec.published, layout.publishedAt(row, key), group, own, cells, notes);
    }),
  );
  if (spec.published !== undefined) {
    const hasLacking = cells.flat().some(({ state }) => state === "not-published");
    for (const text of publishedNotes(spec.published, hasLacking)) {
      notes.add(text);
    }
  }
  for (const text of tableConditions(trials, axes)) {
    notes.add(text);
  }
  const fewest = Math.min(...groups.map((group) => group.filter(({ result }) => result !== undefined).length));
  if (spec.spread === "bootstrap" && fewest < BOOTSTRAP_SEEDS) {
    notes.add(
      `Intervals are too narrow: a bootstrap needs ${BOOTSTRAP_SEEDS} seeds; spread: interval is right for fewer.`,
    );
  }
  if (left.length > 0) {
    notes.add(`Not scored in this task, left out: ${left.map((name) => metricDescriptor(name).label).join(", ")}.`);
  }
  const unshown = Object.keys(marginsOf(spec)).filter((name) => !metrics.some((metric) => metric === name));
  if (trials.length > 0 && unshown.length > 0) {
    notes.add(`No column for the margin of ${unshown.map((name) => metricDescriptor(name).label).join(", ")}.`);
  }
  if (comparisons.untested > 0) {
    notes.add(untestedNote(comparisons));
  }
  if (planned.length === 0) {
    notes.add(`No trials yet; to plan and compute them: ${command([], [])}`);
  } else if (trials.length === 0) {
    notes.add(`The plan of ${experiment} has no trial of this part (${JSON.stringify(spec.only)}).`);
  }
  if (lackingGroups > MOST_COMMANDS) {
    notes.add(`To compute all that is missing: ${command([], [])} (--provenance names the command of each cell).`);
  }
  if (cells.flat().some((cell) => cell.state === "not-planned")) {
    notes.add("Empty: not in the plan.");
  }

  const marked = markStandings(cells, comparisons, marginsOf(spec));
  return {
    schema: 1,
    experiment,
    title: spec.title ?? first?.title ?? experiment,
    caption: caption(spec, metrics, groups, synthetic),
    rowHeads: roots,
    rows: rowKeys.map((key) => ({
      axes: key,
      labels: roots.map((root) => axisLabel(root, axes.rows, key, spec.labels)),
    })),
    columns,
    cells: marked.cells,
    notes: [...marked.notes, ...notes.list()],
  };
}

function untestedNote({ untested, test, tests }: Comparisons): string {
  const what = test.seeds === 1 ? "accuracy alone, and predictions of both runs" : "stored predictions of both rows";
  return `${untested} of ${untested + tests} comparisons were not made: the test (${test.label}) needs ${what}.`;
}

function compileGroup(
  group: readonly Planned[],
  columns: readonly TableColumn[],
  origin: Origin,
  conditions: readonly string[],
  notes: Notes,
): TableCell[] {
  const { trials: ids, data, configs, missing, provenance } = origin;
  return columns.map((column) => {
    const { state, values, stray } = readColumn(column, group);
    const own =
      column.metric === undefined || column.kind !== "valid-selected"
        ? []
        : metricConditions(metricDescriptor(column.metric).label, state, stray, ids.length);
    const shared = column.kind === "valid-selected" ? conditions : [];
    return {
      state,
      ...(state !== "filled"
        ? { n: 0 }
        : column.kind === "n"
          ? { n: ids.length }
          : describeValues(values, column.spread === "bootstrap" ? "bootstrap" : "student")),
      trials: ids,
      data,
      configs,
      provenance,
      ...(missing === undefined ? {} : { missing }),
      notes: [...shared, ...own].map((text) => notes.mark(text)),
    };
  });
}

function readColumn(column: TableColumn, group: readonly Planned[]) {
  const read = (needsResult(column) ? group.filter((trial) => trial.result !== undefined) : group).map((trial) => ({
    seed: trial.spec.seed,
    value: columnValue(column, trial),
  }));
  const values = read.flatMap(({ value }) => value ?? []);
  const stray = read.filter(({ value }) => value !== undefined && !Number.isFinite(value)).map(({ seed }) => seed);
  const state: TableCell["state"] =
    group.length === 0
      ? "not-planned"
      : read.length === 0
        ? "missing"
        : values.length < read.length
          ? "not-scored"
          : stray.length > 0
            ? "not-a-number"
            : "filled";
  return { state, values, stray };
}

const SPREADS = {
  sd: "sample standard deviation",
  interval: "95 % interval (Student's t)",
  bootstrap: "half of the 95 % interval (percentile bootstrap)",
} as const;

/** The bootstrap of fewer values is too narrow: of five, it covers less than 89 %. */
const BOOTSTRAP_SEEDS = 20;

function caption(
  spec: TableSpec,
  metrics: readonly MetricName[],
  groups: readonly (readonly Planned[])[],
  synthetic: ReadonlySet<boolean>,
): string {
  const counts = groups
    .map((group) => group.filter((trial) => trial.result !== undefined).length)
    .filter((count) => count > 0);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const number =
    spec.details.includes("n") || counts.length === 0 ? "n" : least === most ? most : `${least} to ${most}`;
  const sentences = [
    most === 1
      ? "Scores on the test part of one seed, which tells no spread."
      : `Mean ± ${SPREADS[spec.spread ?? "sd"]} over ${number} seeds on the test part.`,
    "valid-selected is the result: the epoch chosen on validation.",
  ];
  if (spec.show.includes("max-test")) {
    sentences.push("max-test is what papers print: the epoch chosen on the test part itself, never the result.");
  }
  if (spec.show.includes("optimism")) {
    sentences.push("optimism = max-test - valid-selected.");
    const turned = metrics.map(metricDescriptor).filter(({ higherIsBetter }) => !higherIsBetter);
    if (turned.length > 0) {
      const labels = turned.map(({ label }) => label).join(", ");
      sentences.push(`Smaller is better for ${labels}: there optimism is valid-selected - max-test.`);
    }
  }
  if (spec.published !== undefined) {
    sentences.push("difference = valid-selected - published.");
  }
  if (synthetic.has(true)) {
    const part = synthetic.size > 1 ? "Partly synthetic data" : "Synthetic data";
    sentences.push(`${part}: these numbers say nothing about any real corpus.`);
  }
  return sentences.join(" ");
}
