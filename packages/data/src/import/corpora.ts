// The corpora of the field: what their dialogue ids look like, which classes they have and in which order.
import { roundHalfToEven } from "@merclab/core";
import type { Target } from "./corpus.ts";

export interface CorpusFacts {
  readonly name: string;
  /** Classes of integer labels, in their order. */
  readonly classes: readonly string[];
  /** Dialogue ids of this corpus. */
  readonly ids: RegExp;
}

const IEMOCAP_IDS = /^Ses\d\d[FM]_/;

export const IEMOCAP: CorpusFacts = {
  name: "iemocap",
  classes: ["happy", "sad", "neutral", "angry", "excited", "frustrated"],
  ids: IEMOCAP_IDS,
};

export const IEMOCAP_4: CorpusFacts = {
  name: "iemocap-4",
  classes: ["happy", "sad", "neutral", "angry"],
  ids: IEMOCAP_IDS,
};

export const MELD: CorpusFacts = {
  name: "meld",
  classes: ["neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"],
  ids: /^\d+$/,
};

export const MELD_SENTIMENTS = ["neutral", "positive", "negative"] as const;

export const EMORYNLP: CorpusFacts = {
  name: "emorynlp",
  classes: ["joyful", "mad", "peaceful", "neutral", "sad", "powerful", "scared"],
  ids: /./,
};

export const DAILYDIALOG: CorpusFacts = {
  name: "dailydialog",
  classes: ["none", "anger", "disgust", "fear", "happiness", "sadness", "surprise"],
  ids: /./,
};

/** MELD's feature files number all dialogues: train from 0, dev from 1039, test from 1153. */
export const MELD_DEV = { first: 1039, last: 1152 } as const;

/** Classes that a sentiment score from -3 to 3 is cut into. The first is the usual one. */
export const SCORE_TARGETS: readonly Target[] = [
  { column: "nonnegative", classes: ["negative", "non-negative"], as: "index" },
  { column: "three_class", classes: ["negative", "neutral", "positive"], as: "index" },
  { column: "seven_class", classes: ["-3", "-2", "-1", "0", "1", "2", "3"], as: "name" },
];

/** The cells of a score's columns; seven classes are rounded half to even, as numpy does, and clipped. */
export function scoreCells(score: number): Record<string, string> {
  return {
    score: String(score),
    nonnegative: score >= 0 ? "1" : "0",
    three_class: score < 0 ? "0" : score > 0 ? "2" : "1",
    seven_class: String(roundHalfToEven(Math.min(3, Math.max(-3, score)))),
  };
}

/** CMU-MOSEI's emotions, in the order of their columns. */
export const MOSEI_EMOTIONS = ["happy", "sad", "angry", "surprised", "disgusted", "fearful"] as const;
