// A validation part drawn from the training dialogues, whole dialogues only. Of many random draws the one whose class
// counts come nearest to the training part's is taken: stratified as far as whole dialogues allow.
import { drawPermutation, foldKey, keyFromSeed } from "@merclab/core";

const DRAWS = 100;

export interface LabelledDialogue {
  readonly id: string;
  /** `[utterances]` class index. */
  readonly labels: Int32Array;
}

/**
 * Draws round(fraction · dialogues) ids, at least one. Depends on ids, labels and seed, not on the order of dialogues.
 *
 * @throws RangeError when nothing would be left to train on
 */
export function drawValidation(
  dialogues: readonly LabelledDialogue[],
  numClasses: number,
  { fraction, seed }: { readonly fraction: number; readonly seed: number },
): Set<string> {
  const count = Math.max(1, Math.round(fraction * dialogues.length));
  if (count >= dialogues.length) {
    throw new RangeError(`a validation part of ${count} leaves nothing of ${dialogues.length} training dialogues`);
  }
  const sorted = [...dialogues].sort((a, b) => (a.id < b.id ? -1 : 1));
  const wanted = classCounts(sorted, numClasses).map((total) => (total * count) / dialogues.length);
  const key = foldKey(keyFromSeed(seed), "validation");
  let best: readonly LabelledDialogue[] = [];
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let draw = 0; draw < DRAWS; draw++) {
    const order = drawPermutation(foldKey(key, draw), sorted.length);
    const chosen = [...order.subarray(0, count)].flatMap((at) => sorted[at] ?? []);
    const distance = chiSquare(classCounts(chosen, numClasses), wanted);
    if (distance < bestDistance) {
      best = chosen;
      bestDistance = distance;
    }
  }
  return new Set(best.map(({ id }) => id));
}

/** Utterances per class. */
export function classCounts(dialogues: readonly { readonly labels: Int32Array }[], numClasses: number): number[] {
  const counts = new Array<number>(numClasses).fill(0);
  for (const { labels } of dialogues) {
    for (const label of labels) {
      counts[label] = (counts[label] ?? 0) + 1;
    }
  }
  return counts;
}

/** Σ (count − wanted)² / wanted over the classes that occur. */
function chiSquare(counts: readonly number[], wanted: readonly number[]): number {
  return wanted.reduce((sum, expected, label) => {
    return expected === 0 ? sum : sum + ((counts[label] ?? 0) - expected) ** 2 / expected;
  }, 0);
}
