// Sizes of the real sets as their SOURCE.md states them. Skipped where the sets are not there.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Dataset, type Labels, type LoadedDataset, outputDim, type Split } from "@merclab/core";
import { describe, expect, test } from "vitest";
import { cmuMosiPlugin, iemocapPlugin, meldPlugin } from "../src/index.ts";

const dataRoot = process.env.MERCLAB_DATA ?? resolve(import.meta.dirname, "../../../../shared/data");
const site = { dataRoot };

function sizes({ splits }: Dataset): Record<Split, [number, number]> {
  const size = (split: Split): [number, number] => [
    splits[split].length,
    splits[split].reduce((sum, { speakers }) => sum + speakers.length, 0),
  ];
  return { train: size("train"), valid: size("valid"), test: size("test") };
}

function counts(labels: readonly Labels[], classes: number): number[] {
  const out = new Array<number>(classes).fill(0);
  for (const label of labels.flatMap((part) => [...part])) {
    out[label] = (out[label] ?? 0) + 1;
  }
  return out;
}

function validCounts({ dataset }: LoadedDataset): number[] {
  const labels = dataset.splits.valid.flatMap((dialogue) => dialogue.labels ?? []);
  return counts(labels, outputDim(dataset.task));
}

function expectClean(dataset: Dataset): void {
  for (const dialogue of Object.values(dataset.splits).flat()) {
    for (const { name, dim } of dataset.modalities) {
      const features = dialogue.features[name] ?? new Float32Array();
      expect(features).toHaveLength(dialogue.speakers.length * dim);
      expect(features.every((value) => Number.isFinite(value) && Math.abs(value) <= 10)).toBe(true);
    }
  }
}

describe.skipIf(!existsSync(`${dataRoot}/iemocap`))("iemocap (skipped where the set is absent)", () => {
  test("has 108, 12 and 31 dialogues and the class table of its source", async () => {
    const loaded = await iemocapPlugin.create(iemocapPlugin.options.parse({}), site).load();
    const { dataset, seal } = loaded;
    expect(sizes(dataset)).toEqual({ train: [108, 5163], valid: [12, 647], test: [31, 1623] });
    expect(dataset.trainClassCounts).toEqual([451, 771, 1221, 831, 593, 1296]);
    expect(validCounts(loaded)).toEqual([53, 68, 103, 102, 149, 172]);
    expect(counts(seal.open("checking sizes"), 6)).toEqual([144, 245, 384, 170, 299, 381]);
    expect(dataset.modalities).toEqual([
      { name: "text", dim: 100 },
      { name: "audio", dim: 11 },
    ]);
    expect(dataset.numSpeakers).toBe(2);
    const all = Object.values(dataset.splits).flat();
    const missing = all.flatMap(({ present }) => [...(present.audio ?? [])]).filter((flag) => flag === 0);
    expect(missing).toHaveLength(2);
    expect(dataset.splits.test.every(({ labels }) => labels === undefined)).toBe(true);
    expectClean(dataset);
  });
});

describe.skipIf(!existsSync(`${dataRoot}/cmu-mosi`))("cmu-mosi (skipped where the set is absent)", () => {
  test("has 62 training videos, 6 of them drawn for validation, and 31 test videos", async () => {
    const loaded = await cmuMosiPlugin.create(cmuMosiPlugin.options.parse({}), site).load();
    const { train, valid, test: sealed } = sizes(loaded.dataset);
    expect([train[0], valid[0], sealed[0]]).toEqual([56, 6, 31]);
    expect([train[1] + valid[1], sealed[1]]).toEqual([1447, 752]);
    const trainCounts = loaded.dataset.trainClassCounts;
    expect((trainCounts[1] ?? 0) + (validCounts(loaded)[1] ?? 0)).toBe(709);
    // Drawn by whole videos, and still close to the training part's share of 0.49.
    expect((validCounts(loaded)[1] ?? 0) / valid[1]).toBeCloseTo(709 / 1447, 1);
    expectClean(loaded.dataset);
  });

  test("has the scores of its table, and seven classes as NumPy rounds them", async () => {
    // row, video_id, utterance_no, utterance_id, split_official, split_features, sentiment, binary_nonneg, seven_class
    const rows = readFileSync(`${dataRoot}/cmu-mosi/utterances.csv`, "utf8")
      .split("\n")
      .map((line) => line.split(",", 9));
    const cells = new Map(rows.map((row) => [row[3], { score: Number(row[6]), seven: Number(row[8]) }]));
    const load = (target: string) =>
      cmuMosiPlugin.create(cmuMosiPlugin.options.parse({ target, modalities: ["audio"] }), site).load();
    const [scores, seven] = [await load("regression"), await load("seven")];
    expect(scores.dataset.task).toEqual({ type: "regression", range: [-3, 3] });
    expect(outputDim(seven.dataset.task)).toBe(7);
    for (const [{ dataset, seal }, expected] of [
      [scores, (id: string) => Math.fround(cells.get(id)?.score ?? Number.NaN)],
      [seven, (id: string) => (cells.get(id)?.seven ?? Number.NaN) + 3],
    ] as const) {
      const sealed = seal.open("checking labels");
      const labels = [
        ...dataset.splits.train.flatMap((each) => [...(each.labels ?? [])]),
        ...sealed.flatMap((each) => [...each]),
      ];
      const ids = [...dataset.splits.train, ...dataset.splits.test].flatMap(({ utteranceIds }) => utteranceIds);
      expect(labels).toEqual(ids.map(expected));
    }
  });

  test("another validSeed draws other videos and gives another fingerprint", async () => {
    const load = (validSeed: number) =>
      cmuMosiPlugin.create(cmuMosiPlugin.options.parse({ validSeed, modalities: ["text"] }), site).load();
    const [first, again, other] = [await load(0), await load(0), await load(1)];
    expect(again.dataset.fingerprint).toBe(first.dataset.fingerprint);
    expect(other.dataset.fingerprint).not.toBe(first.dataset.fingerprint);
  });
});

describe.skipIf(!existsSync(`${dataRoot}/meld`))("meld (skipped where the set is absent)", () => {
  test("has 1038, 114 and 280 dialogues, at most 33 utterances and 9 speakers", async () => {
    const loaded = await meldPlugin.create(meldPlugin.options.parse({}), site).load();
    const { dataset, seal } = loaded;
    expect(sizes(dataset)).toEqual({ train: [1038, 9989], valid: [114, 1109], test: [280, 2610] });
    // neutral, surprise, fear, sadness, joy, disgust, anger
    expect(dataset.trainClassCounts).toEqual([4710, 1205, 268, 683, 1743, 271, 1109]);
    expect(validCounts(loaded)).toEqual([470, 150, 40, 111, 163, 22, 153]);
    expect(counts(seal.open("checking sizes"), 7)).toEqual([1256, 281, 50, 208, 402, 68, 345]);
    const all = Object.values(dataset.splits).flat();
    expect(Math.max(...all.map(({ speakers }) => speakers.length))).toBe(33);
    expect(Math.max(...all.flatMap(({ speakers }) => [...speakers])) + 1).toBe(9);
    expect(dataset.numSpeakers).toBe(9);
    expectClean(dataset);
  });
});
