// A journal as the shipper reads it: what is written so far, line by line, where a line that is no record is handed out
// as such. A worker may be appending, was perhaps killed in the middle of a line, and the disk may have garbled one.
import { existsSync, readFileSync } from "node:fs";
import type { JournalRecord } from "../store/journal.ts";
import { sha256 } from "./hashes.ts";

type Open = Extract<JournalRecord, { t: "open" }>;

export interface JournalLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** undefined for a line that is none. */
  readonly record: JournalRecord | undefined;
}

export interface JournalLines {
  /** Complete lines. */
  readonly count: number;
  /** Which attempt wrote it. */
  readonly attempt: string;
  readonly open: Open | undefined;
  /** The last record that can be read. */
  readonly last: JournalRecord | undefined;
  /** Lines after the first `count`. */
  after(count: number): Generator<JournalLine>;
}

/** Empty where there is no file. */
export function readJournalLines(file: string): JournalLines {
  const texts = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [""];
  texts.pop(); // empty after a complete last line, torn otherwise
  const [first] = texts;
  const begin = first === undefined ? undefined : parseRecord(first);
  const open = begin?.t === "open" ? begin : undefined;
  return {
    count: texts.length,
    attempt: attemptName(open, first),
    open,
    get last() {
      for (let i = texts.length - 1; i >= 0; i--) {
        const record = parseRecord(texts[i] ?? "");
        if (record !== undefined) {
          return record;
        }
      }
      return undefined;
    },
    *after(count) {
      for (let i = count; i < texts.length; i++) {
        const text = texts[i] ?? "";
        yield { line: i + 1, text, record: parseRecord(text) };
      }
    },
  };
}

function attemptName(open: Open | undefined, first: string | undefined): string {
  if (open !== undefined) {
    return `${open.attempt}@${open.ts}`;
  }
  return first === undefined ? "none" : `unreadable ${sha256(first).slice(0, 8)}`;
}

/** Checks shapes, not values: a step that the server would refuse is for the server to refuse. */
function parseRecord(text: string): JournalRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("t" in value) || !("ts" in value)) {
    return undefined;
  }
  const record = value as Record<string, unknown>;
  const isRecord =
    typeof record.ts === "number" &&
    ((record.t === "open" && typeof record.attempt === "number") ||
      (record.t === "end" && typeof record.status === "string") ||
      (record.t === "m" && typeof record.s === "number" && areValues(record.v)));
  return isRecord ? (value as JournalRecord) : undefined;
}

function areValues(values: unknown): boolean {
  return (
    typeof values === "object" &&
    values !== null &&
    Object.values(values).every(
      (value) => typeof value === "number" || ["NaN", "Infinity", "-Infinity"].includes(value as string),
    )
  );
}
