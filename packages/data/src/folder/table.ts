// Utterance tables: RFC 4180 csv in UTF-8, with or without BOM. Rows end at CR and LF only: U+0085 and U+2028 are
// text. Copies of MELD from before 2020 hold Windows-1252 punctuation as control characters, or are Windows-1252
// altogether: both are recognised; an import puts both right.
import { readFile } from "node:fs/promises";
import { type CsvError, parse } from "csv-parse/sync";
import { decodeWindows1252, repairText } from "../text/repair-text.ts";
import type { Problem } from "./problems.ts";

export interface Table {
  /** Shown in messages. */
  readonly file: string;
  readonly header: readonly string[];
  readonly rows: readonly TableRow[];
  /** Cells whose characters were not what they were meant to be, and were put right. */
  readonly repairedCells: number;
  /** Not undefined when the file is no UTF-8. */
  readonly encoding: "utf-8" | "windows-1252";
}

export interface TableRow {
  readonly cells: readonly string[];
  /** Line of the file where the row ends. */
  readonly line: number;
}

export function isTable(read: Table | Problem[]): read is Table {
  return !Array.isArray(read);
}

/**
 * @param repair whether control characters that were Windows-1252 punctuation become what was meant
 * @returns the table, or the problems that kept it from being read
 */
export async function readTable(path: string, { repair = false } = {}): Promise<Table | Problem[]> {
  const bytes = await readFile(path);
  let text: string;
  let encoding: Table["encoding"] = "utf-8";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    if (bytes.includes(0)) {
      return [{ message: "the table is no text", where: path, hint: "Save it as csv in UTF-8." }];
    }
    encoding = "windows-1252";
    text = decodeWindows1252(bytes);
  }
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      info: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      delimiter: path.toLowerCase().endsWith(".tsv") ? "\t" : ",",
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
  let repairedCells = 0;
  const rows = body.map(({ record, info }) => ({
    cells: record.map((cell) => {
      const repaired = repair ? repairText(cell) : cell;
      repairedCells += repaired === cell ? 0 : 1;
      return repaired;
    }),
    line: info.lines,
  }));
  return { file: path, header, rows, repairedCells, encoding };
}
