// A table as an HTML fragment for any page: heads with scopes and spans, a caption, notes below. No script and no style;
// numbers carry the class `number`, winners are `strong`.
import type { Table, TableColumn } from "../tables/table.ts";
import { type CellText, cellText, columnBlocks, columnHead, groupBlocks, metricHead } from "./cell-text.ts";
import { type Content, html, type Markup } from "./markup.ts";

export function formatHtml(table: Table): string {
  const lines: Markup[] = [html`<figure class="merclab-table">`];
  if (table.rows.length > 0) {
    lines.push(html`<table>`, html`<caption>${plain(table.title)}</caption>`, html`<thead>`, ...headLines(table));
    lines.push(html`</thead>`, html`<tbody>`, ...bodyLines(table), html`</tbody>`, html`</table>`);
  }
  lines.push(html`<figcaption>`);
  if (table.rows.length === 0) {
    lines.push(html`<p>${plain(table.title)}</p>`);
  }
  lines.push(html`<p>${plain(table.caption)}</p>`);
  if (table.notes.length > 0) {
    const notes = table.notes.map(
      ({ mark, text }) =>
        html`<li>${mark === undefined ? undefined : html`<sup>${plain(mark)}</sup> `}${plain(text)}</li>`,
    );
    lines.push(html`<ul>`, ...notes, html`</ul>`);
  }
  lines.push(html`</figcaption>`, html`</figure>`);
  return lines.map(({ markup }) => `${markup}\n`).join("");
}

/** In one line, since what the fragment is put into may keep white space. */
export function plain(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function headLines(table: Table): Markup[] {
  const empty = table.rowHeads.map(() => html`<td></td>`);
  const lines: Markup[] = [];
  if (table.columns.some(({ groupLabel }) => groupLabel !== "")) {
    lines.push(line([...empty, ...spans(table, groupBlocks(table), ({ groupLabel }) => groupLabel)]));
  }
  if (table.columns.some((column) => metricHead(column) !== "")) {
    lines.push(line([...empty, ...spans(table, columnBlocks(table), metricHead)]));
  }
  const labels = table.rowHeads.map((head) => html`<th scope="col">${plain(head)}</th>`);
  const heads = table.columns.map((column) => {
    const { label, remark } = columnHead(column);
    const below = remark === "" ? undefined : html`<br><small>${plain(remark)}</small>`;
    return html`<th scope="col">${plain(label)}${below}</th>`;
  });
  return [...lines, line([...labels, ...heads])];
}

function spans(table: Table, blocks: readonly number[][], label: (column: TableColumn) => string): Markup[] {
  return blocks.map((block) => {
    const column = table.columns[block[0] ?? 0];
    const text = column === undefined ? "" : plain(label(column));
    return text === ""
      ? html`<td colspan="${block.length}"></td>`
      : html`<th scope="colgroup" colspan="${block.length}">${text}</th>`;
  });
}

function bodyLines(table: Table): Markup[] {
  return table.rows.map((row, index) => {
    const labels = row.labels.map((label) => html`<th scope="row">${plain(label)}</th>`);
    const cells = table.columns.map((column, place) => {
      const cell = table.cells[index]?.[place];
      return cell === undefined ? html`<td></td>` : html`<td class="number">${bodyText(cellText(column, cell))}</td>`;
    });
    return line([...labels, ...cells]);
  });
}

function bodyText({ value, spread, marks, isWinner }: CellText): Content {
  const mean = isWinner ? html`<strong>${plain(value)}</strong>` : plain(value);
  const number = spread === "" ? mean : html`${mean} ± ${plain(spread)}`;
  return marks.length === 0 ? number : html`${number}<sup>${marks.map(plain).join(",")}</sup>`;
}

function line(cells: readonly Markup[]): Markup {
  return html`<tr>${cells}</tr>`;
}
