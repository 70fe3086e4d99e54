// Utterance tables: RFC 4180 csv in UTF-8, with or without BOM. Rows end at CR and LF only: U+0085 and U+2028 are
// text (old copies of MELD hold U+0085 for an ellipsis).
import { readFile } from "node:fs/promises";
import { type CsvError, parse } from "csv-parse/sync";
import type { Problem } from "./problems.ts";

export interface Table {
  /** Shown in messages. */
  readonly file: string;
  readonly header: readonly string[];
  readonly rows: readonly TableRow[];
}

export interface TableRow {
  readonly cells: readonly string[];
  /** Line of the file where the row ends. */
  readonly line: number;
}

/** @returns the table, or the problems that kept it from being read */
export async function readTable(path: string): Promise<Table | Problem[]> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch {
    return [{ message: "the table is not UTF-8 text", where: path, hint: "Save it as UTF-8." }];
  }
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      info: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as typeof records;
  } catch (error) {
    const { message, lines } = error as CsvError & { lines?: number };
    return [
      { message: `the table cannot be read: ${message}`, where: lines === undefined ? path : `${path}:${lines}` },
    ];
  }
  const [head, ...body] = records;
  if (head === undefined || body.length === 0) {
    return [{ message: "the table has no rows", where: path }];
  }
  const header = head.record;
  const ragged = body.filter(({ record }) => record.length !== header.length);
  const [first] = ragged;
  if (first !== undefined) {
    const more = ragged.length === 1 ? "" : `, and ${ragged.length - 1} more such rows`;
    return [
      {
        message: `expected ${header.length} cells as in the header, got ${first.record.length}${more}`,
        where: `${path}:${first.info.lines}`,
        hint: "Quote cells that hold a comma.",
      },
    ];
  }
  return { file: path, header, rows: body.map(({ record, info }) => ({ cells: record, line: info.lines })) };
}
