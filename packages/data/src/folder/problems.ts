// Collects what is wrong with a folder, so that one run tells everything and not the first thing only.
import { MerclabError } from "@merclab/core";

/** Problems told in one error; the rest is counted. */
const MAX_TOLD = 8;

export interface Problem {
  readonly message: string;
  /** File with line, row or key. */
  readonly where?: string;
  readonly hint?: string;
}

/** A kind of problem that may strike many rows: the first place is kept, the rest counted. */
export interface Tally {
  count: number;
  first?: { readonly where: string; readonly detail: string };
}

export function createTally(): Tally {
  return { count: 0 };
}

export function hit(tally: Tally, where: string, detail: string): void {
  tally.count++;
  tally.first ??= { where, detail };
}

/** Adds the tally as one problem: "unknown label "hapy" (3 rows, first here)". */
export function addTally(problems: Problem[], tally: Tally, unit: string, hint?: string): void {
  if (tally.first !== undefined) {
    const { where, detail } = tally.first;
    const count = `${tally.count} ${unit}${tally.count === 1 ? "" : "s, this is the first"}`;
    problems.push({ message: `${detail} (${count})`, where, ...(hint === undefined ? {} : { hint }) });
  }
}

/** @throws MerclabError `data` that tells every problem, if there is one */
export function throwProblems(folder: string, problems: readonly Problem[]): void {
  const [first] = problems;
  if (first === undefined) {
    return;
  }
  if (problems.length === 1) {
    throw new MerclabError("data", first.message, { where: first.where ?? folder, hint: first.hint });
  }
  const told = problems.slice(0, MAX_TOLD).map(({ message, where, hint }) => {
    const place = where === undefined ? "" : `${where}: `;
    return `  ${place}${message}${hint === undefined ? "" : ` ${hint}`}`;
  });
  const rest = problems.length > MAX_TOLD ? [`  and ${problems.length - MAX_TOLD} more`] : [];
  throw new MerclabError("data", [`${problems.length} problems`, ...told, ...rest].join("\n"), { where: folder });
}
