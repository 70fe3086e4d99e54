// The journal of a trial: one JSON record a line, appended only. It is what the tracker ships and what curves are
// drawn from; training never waits for anything but this file. A reader ignores an unterminated last line.
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { MerclabError } from "@merclab/core/errors";

/** Numbers, or the names of those that JSON lacks. */
export type JournalValue = number | "NaN" | "Infinity" | "-Infinity";

/** Times are Unix milliseconds; `s` is the step, here the epoch from 1. */
export type JournalRecord =
  | { readonly t: "open"; readonly format: 1; readonly runKey: string; readonly attempt: number; readonly ts: number }
  | {
      readonly t: "m";
      readonly s: number;
      readonly ts: number;
      readonly v: Readonly<Record<string, JournalValue>>;
      /** The total loss of each training step, as `encodeFloats` writes it. Absent in journals of older versions. */
      readonly losses?: string;
    }
  | {
      readonly t: "end";
      readonly status: "FINISHED" | "FAILED" | "KILLED";
      readonly ts: number;
      readonly reason?: string;
    };

/** The journal of one attempt. */
export interface AttemptJournal {
  /** Writes a line at once: what was appended outlives this process. */
  append(record: JournalRecord): void;
  /**
   * Puts in the records of epochs that an earlier attempt trained: as that one wrote them, where it is known, so that
   * their times stay. To be called before any `append`.
   */
  resume(records: readonly JournalRecord[]): void;
  close(): void;
}

/** Starts a new attempt, which replaces what an interrupted one left. */
export function attemptJournal(file: string, open: Extract<JournalRecord, { t: "open" }>): AttemptJournal {
  const earlier = earlierSteps(file);
  const line = (record: JournalRecord): string => `${JSON.stringify(record)}\n`;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
  const handle = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o666);
  const append = (record: JournalRecord): void => {
    const bytes = Buffer.from(line(record));
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(handle, bytes, written);
    }
  };
  append(open);
  return {
    append,
    resume(records) {
      for (const record of records) {
        append((record.t === "m" ? earlier.get(record.s) : undefined) ?? record);
      }
    },
    close: () => closeSync(handle),
  };
}

/** Metrics that the file holds, by step, as far as it can be read. */
function earlierSteps(file: string): Map<number, JournalRecord> {
  const steps = new Map<number, JournalRecord>();
  for (const line of existsSync(file) ? readFileSync(file, "utf8").split("\n") : []) {
    try {
      const record = JSON.parse(line) as JournalRecord;
      if (record.t === "m") {
        steps.set(record.s, record);
      }
    } catch {
      // Torn or garbled: the epoch is written anew.
    }
  }
  return steps;
}

/** Records up to the last complete line. @throws MerclabError `storage` for a complete line that is no record */
export function readJournal(file: string): JournalRecord[] {
  if (!existsSync(file)) {
    return [];
  }
  const lines = readFileSync(file, "utf8").split("\n");
  lines.pop(); // empty after a complete last line, torn otherwise
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as JournalRecord;
    } catch (cause) {
      throw new MerclabError("storage", "a line of the journal is no JSON", {
        where: `${file}:${i + 1}`,
        hint: "Something else changed it: move the trial's folder away and run the experiment again.",
        cause,
      });
    }
  });
}

/** Float32 numbers, little-endian, in base64: a step costs six characters. */
export function encodeFloats(values: readonly number[]): string {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) {
    bytes.writeFloatLE(value, 4 * i);
  }
  return bytes.toString("base64");
}

export function decodeFloats(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(4 * i));
}

/** A metrics record; NaN and infinities are kept by name. */
export function metricsRecord(
  step: number,
  values: Readonly<Record<string, number>>,
): Extract<JournalRecord, { t: "m" }> {
  const v = Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, JournalValue] => [
      name,
      Number.isFinite(value) ? value : (String(value) as JournalValue),
    ]),
  );
  return { t: "m", s: step, ts: Date.now(), v };
}
