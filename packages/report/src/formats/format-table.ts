// One compiled table, printed in any format; each ends in a newline.
import { extname } from "node:path";
import { MerclabError } from "@merclab/core";
import type { Table } from "../tables/table.ts";
import { formatCsv } from "./csv.ts";
import { formatHtml } from "./html.ts";
import { formatJson } from "./json.ts";
import { formatLatex } from "./latex.ts";
import { formatMarkdown } from "./markdown.ts";
import { formatTerminal } from "./terminal.ts";

export const TABLE_FORMATS = ["terminal", "md", "latex", "csv", "json", "html"] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

const FORMATTERS: Readonly<Record<TableFormat, (table: Table) => string>> = {
  terminal: (table) => formatTerminal(table),
  md: formatMarkdown,
  latex: formatLatex,
  csv: formatCsv,
  json: formatJson,
  html: formatHtml,
};

export function formatTable(table: Table, format: TableFormat): string {
  return FORMATTERS[format](table);
}

const EXTENSIONS: Readonly<Record<string, TableFormat>> = {
  ".txt": "terminal",
  ".md": "md",
  ".tex": "latex",
  ".csv": "csv",
  ".json": "json",
  ".html": "html",
};

/** The format that the name of a file asks for. @throws MerclabError `config` for any other */
export function formatOfFile(file: string): TableFormat {
  const format = EXTENSIONS[extname(file)];
  if (format === undefined) {
    throw new MerclabError("config", `the name of ${file} says no format`, {
      hint: `Names of tables end in ${Object.keys(EXTENSIONS).join(", ")}.`,
    });
  }
  return format;
}
