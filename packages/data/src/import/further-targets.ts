// What an imported table holds besides the classes that were chosen: the scores that they were made of, and emotions
// that can go together. Written as `targets`, so that `dataset.target=NAME` predicts them.
import type { z } from "zod";
import type { targetSchema } from "../folder/target.ts";
import { MOSEI_EMOTIONS } from "./corpora.ts";
import type { ImportedCorpus } from "./corpus.ts";

/** Of the scores of CMU-MOSI and CMU-MOSEI. */
const SENTIMENT: readonly [number, number] = [-3, 3];

export function furtherTargets({ dialogues }: ImportedCorpus): Record<string, z.input<typeof targetSchema>> {
  const cells = dialogues.flatMap(({ utterances }) => utterances.map((utterance) => utterance.cells));
  const first = cells[0] ?? {};
  const column = ["score", "value"].find((name) => first[name] !== undefined);
  const spread = column === undefined ? undefined : spreadOf(cells.map((each) => Number(each[column])));
  const isSentiment = column === "score" && spread !== undefined && spread[0] >= -3 && spread[1] <= 3;
  const range = isSentiment ? SENTIMENT : spread;
  return {
    ...(column === undefined || range === undefined
      ? {}
      : { regression: { type: "regression", column, range: [range[0], range[1]] } }),
    ...(MOSEI_EMOTIONS.every((name) => first[name] !== undefined)
      ? { emotions: { type: "multi-label", columns: [...MOSEI_EMOTIONS] } }
      : {}),
  };
}

/** Smallest and largest; none where a value is not finite, or all are the same. */
function spreadOf(values: readonly number[]): readonly [number, number] | undefined {
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return low < high && Number.isFinite(high - low) ? [low, high] : undefined;
}
