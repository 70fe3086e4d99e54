// The whole table with raw numbers, ids, hashes and commands: what other programs read.
import type { Table } from "../tables/table.ts";

export function formatJson(table: Table): string {
  return `${JSON.stringify(table, null, 2)}\n`;
}
