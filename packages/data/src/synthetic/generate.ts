// Made-up dialogues in the shape of IEMOCAP, with structure that is known exactly: label = 2 · mood + tension, or another
// function of the same causes (tasks.ts).
// Tension is what the text says, turned round in ironic dialogues, which the tone of the audio gives away: a product
// of two modalities, out of reach for linear models. Mood belongs to the dialogue; every utterance shows it in the
// visual features, but so faintly that only many utterances together tell it. So even a perfect context-free model
// stops at P(mood | one utterance) · P(tension), about 0.5, where attention over the dialogue gets about 0.9.
import { drawNormal, drawUniform, foldKey, type Key, keyFromSeed, type Labels, type Split } from "@merclab/core";
import { noisyLabels, type SyntheticTask } from "./tasks.ts";

export const MOODS = 3;

/** One dialogue in so many is ironic. */
export const IRONY_PERIOD = 3;

/** Distance of the sign codes from 0, in deviations of the noise. */
export const SIGN_STRENGTH = 2.5;

export interface SyntheticOptions {
  readonly seed: number;
  /** Dialogues per part. */
  readonly dialogues: Readonly<Record<Split, number>>;
  /** Shortest and longest dialogue; short ones are more frequent. */
  readonly lengths: readonly [number, number];
  readonly widths: Readonly<Record<"text" | "audio" | "visual", number>>;
  /** How clearly one utterance shows the mood, in deviations of the noise. */
  readonly cue: number;
  /** What the labels say. */
  readonly task: SyntheticTask;
  /** Probability that a label is replaced by one of the others. */
  readonly labelNoise: number;
}

export interface SyntheticDialogue {
  readonly id: string;
  readonly split: Split;
  /** What the labels are made of. */
  readonly mood: number;
  /** −1 in ironic dialogues, else 1. */
  readonly tone: number;
  /** Per modality, row-major `[utterances, width]`. */
  readonly features: Readonly<Record<"text" | "audio" | "visual", Float32Array>>;
  /** `[utterances]`, 0 or 1. */
  readonly speakers: Int32Array;
  /** In the form of the task, noise included. */
  readonly labels: Labels;
}

/** Unit directions in which the codes lie; a model does not get them, an oracle does. */
export interface SyntheticCodes {
  readonly text: Float64Array;
  readonly audio: Float64Array;
  /** One per mood, orthogonal. */
  readonly moods: readonly Float64Array[];
}

export interface SyntheticCorpus {
  readonly codes: SyntheticCodes;
  readonly dialogues: readonly SyntheticDialogue[];
}

/** The same options give the same corpus, and growing one part leaves all other dialogues as they were. */
export function generateSynthetic(options: SyntheticOptions): SyntheticCorpus {
  const key = foldKey(keyFromSeed(options.seed), "synthetic");
  const { widths } = options;
  const codes: SyntheticCodes = {
    text: unit(drawNormal(foldKey(key, "text"), widths.text)),
    audio: unit(drawNormal(foldKey(key, "audio"), widths.audio)),
    moods: orthonormal(foldKey(key, "visual"), MOODS, widths.visual),
  };
  const parts = Object.entries(options.dialogues) as [Split, number][];
  const dialogues = parts.flatMap(([split, count]) =>
    Array.from({ length: count }, (_, number) =>
      generateDialogue(options, codes, split, number, foldKey(key, split, number)),
    ),
  );
  return { codes, dialogues };
}

function generateDialogue(
  { lengths, cue, labelNoise, task, widths }: SyntheticOptions,
  codes: SyntheticCodes,
  split: Split,
  number: number,
  key: Key,
): SyntheticDialogue {
  const uniform = (name: string, count: number): Float64Array => drawUniform(foldKey(key, name), count);
  const [shortest, longest] = lengths;
  const length = shortest + Math.floor((longest - shortest + 1) * (uniform("length", 1)[0] ?? 0) ** 2);
  // Counted through rather than drawn, so that small parts are balanced, too.
  const mood = number % MOODS;
  const tone = Math.floor(number / MOODS) % IRONY_PERIOD === 1 ? -1 : 1;
  const textSigns = uniform("text sign", length).map((u) => (u < 0.5 ? -1 : 1));
  const turns = uniform("turns", length);

  const text = noise(foldKey(key, "text"), length, widths.text);
  const audio = noise(foldKey(key, "audio"), length, widths.audio);
  const visual = noise(foldKey(key, "visual"), length, widths.visual);
  const speakers = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const textSign = textSigns[i] ?? 1;
    addTo(text, i, codes.text, SIGN_STRENGTH * textSign);
    addTo(audio, i, codes.audio, SIGN_STRENGTH * tone);
    addTo(visual, i, codes.moods[mood] ?? codes.text, cue);
    const keepsTurn = (turns[i] ?? 0) < 0.25;
    speakers[i] = i === 0 ? 0 : keepsTurn ? (speakers[i - 1] ?? 0) : 1 - (speakers[i - 1] ?? 0);
  }
  const causes = Array.from(textSigns, (textSign) => ({ mood, tone, textSign }));
  const labels = noisyLabels(task, causes, labelNoise, key);
  return { id: `${split}-${number}`, split, mood, tone, features: { text, audio, visual }, speakers, labels };
}

function noise(key: Key, rows: number, width: number): Float32Array {
  return Float32Array.from(drawNormal(key, rows * width));
}

function addTo(rows: Float32Array, row: number, direction: Float64Array, strength: number): void {
  direction.forEach((value, column) => {
    const at = row * direction.length + column;
    rows[at] = (rows[at] ?? 0) + strength * value;
  });
}

/** Gram and Schmidt's procedure on random vectors. */
function orthonormal(key: Key, count: number, width: number): Float64Array[] {
  const found: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const vector = drawNormal(foldKey(key, i), width);
    for (const other of found) {
      const share = dot(vector, other);
      vector.forEach((value, at) => {
        vector[at] = value - share * (other[at] ?? 0);
      });
    }
    found.push(unit(vector));
  }
  return found;
}

function unit(vector: Float64Array): Float64Array {
  const norm = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / norm);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
