// Which dialogues share a batch: a keyed random order for training, dealt by length for evaluation.
import { type Dialogue, drawPermutation, type Key } from "@merclab/core";

/** Dialogues that share a batch, with their places in the list they come from. */
export interface IndexedBatch {
  readonly dialogues: readonly Dialogue[];
  readonly indices: readonly number[];
}

/**
 * All dialogues once, in a random order, `batchSize` at a time (the last batch may be smaller).
 *
 * @param key one per epoch
 */
export function epochBatches(dialogues: readonly Dialogue[], batchSize: number, key: Key): Dialogue[][] {
  const order = drawPermutation(key, dialogues.length);
  return chunks([...order], batchSize).map((places) => places.flatMap((at) => dialogues[at] ?? []));
}

/**
 * All dialogues once, dealt by length so that every batch gets long and short ones alike: batches of nearly one size, at
 * most `batchSize` dialogues each, need few shapes.
 */
export function evaluationBatches(dialogues: readonly Dialogue[], batchSize: number): IndexedBatch[] {
  const count = numberOfChunks(dialogues.length, batchSize);
  const length = (at: number): number => dialogues[at]?.speakers.length ?? 0;
  const order = [...dialogues.keys()].sort((a, b) => length(b) - length(a) || a - b);
  const dealt = Array.from({ length: count }, (): number[] => []);
  order.forEach((index, turn) => {
    const round = Math.floor(turn / count);
    const place = turn % count;
    dealt[round % 2 === 0 ? place : count - 1 - place]?.push(index); // forth and back
  });
  return dealt.map((indices) => ({ indices, dialogues: indices.flatMap((at) => dialogues[at] ?? []) }));
}

/**
 * Puts results of evaluation batches back into the order of the dialogues.
 *
 * @param results per batch, one result per dialogue
 */
export function restoreOrder<T>(batches: readonly IndexedBatch[], results: readonly (readonly T[])[]): T[] {
  const pairs = batches.flatMap(({ indices }, batch) => {
    const part = results[batch] ?? [];
    if (part.length !== indices.length) {
      throw new RangeError(`restoreOrder: batch ${batch} has ${indices.length} dialogues, ${part.length} results`);
    }
    return part.map((result, at) => ({ index: indices[at] ?? 0, result }));
  });
  return pairs.sort((a, b) => a.index - b.index).map(({ result }) => result);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: numberOfChunks(items.length, size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}

/** @throws RangeError where the size is no positive integer */
function numberOfChunks(items: number, size: number): number {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`batches: expected a positive batch size, got ${size}`);
  }
  return Math.ceil(items / size);
}
