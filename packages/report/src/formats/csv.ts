// Tidy CSV by RFC 4180 (CRLF, quotes where needed): a head, then one line per row, column and score with raw numbers,
// so that other programs need not parse "74.08 ± 0.51". The column `n` of a table is the field `n` of every line.
import { stringify } from "csv-stringify/sync";
import type { AxisValues, Table, TableColumn } from "../tables/table.ts";

/**
 * Fields: the axes; `score` (a metric, `f1 of CLASS`, parameters, flops or seconds), `column` (valid-selected is the result), `unit` (share:
 * in [0, 1]), `data` (real, synthetic or mixed), `state`, `mean`, `sd` (sample), `mean_low` and `mean_high` (its 95 % interval), `n`, `min`, `max`, how
 * the cell stands to the best one (`standing`; difference `to_best` with its 95 % interval, `p` and `p_corrected`, `effect`, `violation`,
 * `shared_seeds`), `planned`, then ids and hashes with spaces between,
 * `seeds` of the trials, `fingerprints` of the data, `engines`, `versions`, commits of the `code` where they were read, the `source` of a published number, `notes`, the `command` that computes what is
 * missing, and the one that computes all of the cell again (`refill`). What there is no number for is empty.
 */
export function formatCsv(table: Table): string {
  const rowAxes = axisNames(table.rows);
  const columnAxes = axisNames(table.columns);
  const hasCode = table.cells.flat().some(({ provenance }) => provenance.code !== undefined);
  const fields = FIELDS.filter((field) => field !== "code" || hasCode);
  const head = [...rowAxes, ...columnAxes, ...fields];
  const texts = new Map(table.notes.map(({ mark, text }) => [mark, text]));
  const records = table.rows.flatMap((row, index) =>
    table.columns.flatMap((column, place) => {
      const cell = table.cells[index]?.[place];
      if (cell === undefined || column.kind === "n" || cell.state === "not-planned") {
        return [];
      }
      const toBest = cell.comparison?.toBest;
      return [
        [
          ...rowAxes.map((axis) => axisText(row.axes, axis)),
          ...columnAxes.map((axis) => axisText(column.axes, axis)),
          scoreName(column),
          column.classScore === undefined ? (column.metric === undefined ? "" : column.kind) : "valid-selected",
          column.unit,
          cell.data,
          cell.state,
          ...[cell.mean, cell.sd, cell.interval?.low, cell.interval?.high, cell.n, cell.min, cell.max].map(numberText),
          cell.comparison?.standing ?? "",
          ...[toBest?.difference, toBest?.interval?.low, toBest?.interval?.high].map(numberText),
          ...[toBest?.p, toBest?.corrected, toBest?.effect, toBest?.violation, toBest?.seeds].map(numberText),
          numberText(cell.missing?.wanted ?? cell.trials.length),
          cell.trials.join(" "),
          cell.missing?.trials.join(" ") ?? "",
          cell.configs.join(" "),
          cell.provenance.seeds.join(" "),
          cell.provenance.fingerprints.join(" "),
          cell.provenance.engines.join(" "),
          cell.provenance.versions.join("; "),
          ...(hasCode ? [cell.provenance.code?.join("; ") ?? ""] : []),
          cell.source ?? "",
          cell.notes.map((mark) => texts.get(mark) ?? mark).join("; "),
          cell.missing?.command ?? "",
          cell.provenance.command,
        ],
      ];
    }),
  );
  return stringify([head, ...records], { record_delimiter: "windows" });
}

const FIELDS = [
  "score",
  "column",
  "unit",
  "data",
  "state",
  "mean",
  "sd",
  "mean_low",
  "mean_high",
  "n",
  "min",
  "max",
  "standing",
  "to_best",
  "to_best_low",
  "to_best_high",
  "p",
  "p_corrected",
  "effect",
  "violation",
  "shared_seeds",
  "planned",
  "trials",
  "missing_trials",
  "configs",
  "seeds",
  "fingerprints",
  "engines",
  "versions",
  "code",
  "source",
  "notes",
  "command",
  "refill",
] as const;

function scoreName({ metric, classScore, kind }: TableColumn): string {
  return classScore === undefined ? (metric ?? kind) : `${classScore.score} of ${classScore.class}`;
}

function axisNames(places: readonly { readonly axes: AxisValues }[]): string[] {
  return [...new Set(places.flatMap(({ axes }) => Object.keys(axes)))];
}

function axisText(axes: AxisValues, axis: string): string {
  const value = axes[axis];
  return value === undefined ? "" : String(value);
}

function numberText(value: number | undefined): string {
  return value === undefined ? "" : String(value);
}
