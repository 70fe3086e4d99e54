// One compiled table, printed in any format; each ends in a newline.
import type { Table } from "../tables/table.ts";
import { formatCsv } from "./csv.ts";
import { formatJson } from "./json.ts";
import { formatLatex } from "./latex.ts";
import { formatMarkdown } from "./markdown.ts";
import { formatTerminal } from "./terminal.ts";

export const TABLE_FORMATS = ["terminal", "md", "latex", "csv", "json"] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

const FORMATTERS: Readonly<Record<TableFormat, (table: Table) => string>> = {
  terminal: (table) => formatTerminal(table),
  md: formatMarkdown,
  latex: formatLatex,
  csv: formatCsv,
  json: formatJson,
};

export function formatTable(table: Table, format: TableFormat): string {
  return FORMATTERS[format](table);
}
