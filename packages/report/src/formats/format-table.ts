// One compiled table, printed in any format; each ends in a newline.
import type { Table } from "../tables/table.ts";
import { formatJson } from "./json.ts";
import { formatTerminal } from "./terminal.ts";

export const TABLE_FORMATS = ["terminal", "json"] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

const FORMATTERS: Readonly<Record<TableFormat, (table: Table) => string>> = {
  terminal: (table) => formatTerminal(table),
  json: formatJson,
};

export function formatTable(table: Table, format: TableFormat): string {
  return FORMATTERS[format](table);
}
