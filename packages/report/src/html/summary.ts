// The summary in words. It says of the tables what their tests support, and nothing else: no row is called best that the
// table does not mark as the winner.
import { type MetricName, metricDescriptor } from "@merclab/core";
import { cellText } from "../formats/cell-text.ts";
import type { StudyMaterial } from "../study/study-material.ts";
import { printedPerStored } from "../tables/comparisons.ts";
import type { Table, TableCell, TableColumn } from "../tables/table.ts";
import { listed } from "./blocks.ts";

/** More are no sentence any more. */
const MOST_NAMED = 6;

/** One sentence or two each. */
export function summarySentences(material: StudyMaterial, tables: readonly Table[]): string[] {
  return [
    ...comparedSentences(material),
    ...protocolSentences(material),
    ...tables.flatMap((table) => standingSentences(table, tables.length > 1)),
    ...optimismSentences(tables),
  ];
}

/** What is not there, which a reader must know first. */
export function warnings({ trials, study }: StudyMaterial): string[] {
  const lacking = trials.filter(({ result }) => result === undefined);
  const failed = lacking.filter(({ status }) => status?.state === "failed");
  const synthetic = trials.filter(({ spec }) => spec.data.source === "synthetic");
  return [
    ...(synthetic.length === 0
      ? []
      : [
          synthetic.length === trials.length
            ? "All data are synthetic: these numbers say nothing about any real corpus."
            : "Some of the data are synthetic: their numbers say nothing about any real corpus.",
        ]),
    ...(lacking.length === 0
      ? []
      : [
          `${lacking.length} of ${trials.length} trials have no result${
            failed.length === 0
              ? ""
              : `, of which ${failed.length} failed (${failed[0]?.status?.error ?? "no reason stored"})`
          }. To compute what is missing: ${study.command}`,
        ]),
  ];
}

function comparedSentences({ blocks }: StudyMaterial): string[] {
  return blocks.map(({ dataset, task, methods }) => {
    const seeds = [...new Set(methods.map(({ trials }) => trials.length))].sort((a, b) => a - b);
    const count = seeds.length === 1 ? `${seeds[0]}` : `${seeds[0]} to ${seeds.at(-1)}`;
    const result = methods.flatMap(({ trials }) => trials).find((trial) => trial.result !== undefined)?.result;
    const support = (result?.test.validSelected.confusion ?? []).flat().reduce((sum, each) => sum + each, 0);
    const what =
      task.type === "single-label"
        ? `${task.classes.length} classes (${listed(task.classes)})`
        : task.type === "multi-label"
          ? `${task.labels.length} labels`
          : `scores from ${task.range[0]} to ${task.range[1]}`;
    const names = methods.length <= MOST_NAMED ? ` (${listed(methods.map(({ label }) => label))})` : "";
    return (
      `On ${dataset}, ${methods.length === 1 ? "one method was trained" : `${methods.length} methods were compared`}${names} ` +
      `with ${count} seed${count === "1" ? "" : "s"} each: ${what}` +
      `${support === 0 ? "" : `, ${support.toLocaleString("en-US")} test utterances`}.`
    );
  });
}

function protocolSentences({ trials }: StudyMaterial): string[] {
  const results = trials.flatMap(({ result }) => result ?? []);
  const metrics = [...new Set(results.map(({ selection }) => metricDescriptor(selection.metric).label))];
  return results.length === 0
    ? []
    : [
        `The epoch of every result was chosen by ${listed(metrics)} on the validation part. The test labels were sealed ` +
          `until training had ended, and each opening is recorded below.`,
      ];
}

/** For the first metric of a table, data set by data set. */
function standingSentences(table: Table, isOneOfMany: boolean): string[] {
  const metric = table.columns.find(({ kind }) => kind === "valid-selected")?.metric;
  if (metric === undefined) {
    return [];
  }
  return table.columns.flatMap((column, place) =>
    column.kind === "valid-selected" && column.metric === metric
      ? rowGroups(table).map(({ dataset, rows }) =>
          standingSentence(table, rows, column, place, [isOneOfMany ? table.title : "", column.groupLabel, dataset]),
        )
      : [],
  );
}

