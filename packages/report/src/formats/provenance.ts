// Where each cell comes from, for formats that show a table as text: trials with their seeds, config, data, engine,
// versions, commits of the code, and the command that computes the cell again. CSV and JSON have all of it in the table
// itself.
import { markdownTable } from "markdown-table";
import type { Table, TableCell } from "../tables/table.ts";
import { columnHead } from "./cell-text.ts";
import type { TableFormat } from "./format-table.ts";
import { plain } from "./html.ts";
import { html } from "./markup.ts";

const HEADS = ["cell", "trials (seed)", "config", "data", "engine", "versions", "code", "command"] as const;

/** Ends in a newline; empty for the formats that need none, and for a table without cells. */
export function formatProvenance(table: Table, format: TableFormat): string {
  const records = provenanceRecords(table);
  if (records.length === 0) {
    return "";
  }
  switch (format) {
    case "csv":
    case "json":
      return "";
    case "terminal":
      return `${records.map((record) => listing(record, "  ")).join("\n")}\n`;
    case "latex":
      return `${records.map((record) => listing(record, "  ").replace(/^/gm, "% ")).join("\n")}\n`;
    case "md": {
      const escaped = records.map((record) => record.map((text) => code(text.replaceAll("|", "\\|"))));
      return `${markdownTable([[...HEADS], ...escaped])}\n`;
    }
    case "html": {
      const head = html`<tr>${HEADS.map((name) => html`<th scope="col">${name}</th>`)}</tr>`;
      const body = records.map((record) => html`<tr>${record.map((text) => html`<td>${plain(text)}</td>`)}</tr>\n`);
      return html`<table class="merclab-provenance">\n<caption>Where the numbers come from</caption>\n<thead>\n${head}\n</thead>\n<tbody>\n${body}</tbody>\n</table>\n`
        .markup;
    }
  }
}

/** One per row and group of columns, whose cells share their trials; texts by `HEADS`. */
function provenanceRecords(table: Table): string[][] {
  return table.rows.flatMap((row, index) => {
    const seen = new Set<string>();
    return table.columns.flatMap((column, place): string[][] => {
      const cell = table.cells[index]?.[place];
      const group = column.groupLabel;
      if (cell === undefined || cell.provenance.command === "" || seen.has(group)) {
        return [];
      }
      seen.add(group);
      const name = [...row.labels, group].filter((label) => label !== "").join(", ");
      return [[name === "" ? columnHead(column).label : name, ...recordOf(cell)]];
    });
  });
}

function recordOf({ trials, configs, data, provenance, missing }: TableCell): string[] {
  const { seeds, fingerprints, engines, versions, code = [], command } = provenance;
  const stored = trials.map((id, place) => `${id} (${seeds[place]})`);
  const absent = missing === undefined ? [] : [`${missing.trials.join(", ")} missing`];
  return [
    [...stored, ...absent].join(", "),
    configs.join(", "),
    `${fingerprints.join(", ")} (${data})`,
    engines.join(", "),
    versions.join(", "),
    code.join(", "),
    missing === undefined ? command : missing.command,
  ];
}

function listing([cell = "", ...values]: readonly string[], indent: string): string {
  const width = Math.max(...HEADS.map((head) => head.length));
  const lines = values.map((value, place) => `${indent}${(HEADS[place + 1] ?? "").padEnd(width)}  ${value}`);
  return [cell, ...lines].join("\n");
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}
