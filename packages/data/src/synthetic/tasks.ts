// What can be predicted of the synthetic dialogues, each a function of what they are made of: mood (of the dialogue,
// faint in every utterance), tone (−1 where the audio is ironic) and the sign of what the text says.
import { drawNormal, drawUniform, foldKey, type Key, type Labels, type Task } from "@merclab/core";

export const SYNTHETIC_TASKS = ["emotions", "humour", "sentiment", "emotion-set"] as const;
export type SyntheticTask = (typeof SYNTHETIC_TASKS)[number];

/** Of `emotions`: label = 2 · mood + tension. */
export const CLASSES = ["low-calm", "low-tense", "mid-calm", "mid-tense", "high-calm", "high-tense"] as const;

/** Of `sentiment`: deviation of the noise. */
export const SCORE_NOISE = 0.3;

/** What an utterance's label is made of. */
export interface Cause {
  readonly mood: number;
  readonly tone: number;
  readonly textSign: number;
}

export function taskOfSynthetic(task: SyntheticTask): Task {
  switch (task) {
    case "emotions":
      return { type: "single-label", classes: CLASSES };
    case "humour":
      return { type: "single-label", classes: ["serious", "humorous"] };
    case "sentiment":
      return { type: "regression", range: [-3, 3] };
    case "emotion-set":
      return { type: "multi-label", labels: ["tense", "sad", "joyful", "ironic"], threshold: 0.5 };
  }
}

/** An utterance's label before noise: a class, a score, or one number per label. */
export function labelOf(task: SyntheticTask, { mood, tone, textSign }: Cause): readonly number[] {
  const isTense = textSign * tone > 0;
  switch (task) {
    case "emotions":
      return [2 * mood + (isTense ? 1 : 0)];
    case "humour": // words and voice contradict each other, and nobody is in low spirits
      return [!isTense && mood > 0 ? 1 : 0];
    case "sentiment": // what is meant, as strong as the mood is high
      return [(isTense ? 1 : -1) * (mood + 1)];
    case "emotion-set":
      return [isTense, mood === 0, mood === 2, tone < 0].map(Number);
  }
}

/**
 * Labels of one dialogue, noise included: each class, or each label of a set, is replaced with probability `labelNoise`;
 * scores get normal noise and are clipped to their range.
 */
export function noisyLabels(task: SyntheticTask, causes: readonly Cause[], labelNoise: number, key: Key): Labels {
  const clean = causes.flatMap((cause) => labelOf(task, cause));
  if (task === "sentiment") {
    const noise = drawNormal(foldKey(key, "score noise"), clean.length);
    return Float32Array.from(clean, (score, at) => Math.max(-3, Math.min(3, score + SCORE_NOISE * (noise[at] ?? 0))));
  }
  const draws = drawUniform(foldKey(key, "label noise"), clean.length);
  if (task === "emotion-set") {
    return Uint8Array.from(clean, (held, at) => ((draws[at] ?? 1) < labelNoise ? 1 - held : held));
  }
  const classes = task === "humour" ? 2 : CLASSES.length;
  return Int32Array.from(clean, (label, at) => replaced(label, draws[at] ?? 1, labelNoise, classes));
}

/** Below `rate` the draw also tells which other class, evenly. */
function replaced(label: number, draw: number, rate: number, classes: number): number {
  return draw < rate ? (label + 1 + Math.floor((draw / rate) * (classes - 1))) % classes : label;
}