/** Rows that were compared with each other: those of one data set where data sets are in lines. */
function rowGroups(table: Table): { readonly dataset: string; readonly rows: readonly number[] }[] {
  const place = table.rowHeads.indexOf("dataset");
  const groups = new Map<string, number[]>();
  table.rows.forEach((row, index) => {
    const key = place === -1 ? "" : (row.labels[place] ?? "");
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  return [...groups].map(([dataset, rows]) => ({ dataset, rows }));
}

function standingSentence(
  table: Table,
  rows: readonly number[],
  column: TableColumn,
  place: number,
  scope: readonly string[],
): string {
  // What is the same in every row tells none apart.
  const telling = table.rowHeads.map(
    (head, at) => head !== "dataset" && new Set(rows.map((row) => table.rows[row]?.labels[at])).size > 1,
  );
  const labelsOf = (row: number) =>
    (table.rows[row]?.labels ?? []).filter((_, at) => telling[at]).join(", ") || "the only row";
  const cells = rows.flatMap((row) => {
    const cell = table.cells[row]?.[place];
    return cell === undefined || cell.state === "not-planned" ? [] : [{ name: labelsOf(row), cell }];
  });
  const metric = metricDescriptor(column.metric as MetricName);
  const where = scope.filter((each) => each !== "");
  const opening = where.length === 0 ? "" : `${where.join(", ")}: `;
  const told = ({ name, cell }: { name: string; cell: TableCell }) => `${name} (${scoreText(column, cell)})`;
  const standing = (wanted: string) => cells.filter(({ cell }) => cell.comparison?.standing === wanted);
  const [winner] = standing("winner");
  const tied = standing("tied");
  const equal = standing("equivalent");
  const behind = standing("behind");
  const also = equal.length === 0 ? "" : ` Within the margin of the study: ${listed(equal.map(told))}.`;
  if (winner !== undefined) {
    return `${opening}${told(winner)} is the best in ${metric.label}, told apart from every other row.${also}`;
  }
  if (tied.length > 1) {
    const others = behind.length === 0 ? "" : ` Told apart from the best, and behind: ${listed(behind.map(told))}.`;
    return `${opening}no row can be called best in ${metric.label}. ${tiedText(tied, told)}${others}${also}`;
  }
  const filled = cells.filter(({ cell }) => cell.state === "filled");
  const range = filled.length === 0 ? "no score is stored yet" : `scores are ${listed(filled.map(told))}`;
  return `${opening}nothing was tested in ${metric.label}, which takes two rows with two seeds in common; ${range}.`;
}

interface NamedCell {
  readonly name: string;
  readonly cell: TableCell;
}

/** Names all, or where they are many the two ends. */
function tiedText(tied: readonly NamedCell[], told: (each: NamedCell) => string): string {
  if (tied.length <= MOST_NAMED) {
    return `Not told apart from the best mean: ${listed(tied.map(told))}.`;
  }
  const sorted = [...tied].sort((a, b) => (a.cell.mean ?? 0) - (b.cell.mean ?? 0)) as [NamedCell, NamedCell];
  const last = sorted.at(-1) ?? sorted[0];
  return `Not told apart from the best mean: ${tied.length} rows, from ${told(sorted[0])} to ${told(last)}.`;
}

function scoreText(column: TableColumn, cell: TableCell): string {
  const { value, spread } = cellText(column, cell);
  return spread === "" ? value : `${value} ± ${spread}`;
}

/** How much the usual way of picking the epoch would have added. */
function optimismSentences(tables: readonly Table[]): string[] {
  const [table] = tables;
  const metric = table?.columns.find(({ kind }) => kind === "valid-selected")?.metric;
  if (table === undefined || metric === undefined) {
    return [];
  }
  const values = table.cells.flatMap((row) =>
    row.flatMap((cell, place) => {
      const column = table.columns[place];
      return column?.kind === "optimism" && column.metric === metric && cell.mean !== undefined ? [cell.mean] : [];
    }),
  );
  if (values.length === 0) {
    return [];
  }
  const unit = printedPerStored(metric);
  const shown = (value: number) => (unit * value).toFixed(2);
  const points = unit === 100 ? " points" : "";
  const range =
    values.length === 1
      ? `${shown(values[0] ?? 0)}${points}`
      : `${shown(Math.min(...values))} to ${shown(Math.max(...values))}${points}, ${shown(values.reduce((a, b) => a + b, 0) / values.length)} on average`;
  return [
    `Choosing the epoch on the test part, as most published code does, would have made ${metricDescriptor(metric).label} ` +
      `look better by ${range} (optimism).`,
  ];
}
