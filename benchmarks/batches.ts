// Which dialogues share a batch, and which batches of an epoch are measured.
import { drawPermutation, foldKey, keyFromSeed } from "@merclab/core";
import type { Corpus, Talk } from "./corpus.ts";
import type { Row } from "./rows.ts";

export interface MeasuredBatches {
  readonly batches: readonly (readonly Talk[])[];
  /** Batches of the whole epoch or pass, of which `batches` are a sample. */
  readonly inEpoch: number;
}

/**
 * Training batches of a random order, or evaluation batches in stored order, as the official code makes them; both
 * sides get the same ones.
 */
export function measuredBatches(row: Row, corpus: Corpus, count: number | "all"): MeasuredBatches {
  const { train, valid, test } = corpus.parts;
  const all =
    row.work === "train"
      ? chunks(shuffled(train), row.batchSize)
      : [valid, test].flatMap((part) => chunks(part, row.batchSize));
  return { batches: count === "all" ? all : sampleBatches(all, count), inEpoch: all.length };
}

/** `count` batches that stand for all: from each of `count` equal parts of the batches by size, the middle one. */
export function sampleBatches<T extends readonly Talk[]>(all: readonly T[], count: number): T[] {
  if (count >= all.length) {
    return [...all];
  }
  const bySize = [...all].sort((a, b) => utterancesOf(a) - utterancesOf(b));
  return Array.from({ length: count }, (_, i) => bySize[Math.floor(((i + 0.5) * all.length) / count)] as T);
}

export function utterancesOf(batch: readonly Talk[]): number {
  return batch.reduce((sum, { speakers }) => sum + speakers.length, 0);
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = drawPermutation(foldKey(keyFromSeed(0), "order"), items.length);
  return [...order].map((place) => items[place] as T);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
