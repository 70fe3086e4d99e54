// A table as an HTML fragment for any page: heads with scopes and spans, a caption, notes below. No script and no style;
// numbers carry the class `number`, winners are `strong`.
import type { Table, TableColumn } from "../tables/table.ts";
import { type CellText, cellText, columnBlocks, columnHead, groupBlocks, metricHead } from "./cell-text.ts";

export function formatHtml(table: Table): string {
  const lines = [`<figure class="merclab-table">`];
  if (table.rows.length > 0) {
    lines.push("<table>", `<caption>${escapeHtml(table.title)}</caption>`, "<thead>", ...headLines(table), "</thead>");
    lines.push("<tbody>", ...bodyLines(table), "</tbody>", "</table>");
  }
  lines.push("<figcaption>");
  if (table.rows.length === 0) {
    lines.push(`<p>${escapeHtml(table.title)}</p>`);
  }
  lines.push(`<p>${escapeHtml(table.caption)}</p>`);
  if (table.notes.length > 0) {
    const notes = table.notes.map(
      ({ mark, text }) => `<li>${mark === undefined ? "" : `<sup>${escapeHtml(mark)}</sup> `}${escapeHtml(text)}</li>`,
    );
    lines.push("<ul>", ...notes, "</ul>");
  }
  lines.push("</figcaption>", "</figure>");
  return `${lines.join("\n")}\n`;
}

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/\s+/g, " ")
    .trim();
}

function headLines(table: Table): string[] {
  const labels = (text: (head: string) => string) => table.rowHeads.map((head) => text(escapeHtml(head)));
  const empty = labels(() => "<td></td>");
  const lines: string[] = [];
  if (table.columns.some(({ groupLabel }) => groupLabel !== "")) {
    lines.push(line([...empty, ...spans(table, groupBlocks(table), ({ groupLabel }) => groupLabel)]));
  }
  if (table.columns.some((column) => metricHead(column) !== "")) {
    lines.push(line([...empty, ...spans(table, columnBlocks(table), metricHead)]));
  }
  const heads = table.columns.map((column) => {
    const { label, remark } = columnHead(column);
    const below = remark === "" ? "" : `<br><small>${escapeHtml(remark)}</small>`;
    return `<th scope="col">${escapeHtml(label)}${below}</th>`;
  });
  return [...lines, line([...labels((head) => `<th scope="col">${head}</th>`), ...heads])];
}

function spans(table: Table, blocks: readonly number[][], label: (column: TableColumn) => string): string[] {
  return blocks.map((block) => {
    const column = table.columns[block[0] ?? 0];
    const text = column === undefined ? "" : escapeHtml(label(column));
    return text === ""
      ? `<td colspan="${block.length}"></td>`
      : `<th scope="colgroup" colspan="${block.length}">${text}</th>`;
  });
}

function bodyLines(table: Table): string[] {
  return table.rows.map((row, index) => {
    const labels = row.labels.map((label) => `<th scope="row">${escapeHtml(label)}</th>`);
    const cells = table.columns.map((column, place) => {
      const cell = table.cells[index]?.[place];
      return cell === undefined ? "<td></td>" : `<td class="number">${bodyText(cellText(column, cell))}</td>`;
    });
    return line([...labels, ...cells]);
  });
}

function bodyText({ value, spread, marks, isWinner }: CellText): string {
  const mean = isWinner ? `<strong>${escapeHtml(value)}</strong>` : escapeHtml(value);
  const number = spread === "" ? mean : `${mean} ± ${escapeHtml(spread)}`;
  return marks.length === 0 ? number : `${number}<sup>${marks.map(escapeHtml).join(",")}</sup>`;
}

function line(cells: readonly string[]): string {
  return `<tr>${cells.join("")}</tr>`;
}
