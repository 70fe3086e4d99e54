// The synthetic corpus: what context-free models can reach at most, and what context adds.
import { describe, expect, test } from "vitest";
import { syntheticPlugin } from "../src/index.ts";
import {
  generateSynthetic,
  IRONY_PERIOD,
  MOODS,
  SIGN_STRENGTH,
  type SyntheticCorpus,
  type SyntheticDialogue,
} from "../src/synthetic/generate.ts";
import { CLASSES, labelOf, SYNTHETIC_TASKS, type SyntheticTask } from "../src/synthetic/tasks.ts";

const defaults = syntheticPlugin.options.parse({});
const { seed, dialogues, lengths, widths, cue, labelNoise, task } = defaults;
const corpus = generateSynthetic({ seed, dialogues, lengths: [...lengths], widths, cue, labelNoise, task });
const part = (split: string) => corpus.dialogues.filter((dialogue) => dialogue.split === split);

const SYNTHETIC_CAUSES = [0, 1, 2].flatMap((mood) => [
  { mood, tone: 1, textSign: -1 },
  { mood, tone: 1, textSign: 1 },
  { mood, tone: -1, textSign: -1 },
]);

const load = (options: object) =>
  syntheticPlugin.create(syntheticPlugin.options.parse(options), { dataRoot: undefined }).load();

describe("the tasks of synthetic", () => {
  test.each(SYNTHETIC_TASKS)(
    "%s has the same features, labels of its own form, and sealed test labels",
    async (name) => {
      const { dataset, seal } = await load({ task: name });
      const plain = (await load({})).dataset;
      expect(dataset.splits.test.map(({ features }) => features)).toEqual(
        plain.splits.test.map(({ features }) => features),
      );
      expect(dataset.fingerprint === plain.fingerprint).toBe(name === "emotions");
      expect(dataset.splits.test.some((dialogue) => "labels" in dialogue)).toBe(false);
      const width = name === "emotion-set" ? 4 : 1;
      expect(seal.open("a test").map(({ length }) => length)).toEqual(
        dataset.splits.test.map(({ speakers }) => width * speakers.length),
      );
      expect(dataset.trainUtterances).toBe(
        dataset.splits.train.reduce((sum, { speakers }) => sum + speakers.length, 0),
      );
    },
  );

  test("follow from the same causes, noise aside", () => {
    const of = (name: SyntheticTask) => SYNTHETIC_CAUSES.map((cause) => labelOf(name, cause).join("")).join(" ");
    // mood 0 to 2, each calm (words and tone contradict each other), tense, tense and ironic
    expect(of("emotions")).toBe("0 1 1 2 3 3 4 5 5");
    expect(of("humour")).toBe("0 0 0 1 0 0 1 0 0");
    expect(of("sentiment")).toBe("-1 1 1 -2 2 2 -3 3 3");
    expect(of("emotion-set")).toBe("0100 1100 1101 0000 1000 1001 0010 1010 1011");
  });

  test("have the noise that they say", async () => {
    const flips = async (name: SyntheticTask) => {
      const [clean, noisy] = await Promise.all([0, 0.2].map((labelNoise) => load({ task: name, labelNoise })));
      const labels = (loaded: typeof clean) =>
        loaded?.dataset.splits.train.flatMap((dialogue) => [...(dialogue.labels ?? [])]);
      const truth = labels(clean) ?? [];
      return (labels(noisy) ?? []).filter((label, at) => label !== truth[at]).length / truth.length;
    };
    for (const name of ["humour", "emotion-set"] as const) {
      expect(Math.abs((await flips(name)) - 0.2)).toBeLessThan(0.03);
    }
    expect(await flips("sentiment")).toBe(0); // scores have normal noise instead
    const scores = (await load({ task: "sentiment" })).dataset.splits.train.flatMap(({ labels }) => [
      ...(labels ?? []),
    ]);
    expect(scores.every((score) => score >= -3 && score <= 3)).toBe(true);
    expect(scores.some((score) => score === 3) && scores.some((score) => !Number.isInteger(score))).toBe(true);
  });
});

describe("synthetic", () => {
  test("repeats for a seed, differs for another, and keeps its sizes", async () => {
    const { dataset, seal } = await load({});
    expect(dataset.source).toBe("synthetic");
    expect([dataset.splits.train.length, dataset.splits.valid.length, dataset.splits.test.length]).toEqual([
      48, 12, 20,
    ]);
    expect((await load({})).dataset.fingerprint).toBe(dataset.fingerprint);
    expect((await load({ seed: 1 })).dataset.fingerprint).not.toBe(dataset.fingerprint);
    expect(seal.open("test").map((labels) => labels.length)).toEqual(
      dataset.splits.test.map(({ speakers }) => speakers.length),
    );
    const total = dataset.trainClassCounts.reduce((sum, count) => sum + count, 0);
    for (const count of dataset.trainClassCounts) {
      expect(count / total).toBeGreaterThan(0.5 / CLASSES.length);
      expect(count / total).toBeLessThan(2 / CLASSES.length);
    }
  });

  test("context is worth far more than any context-free model can reach", () => {
    const bound = contextFreeBound(cue, labelNoise);
    const contextFree = accuracy(part("test"), (dialogue, at) => predict(corpus, dialogue, at, [at]));
    const oracle = accuracy(part("test"), (dialogue, at) => predict(corpus, dialogue, at, [...dialogue.labels.keys()]));
    const linear = softmaxRegression(part("train"), part("test"));
    expect(bound).toBeGreaterThan(0.4);
    expect(bound).toBeLessThan(0.55);
    // The best context-free rule, played on the test part, meets its expectation (about 500 utterances).
    expect(Math.abs(contextFree - bound)).toBeLessThan(0.07);
    expect(oracle).toBeGreaterThan(bound + 0.3);
    expect(linear).toBeLessThan(bound - 0.1);
  });
});

