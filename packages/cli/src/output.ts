// What a command prints: one JSON document on stdout with --json, else text; progress and errors go to stderr.
import { stripVTControlCharacters } from "node:util";
import { MerclabError } from "@merclab/core/errors";
import pc from "picocolors";

/** 0 done, 1 some trial failed, 2 usage or config error, 3 some records were refused, 130 interrupted. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, interrupted: 130 } as const;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printText(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** Notices, progress, warnings: never on stdout. Broken between words where a terminal would break anywhere. */
export function printNote(text: string): void {
  const { isTTY, columns: width } = process.stderr;
  const lines = text.split("\n");
  process.stderr.write(
    `${(isTTY && width > 0 ? lines.flatMap((line) => wrapWords(line, width)) : lines).join("\n")}\n`,
  );
}

/** Broken between words. @param width columns that a line has at most, unless a word is longer */
export function wrapWords(line: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of line.split(" ")) {
    const last = lines.at(-1);
    const joined = `${last} ${word}`;
    if (last !== undefined && stripVTControlCharacters(joined).length <= width) {
      lines[lines.length - 1] = joined;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** What, where, what to do. */
export function printError(error: unknown, json: boolean): void {
  if (!(error instanceof MerclabError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${pc.red("bug")} ${text}\nPlease report this with the command that you ran.\n`);
    return;
  }
  if (json) {
    const { code, message, where, hint } = error;
    process.stderr.write(`${JSON.stringify({ error: { code, message, where, hint } })}\n`);
    return;
  }
  const lines = [`${pc.red("error")} ${error.message}`];
  if (error.where !== undefined) {
    lines.push(`  ${pc.dim("at")} ${error.where}`);
  }
  if (error.hint !== undefined) {
    lines.push(`  ${pc.dim("→")} ${error.hint}`);
  }
  process.stderr.write(`${lines.join("\n")}\n`);
}

/** Left-aligned columns with two spaces between; numbers are the caller's to format. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
