// A compiled table as HTML: the heads and texts of the other formats, with buttons that sort and copy.
import { METRICS } from "@merclab/core";
import { cellText, columnBlocks, columnHead, groupBlocks, metricHead } from "../formats/cell-text.ts";
import { formatTable } from "../formats/format-table.ts";
import { type Content, html, type Markup } from "../formats/markup.ts";
import type { Table, TableCell, TableColumn } from "../tables/table.ts";

/** What the page's buttons copy, by format. */
export interface TableCopies {
  readonly latex: string;
  readonly md: string;
  readonly csv: string;
}

const COPIED = { latex: "LaTeX", md: "Markdown", csv: "CSV" } as const satisfies Record<keyof TableCopies, string>;

export function copiesOf(table: Table): TableCopies {
  return { latex: formatTable(table, "latex"), md: formatTable(table, "md"), csv: formatTable(table, "csv") };
}

/** @param place of the table in the page's copies */
export function tableMarkup(table: Table, place: number): Markup {
  const buttons = Object.entries(COPIED).map(
    ([format, name]) =>
      html`<button type="button" data-copy="${place} ${format}" aria-label="Copy ${table.title} as ${name}">${name}</button>`,
  );
  return html`<div class="block">
<div class="block-head"><h3 id="table-${place}">${table.title}</h3>
<div class="actions"><span class="said" role="status"></span><span class="said" aria-hidden="true">Copy</span>${buttons}</div></div>
${table.rows.length === 0 ? undefined : gridMarkup(table, place)}
<p class="note caption">${table.caption}</p>
${table.notes.length === 0 ? undefined : html`<ul class="notes note">${table.notes.map(noteMarkup)}</ul>`}
</div>`;
}

function noteMarkup({ mark, text }: Table["notes"][number]): Markup {
  return html`<li><span class="mark">${mark ?? "·"}</span>${text}</li>`;
}

function gridMarkup(table: Table, place: number): Markup {
  const marked = table.columns.map((column, at) =>
    table.cells.some((row) => {
      const cell = row[at];
      return cell !== undefined && cellText(column, cell).marks.length > 0;
    }),
  );
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="table-${place}">
<table class="scores" data-sortable aria-labelledby="table-${place}"><thead>${headRows(table)}</thead><tbody>
${table.rows.map((row, index) => {
  const before = table.rows[index - 1]?.labels[0];
  const opens = row.labels.length > 1 && before !== undefined && before !== row.labels[0];
  return html`<tr${opens ? html` class="opens"` : undefined}>${row.labels.map(
    (label) => html`<th scope="row">${label}</th>`,
  )}${table.columns.map((column, at) => cellMarkup(column, table.cells[index]?.[at], marked[at] ?? false))}</tr>
`;
})}</tbody></table></div>`;
}

function cellMarkup(column: TableColumn, cell: TableCell | undefined, hasMarks: boolean): Markup {
  if (cell === undefined) {
    return html`<td class="number" data-value=""></td>`;
  }
  const { value, spread, marks, isWinner } = cellText(column, cell);
  const number = column.kind === "n" ? cell.trials.length : (cell.mean ?? "");
  const kind = isWinner ? "winner" : cell.state === "filled" ? "value" : "absent";
  return html`<td class="number" data-value="${number}"${titleOf(cell)}><span class="${kind}">${value}</span>${
    spread === "" ? undefined : html`<span class="spread"> ± ${spread}</span>`
  }${hasMarks ? html`<sup class="marks">${marks.join(",")}</sup>` : undefined}</td>`;
}

/** What pointing at a cell tells of the runs behind it. */
function titleOf({ missing, trials, comparison }: TableCell): Content {
  const toBest = comparison?.toBest;
  const told = [
    missing === undefined ? "" : `${missing.have} of ${missing.wanted} trials; the rest: ${missing.command}`,
    toBest?.corrected === undefined ? "" : `p = ${toBest.corrected.toPrecision(2)} against the best, corrected`,
    toBest?.violation === undefined
      ? ""
      : `almost stochastic order against the best: ε = ${toBest.violation.toFixed(2)}`,
    trials.length === 0 ? "" : `trials ${trials.join(" ")}`,
  ].filter((each) => each !== "");
  return told.length === 0 ? undefined : html` title="${told.join("; ")}"`;
}

function headRows(table: Table): Markup[] {
  const rows: Markup[] = [];
  if (table.columns.some(({ groupLabel }) => groupLabel !== "")) {
    rows.push(spanRow(table, groupBlocks(table), ({ groupLabel }) => groupLabel));
  }
  if (table.columns.some(({ metric }) => metric !== undefined)) {
    rows.push(spanRow(table, columnBlocks(table), metricHead));
  }
  const labels = table.rowHeads.map((head, at) => sortHead(head, "", at, "ascending", "label"));
  const scores = table.columns.map((column, at) => {
    const { label, remark } = columnHead(column);
    const isHigh = column.metric === undefined || METRICS[column.metric].higherIsBetter;
    return sortHead(label, remark, table.rowHeads.length + at, isHigh ? "descending" : "ascending", "number");
  });
  return [...rows, html`<tr class="heads">${labels}${scores}</tr>`];
}

function sortHead(label: string, remark: string, place: number, first: string, kind: string): Markup {
  return html`<th scope="col" class="${kind}"><button type="button" class="sort" data-column="${place}" data-first="${first}">${label}${
    remark === "" ? undefined : html`<small>${remark}</small>`
  }</button></th>`;
}

function spanRow(table: Table, spans: readonly number[][], label: (column: TableColumn) => string): Markup {
  const stubs = table.rowHeads.map((_, at) => html`<td${at === 0 ? html` class="label"` : undefined}></td>`);
  const heads = spans.map((span) => {
    const column = table.columns[span[0] ?? 0];
    const text = column === undefined ? "" : label(column);
    return text === ""
      ? html`<td colspan="${span.length}"></td>`
      : html`<th scope="colgroup" class="span" colspan="${span.length}">${text}</th>`;
  });
  return html`<tr>${stubs}${heads}</tr>`;
}