/**
 * Accuracy of the best predictor that sees one utterance: mood, text sign and tone are independent given the
 * features, so the best guess is the most probable mood with the most probable tension.
 *
 * P(mood): largest of three projections, the right one raised by `cue`: ∫ φ(z − cue)·Φ(z)² dz.
 * P(text sign): Φ(s) with s = SIGN_STRENGTH. P(tone): plain where 2·s·z + log-odds > 0, log-odds = log(2).
 * P(tension): text sign and tone both right or both wrong.
 */
function contextFreeBound(cue: number, labelNoise: number): number {
  const step = 0.001;
  let mood = 0;
  for (let z = -8; z < 8; z += step) {
    mood += (Math.exp(-((z - cue) ** 2) / 2) / Math.sqrt(2 * Math.PI)) * normalCdf(z) ** (MOODS - 1) * step;
  }
  const shift = LOG_ODDS / (2 * SIGN_STRENGTH);
  const sign = normalCdf(SIGN_STRENGTH);
  const ironic = 1 / IRONY_PERIOD;
  const tone = (1 - ironic) * normalCdf(SIGN_STRENGTH + shift) + ironic * normalCdf(SIGN_STRENGTH - shift);
  const right = mood * (sign * tone + (1 - sign) * (1 - tone));
  return (1 - labelNoise) * right + (labelNoise * (1 - right)) / (CLASSES.length - 1);
}

/** Of plain against ironic. */
const LOG_ODDS = Math.log(IRONY_PERIOD - 1);

/** Abramowitz and Stegun 7.1.26, error below 1e-7. */
function normalCdf(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - poly * Math.exp(-z * z);
  return x < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}

/** The most probable label when mood and tone are read from the utterances at `seen`, with the generator's own codes. */
function predict(
  { codes }: SyntheticCorpus,
  { features }: SyntheticDialogue,
  at: number,
  seen: readonly number[],
): number {
  const project = (rows: Float32Array, row: number, direction: Float64Array): number =>
    direction.reduce((sum, value, column) => sum + value * (rows[row * direction.length + column] ?? 0), 0);
  const evidence = codes.moods.map((direction) =>
    seen.reduce((sum, row) => sum + project(features.visual, row, direction), 0),
  );
  const mood = evidence.indexOf(Math.max(...evidence));
  const evidenceOfTone = seen.reduce((sum, row) => sum + project(features.audio, row, codes.audio), 0);
  const tone = 2 * SIGN_STRENGTH * evidenceOfTone + LOG_ODDS > 0 ? 1 : -1;
  return 2 * mood + (project(features.text, at, codes.text) * tone > 0 ? 1 : 0);
}

function accuracy(
  dialogues: readonly SyntheticDialogue[],
  guess: (dialogue: SyntheticDialogue, at: number) => number,
): number {
  const hits = dialogues.flatMap((dialogue) => [...dialogue.labels].map((label, at) => guess(dialogue, at) === label));
  return hits.filter(Boolean).length / hits.length;
}

/** Test accuracy of softmax regression over one utterance, by gradient descent. */
function softmaxRegression(train: readonly SyntheticDialogue[], test: readonly SyntheticDialogue[]): number {
  const inputs = ({ features, labels }: SyntheticDialogue): number[][] =>
    [...labels.keys()].map((row) => [
      ...Object.values(features).flatMap((values) => {
        const dim = values.length / labels.length;
        return [...values.subarray(row * dim, (row + 1) * dim)];
      }),
      1,
    ]);
  const x = train.flatMap(inputs);
  const y = train.flatMap(({ labels }) => [...labels]);
  const weights = CLASSES.map(() => new Float64Array(x[0]?.length ?? 0));
  const scores = (row: readonly number[]): number[] =>
    weights.map((weight) => row.reduce((sum, value, at) => sum + value * (weight[at] ?? 0), 0));
  for (let step = 0; step < 60; step++) {
    const gradients = weights.map((weight) => new Float64Array(weight.length));
    x.forEach((row, i) => {
      const logits = scores(row);
      const top = Math.max(...logits);
      const exps = logits.map((logit) => Math.exp(logit - top));
      const total = exps.reduce((sum, value) => sum + value, 0);
      gradients.forEach((gradient, label) => {
        const error = (exps[label] ?? 0) / total - (y[i] === label ? 1 : 0);
        row.forEach((value, at) => {
          gradient[at] = (gradient[at] ?? 0) + (error * value) / x.length;
        });
      });
    });
    weights.forEach((weight, label) => {
      weight.forEach((value, at) => {
        weight[at] = value - 0.5 * (gradients[label]?.[at] ?? 0);
      });
    });
  }
  return accuracy(test, (dialogue, at) => {
    const logits = scores(inputs(dialogue)[at] ?? []);
    return logits.indexOf(Math.max(...logits));
  });
}
