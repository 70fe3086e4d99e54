// A repetition beside what is stored: where it differs first, by how much at most, and where it leaves the tolerance.

/** What of an epoch was compared. */
export const COMPARED = ["loss", "scores", "test predictions", "weights"] as const;
export type Compared = (typeof COMPARED)[number];

/** A place where the repetition differs. */
export interface Difference {
  readonly what: Compared;
  /** From 1. */
  readonly epoch: number;
  /** From 1; of losses, where the journal tells them by step. */
  readonly step?: number;
  /** Metric, or name of the parameter. */
  readonly name?: string;
  readonly stored: number;
  readonly repeated: number;
}

export interface Comparison {
  /** undefined where everything is bitwise equal. */
  readonly first: Difference | undefined;
  /** The first difference that is larger than the tolerance. */
  readonly beyond: Difference | undefined;
  /** Largest difference by what was compared; what was not is absent. */
  readonly largest: Readonly<Partial<Record<Compared, number>>>;
}

export interface Comparer {
  /** @param rounding how far apart equal numbers may have been rounded; forgiven on top of a tolerance */
  compare(at: Omit<Difference, "stored" | "repeated">, stored: number, repeated: number, rounding?: number): void;
  readonly result: Comparison;
}

/** @param tolerance relative where numbers are larger than 1, else absolute; 0 forgives nothing */
export function createComparer(tolerance: number): Comparer {
  let first: Difference | undefined;
  let beyond: Difference | undefined;
  const largest: Partial<Record<Compared, number>> = {};
  return {
    compare(at, stored, repeated, rounding = 0) {
      const difference = differenceOf(stored, repeated);
      largest[at.what] = Math.max(largest[at.what] ?? 0, difference);
      if (difference > 0) {
        first ??= { ...at, stored, repeated };
      }
      if (difference > tolerance + (tolerance > 0 ? rounding : 0)) {
        beyond ??= { ...at, stored, repeated };
      }
    },
    get result() {
      return { first, beyond, largest: { ...largest } };
    },
  };
}

/** NaN equals NaN, and nothing else. */
function differenceOf(stored: number, repeated: number): number {
  if (Object.is(stored, repeated) || stored === repeated) {
    return 0;
  }
  const difference = Math.abs(stored - repeated) / Math.max(1, Math.abs(stored));
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}
