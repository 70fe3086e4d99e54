// Confusion matrices as tables: one for each cell of a declared table, its lines the labels, its columns what was
// predicted, in shares of the label's utterances, over the seeds of the cell.
import type { TableSpec } from "@merclab/runner";
import { describeValues } from "../aggregate/statistics.ts";
import { axisLabel, rootAxes } from "./axes.ts";
import { classNames } from "./columns.ts";
import type { CompileOptions } from "./compile-table.ts";
import { layOutTable } from "./layout.ts";
import { originOf } from "./provenance.ts";
import type { Planned, Table, TableCell, TableColumn } from "./table.ts";

/** Cells without a result, and tasks without one class per utterance, have none. */
export function compileConfusions(
  spec: TableSpec,
  planned: readonly Planned[],
  { experiment, command, order }: CompileOptions = {},
): Table[] {
  const { rowKeys, columnGroups, axes, groupAt } = layOutTable(spec, planned, order);
  return rowKeys.flatMap((row) =>
    columnGroups.flatMap(({ key }): Table[] => {
      const group = groupAt(row, key);
      const scored = group.filter(({ result }) => (result?.test.validSelected.confusion.length ?? 0) > 0);
      const [first] = scored;
      if (first === undefined) {
        return [];
      }
      const label = [
        ...rootAxes(axes.rows).map((root) => axisLabel(root, axes.rows, row, spec.labels)),
        ...rootAxes(axes.columns).map((root) => axisLabel(root, axes.columns, key, spec.labels)),
      ].join(", ");
      const name = experiment ?? first.spec.experiment;
      return [
        {
          schema: 1,
          experiment: name,
          title: `${spec.title ?? first.spec.title}: ${label}`,
          caption: `Labels in lines, predictions in columns, in per cent of the label's utterances: ${overSeeds(scored.length)} on the test part, at the epoch chosen on validation.`,
          ...matrixOf(scored, originOf(group, command ?? (() => `exp run ${name}`))),
        },
      ];
    }),
  );
}

function overSeeds(count: number): string {
  return count === 1 ? "one seed" : `mean ± sample standard deviation over ${count} seeds`;
}

function matrixOf(trials: readonly Planned[], { fill: _, ...origin }: ReturnType<typeof originOf>) {
  const classes = classNames(trials);
  const base = { axes: {}, groupLabel: "", kind: "per-class", spread: "sd" } as const;
  const columns: TableColumn[] = [
    ...classes.map(
      (name): TableColumn => ({ ...base, classScore: { score: "predicted", class: name }, unit: "share" }),
    ),
    { ...base, classScore: { score: "support", class: "all" }, unit: "count" },
  ];
  const confusions = trials.map(({ result }) => result?.test.validSelected.confusion ?? []);
  const cells = classes.map((_, label) => {
    const rows = confusions.map((confusion) => confusion[label] ?? []);
    const supports = rows.map((row) => row.reduce((sum, value) => sum + value, 0));
    const cellOf = (values: readonly number[]): TableCell => ({
      ...origin,
      state: "filled",
      ...describeValues(values),
      notes: [],
    });
    // A label that no utterance has is predicted in no share of them.
    const shares = classes.map((_, predicted) =>
      cellOf(rows.map((row, at) => (supports[at] === 0 ? 0 : (row[predicted] ?? 0) / (supports[at] as number)))),
    );
    return [...shares, cellOf(supports)];
  });
  return {
    rowHeads: ["label"],
    rows: classes.map((name) => ({ axes: { label: name }, labels: [name] })),
    columns,
    cells,
    notes: origin.missing === undefined ? [] : [{ text: `To compute what is missing: ${origin.missing.command}` }],
  };
}
