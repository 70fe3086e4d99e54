// Kinds of utterances that can be counted, for drawing like parts and for reports: classes, labels that hold, or scores
// by whole numbers.
import { type Labels, roundHalfToEven, type Task } from "@merclab/core";

export interface Strata {
  readonly names: readonly string[];
  /** Utterances of each kind; in a multi-label task one may count in several, or none. */
  count(labels: Labels): number[];
}

/** Scores are counted by whole numbers where that makes so many kinds at most, else in `SCORE_BINS` bins. */
const MAX_WHOLE = 15;
const SCORE_BINS = 7;

export function strataOf(task: Task): Strata {
  switch (task.type) {
    case "single-label":
      return { names: task.classes, count: (labels) => tally(task.classes.length, labels) };
    case "multi-label": {
      const width = task.labels.length;
      const columns = (labels: Labels) => Array.from(labels, (value, at) => (value === 1 ? at % width : -1));
      return { names: task.labels, count: (labels) => tally(width, columns(labels)) };
    }
    case "regression":
      return scoreStrata(task.range);
  }
}

/** Sums of counts, kind by kind. */
export function sumCounts(counts: readonly (readonly number[])[], kinds: number): number[] {
  return Array.from({ length: kinds }, (_, kind) => counts.reduce((sum, each) => sum + (each[kind] ?? 0), 0));
}

function scoreStrata([low, high]: readonly [number, number]): Strata {
  if (Number.isInteger(low) && Number.isInteger(high) && high - low < MAX_WHOLE) {
    const names = Array.from({ length: high - low + 1 }, (_, at) => String(low + at));
    return {
      names,
      count: (labels) =>
        tally(
          names.length,
          Array.from(labels, (score) => roundHalfToEven(score) - low),
        ),
    };
  }
  const edge = (at: number): number => low + ((high - low) * at) / SCORE_BINS;
  const bin = (score: number): number =>
    Math.min(SCORE_BINS - 1, Math.floor(((score - low) / (high - low)) * SCORE_BINS));
  const names = Array.from({ length: SCORE_BINS }, (_, at) => `${short(edge(at))} to ${short(edge(at + 1))}`);
  return { names, count: (labels) => tally(SCORE_BINS, Array.from(labels, bin)) };
}

function tally(kinds: number, values: ArrayLike<number>): number[] {
  const counts = new Array<number>(kinds).fill(0);
  for (const kind of Array.from(values)) {
    if (kind >= 0 && kind < kinds) {
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  }
  return counts;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
