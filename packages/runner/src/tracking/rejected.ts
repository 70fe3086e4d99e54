// What a server refused, or could not be read: `journal.rejected.jsonl` beside the run's files, one JSON record a line
// with the reason. The rest of the run is sent all the same.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import stringify from "safe-stable-stringify";
import type { Destination } from "./tracking-file.ts";

export const REJECTED_FILE = "journal.rejected.jsonl";

export interface Rejected {
  readonly kind: "metric" | "param" | "tag" | "dataset" | "line";
  /** The entry as it was to be sent, or the text of the line. */
  readonly record: unknown;
  /** Why, in the server's words where it was the server. */
  readonly message: string;
}

/** Appends, unless the same record of the same destination is in the file. */
export function keepRejected(folder: string, to: Destination, rejected: Rejected): void {
  if (readRejected(folder, to).some((each) => identity(each) === identity(rejected))) {
    return;
  }
  const { trackingUri, experiment } = to;
  const line = { to: { trackingUri, experiment }, at: new Date().toISOString(), ...rejected };
  appendFileSync(join(folder, REJECTED_FILE), `${JSON.stringify(line)}\n`);
}

/** Those of one destination. */
export function readRejected(folder: string, { trackingUri, experiment }: Destination): Rejected[] {
  const file = join(folder, REJECTED_FILE);
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  return lines.flatMap((line) => {
    try {
      const { to, ...rejected } = JSON.parse(line) as Rejected & { to: Destination };
      return to.trackingUri === trackingUri && to.experiment === experiment ? [rejected] : [];
    } catch {
      return []; // the last line, or one that a kill has torn
    }
  });
}

function identity({ kind, record }: Rejected): string {
  return stringify([kind, record]) ?? "";
}
