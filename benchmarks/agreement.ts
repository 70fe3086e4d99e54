// Whether both sides do the same work: with the same weights and without dropout they must compute the same numbers.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BatchAnswer, PredictAnswer } from "./protocol.ts";
import { SETTINGS_FILES } from "./row-folder.ts";
import type { Row } from "./rows.ts";
import { type Side, type SideKind, withSides } from "./side.ts";

/** Largest difference of a loss term, as a share of the total; of a probability, as it is. */
export const TOLERANCE = 1e-4;

/** Steps that are compared: the second one has an update behind it. */
const STEPS = 2;

export interface Agreement {
  readonly agrees: boolean;
  /** The largest difference found, and where. */
  readonly difference: number;
  readonly at: string;
}

/** @param kinds ours first: its initial weights are given to the other side */
export function compareSides(
  row: Row,
  kinds: readonly SideKind[],
  folder: string,
  batches: number,
): Promise<Agreement> {
  return withSides(kinds, folder, SETTINGS_FILES.agreement, async ([first, second]) => {
    if (first === undefined || second === undefined) {
      throw new RangeError(`compareSides: expected two sides, got ${kinds.length}`);
    }
    const weights = join(folder, "weights.safetensors");
    await first.ask("init");
    await first.ask(`save-weights ${weights}`);
    await second.ask("init");
    await second.ask(`load-weights ${weights}`);
    rmSync(weights);
    let worst = { difference: 0, at: "" };
    const compare = (difference: number, at: string) => {
      // NaN is worse than any number, and stays.
      if (!Number.isNaN(worst.difference) && !(difference <= worst.difference)) {
        worst = { difference, at };
      }
    };
    for (let step = 0; step < STEPS; step++) {
      const batch = step % batches;
      if (row.work === "train") {
        const [a, b] = await both<BatchAnswer>(first, second, `epoch-step ${batch}`);
        compareLosses(a.losses ?? {}, b.losses ?? {}, (difference, name) =>
          compare(difference, `loss ${name}, step ${step + 1}`),
        );
      } else {
        const [a, b] = await both<PredictAnswer>(first, second, `predict ${batch}`);
        compareProbabilities(a.probabilities, b.probabilities, (difference) =>
          compare(difference, `a probability, batch ${batch + 1}`),
        );
      }
    }
    return { agrees: worst.difference <= TOLERANCE, ...worst };
  });
}

function compareLosses(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
  compare: (difference: number, name: string) => void,
): void {
  const total = Math.abs(b.total ?? Number.NaN);
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    compare(Math.abs((a[name] ?? Number.NaN) - (b[name] ?? Number.NaN)) / total, name);
  }
}

function compareProbabilities(a: readonly number[], b: readonly number[], compare: (difference: number) => void): void {
  compare(a.length === b.length ? 0 : Number.NaN);
  a.forEach((value, i) => {
    compare(Math.abs(value - (b[i] ?? Number.NaN)));
  });
}

/** One after the other: together they would want twice the memory and threads. */
async function both<T>(first: Side, second: Side, command: string): Promise<[T, T]> {
  return [await first.ask<T>(command), await second.ask<T>(command)];
}
