// Numbers as the field prints them: shares in per cent with two decimals, "74.08 ± 0.51". Everything that is text in
// more than one format is settled here once.
import { metricDescriptor } from "@merclab/core";
import { STANDING_MARKS } from "../tables/standings.ts";
import type { Table, TableCell, TableColumn } from "../tables/table.ts";

/** In three parts, so that formats can align them: "74.08", "0.51", ["a"]. */
export interface CellText {
  readonly value: string;
  /** Empty where there is no spread to tell. */
  readonly spread: string;
  readonly marks: readonly string[];
  /** A winner, which formats that can set in bold. */
  readonly isWinner: boolean;
}

const DIGITS = { share: 2, nats: 3, correlation: 3, target: 3, count: 0, flops: 3, seconds: 1 } as const;

export function cellText(column: TableColumn, cell: TableCell): CellText {
  const half = column.spread === "sd" ? cell.sd : halfWidth(cell);
  const spread =
    half === undefined || column.unit === "count" || column.unit === "flops" ? "" : numberText(half, column.unit);
  const standing = STANDING_MARKS[cell.comparison?.standing ?? "behind"];
  const marks = standing === "" ? cell.notes : [standing, ...cell.notes];
  return { value: valueText(column, cell), spread, marks, isWinner: cell.comparison?.standing === "winner" };
}

/** What a column holds, under its metric; `remark` says what the epoch was chosen on. */
export function columnHead(column: TableColumn): { readonly label: string; readonly remark: string } {
  switch (column.kind) {
    case "valid-selected":
      return { label: "valid-selected", remark: "the result" };
    case "max-test":
      return { label: "max-test", remark: "chosen on test" };
    case "optimism":
      return { label: "optimism", remark: "difference" };
    case "published":
      return { label: "published", remark: "as printed" };
    case "difference":
      return { label: "difference", remark: "to published" };
    case "per-class":
      return { label: column.classScore?.class ?? "", remark: "" };
    case "flops":
      return { label: "MFLOP", remark: "an utterance" };
    default:
      return { label: column.kind, remark: "" };
  }
}

const CLASS_SCORE_LABELS = {
  f1: "F1",
  precision: "Precision",
  recall: "Recall",
  support: "Support",
  predicted: "Predicted",
} as const;

/** "Weighted F1 (%)"; empty for details. */
export function metricHead(column: TableColumn): string {
  if (column.metric === undefined && column.classScore === undefined) {
    return "";
  }
  const label =
    column.metric === undefined
      ? CLASS_SCORE_LABELS[column.classScore?.score ?? "f1"]
      : metricDescriptor(column.metric).label;
  return column.unit === "share" ? `${label} (%)` : label;
}

/** Columns of one group and metric, which stand under one head; details are blocks of their own. */
export function columnBlocks(table: Table): number[][] {
  const blocks: number[][] = [];
  table.columns.forEach((column, index) => {
    const before = table.columns[index - 1];
    const joins = before !== undefined && before.groupLabel === column.groupLabel && headOf(before) === headOf(column);
    const last = blocks.at(-1);
    if (joins && last !== undefined) {
      last.push(index);
    } else {
      blocks.push([index]);
    }
  });
  return blocks;
}

/** What columns of a block have in common. */
function headOf({ metric, classScore }: TableColumn): string | undefined {
  return metric ?? classScore?.score;
}

/** Columns of one group. */
export function groupBlocks({ columns }: Table): number[][] {
  const blocks: number[][] = [];
  columns.forEach((column, index) => {
    const last = blocks.at(-1);
    if (last !== undefined && columns[index - 1]?.groupLabel === column.groupLabel) {
      last.push(index);
    } else {
      blocks.push([index]);
    }
  });
  return blocks;
}

function valueText(column: TableColumn, cell: TableCell): string {
  if (cell.state === "not-planned") {
    return "";
  }
  if (column.kind === "n") {
    return cell.missing === undefined ? String(cell.n) : `${cell.missing.have}/${cell.missing.wanted}`;
  }
  switch (cell.state) {
    case "missing":
      return "missing";
    case "not-scored":
    case "not-published":
      return "n/a";
    case "not-a-number":
      return "NaN";
    case "filled": {
      const text = numberText(cell.mean ?? Number.NaN, column.unit);
      return (column.kind === "optimism" || column.kind === "difference") && Number(text) > 0 ? `+${text}` : text;
    }
  }
}

function halfWidth({ interval }: TableCell): number | undefined {
  return interval === undefined ? undefined : (interval.high - interval.low) / 2;
}

/** Without the "-0.00" that rounding a small negative number gives. */
function numberText(value: number, unit: TableColumn["unit"]): string {
  if (unit === "count") {
    return Math.round(value).toLocaleString("en-US");
  }
  const text = (unit === "share" ? value * 100 : unit === "flops" ? value / 1e6 : value).toFixed(DIGITS[unit]);
  return Number(text) === 0 ? text.replace("-", "") : text;
}
