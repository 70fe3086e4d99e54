// The one error family of merclab: what went wrong, where, and what to do about it.
import leven from "leven";

export type ErrorCode =
  | "config" // an experiment, an option or an override is wrong
  | "data" // a feature folder is missing, inconsistent or out of range
  | "combination" // plugins that cannot work together
  | "sealed" // test labels were asked for before the seal was opened
  | "engine" // an execution engine is missing or failed
  | "diverged" // a loss became NaN or infinite
  | "storage" // a runs folder cannot be read or written
  | "tracking"; // a tracking server cannot be reached or used

export interface ErrorDetails {
  /** File (with line), row, key: whatever leads the reader to the place. */
  readonly where?: string | undefined;
  /** What the reader can do now. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** An error that a user can act on; anything else that is thrown is a bug. */
export class MerclabError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "MerclabError";
    this.code = code;
    this.where = details.where;
    this.hint = details.hint;
  }
}

/**
 * The known name nearest to a misspelt one.
 *
 * @returns undefined when nothing is near enough to be what was meant
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  // At least one letter must stay, or every two-letter name would be near every other.
  let bestDistance = Math.min(Math.max(2, Math.floor(name.length / 2)), name.length - 1) + 1;
  for (const candidate of known) {
    const distance = leven(wanted, candidate.toLowerCase(), { maxDistance: bestDistance });
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** "did you mean lmam? Known: concat, lmam, sdt": the usual end of an unknown-name error. */
export function suggestName(name: string, known: Iterable<string>): string {
  const names = [...known].sort();
  const near = nearestName(name, names);
  const list = names.length > 0 ? `Known: ${names.join(", ")}.` : "None is known.";
  return near === undefined ? list : `Did you mean "${near}"? ${list}`;
}
