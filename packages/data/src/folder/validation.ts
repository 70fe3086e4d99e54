// A validation part drawn from the training dialogues, whole dialogues only. Of many random draws the one whose
// counts of classes, labels or scores come nearest to the training part's is taken: stratified as far as whole dialogues allow.
import { drawPermutation, foldKey, keyFromSeed } from "@merclab/core";
import { sumCounts } from "./strata.ts";

const DRAWS = 100;

export interface CountedDialogue {
  readonly id: string;
  /** Utterances of each kind, see strata.ts. */
  readonly counts: readonly number[];
}

/**
 * Draws round(fraction · dialogues) ids, at least one. Depends on ids, counts and seed, not on the order of dialogues.
 *
 * @throws RangeError when nothing would be left to train on
 */
export function drawValidation(
  dialogues: readonly CountedDialogue[],
  { fraction, seed }: { readonly fraction: number; readonly seed: number },
): Set<string> {
  const count = Math.max(1, Math.round(fraction * dialogues.length));
  if (count >= dialogues.length) {
    throw new RangeError(`a validation part of ${count} leaves nothing of ${dialogues.length} training dialogues`);
  }
  const sorted = [...dialogues].sort((a, b) => (a.id < b.id ? -1 : 1));
  const wanted = countsOf(sorted).map((total) => (total * count) / dialogues.length);
  const key = foldKey(keyFromSeed(seed), "validation");
  let best: readonly CountedDialogue[] = [];
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let draw = 0; draw < DRAWS; draw++) {
    const order = drawPermutation(foldKey(key, draw), sorted.length);
    const chosen = [...order.subarray(0, count)].flatMap((at) => sorted[at] ?? []);
    const distance = chiSquare(countsOf(chosen), wanted);
    if (distance < bestDistance) {
      best = chosen;
      bestDistance = distance;
    }
  }
  return new Set(best.map(({ id }) => id));
}

function countsOf(dialogues: readonly CountedDialogue[]): number[] {
  return sumCounts(
    dialogues.map(({ counts }) => counts),
    dialogues[0]?.counts.length ?? 0,
  );
}

/** Σ (count − wanted)² / wanted over the kinds that occur. */
function chiSquare(counts: readonly number[], wanted: readonly number[]): number {
  return wanted.reduce((sum, expected, label) => {
    return expected === 0 ? sum : sum + ((counts[label] ?? 0) - expected) ** 2 / expected;
  }, 0);
}
