// GitHub flavoured Markdown. Its tables have one head line and no spans, so each head says all: group, metric, column.
import { markdownTable } from "markdown-table";
import type { Table, TableColumn } from "../tables/table.ts";
import { type CellText, cellText, columnHead, metricHead } from "./cell-text.ts";
import { textWidth } from "./text-layout.ts";

export function formatMarkdown(table: Table): string {
  const parts = [`**${escapeText(table.title)}**`];
  if (table.rows.length > 0) {
    const head = [...table.rowHeads.map(escapeText), ...table.columns.map(headText)];
    const body = table.rows.map((row, index) => [
      ...row.labels.map(escapeText),
      ...table.columns.map((column, place) => {
        const cell = table.cells[index]?.[place];
        return cell === undefined ? "" : bodyText(cellText(column, cell));
      }),
    ]);
    const align = [...table.rowHeads.map(() => "l"), ...table.columns.map(() => "r")];
    parts.push(markdownTable([head, ...body], { align, stringLength: textWidth }));
  }
  parts.push(escapeText(table.caption));
  if (table.notes.length > 0) {
    const notes = table.notes.map(
      ({ mark, text }) => `- ${mark === undefined ? "" : `<sup>${escapeText(mark)}</sup> `}${escapeText(text)}`,
    );
    parts.push(notes.join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

function headText(column: TableColumn): string {
  const { label, remark } = columnHead(column);
  const lines = [column.groupLabel, metricHead(column), label, remark === "" ? "" : `(${remark})`];
  return lines
    .filter((line) => line !== "")
    .map(escapeText)
    .join("<br>");
}

function bodyText({ value: plain, spread, marks, isWinner }: CellText): string {
  const value = isWinner ? `**${plain}**` : plain;
  const number = spread === "" ? value : `${value} ± ${spread}`;
  return marks.length === 0 ? number : `${number} <sup>${marks.map(escapeText).join(",")}</sup>`;
}

/** Text as text: what Markdown or HTML would read as markup is escaped, and the bars of cells. */
function escapeText(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\\`*_[\]~$|]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");
}
