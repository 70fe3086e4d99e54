// The stress test: what is done to the test part, what one number is made of it, and what a trial keeps.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Dataset, type Dialogue, keyFromSeed } from "@merclab/core";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import {
  aggregateStress,
  readStress,
  readTrial,
  STRESS_DEFAULTS,
  stressConditions,
  stressTrial,
} from "../src/index.ts";
import { subsets } from "../src/stress/conditions.ts";
import { type Condition, featureDeviations, perturb } from "../src/stress/perturb.ts";
import { areaUnderLine, constantPrediction, robustness } from "../src/stress/summary.ts";
import { FEATURES, FOLDER, npy } from "./tiny-folder.ts";
import { tinyTrial } from "./tiny-trial.ts";

const MODALITIES = [
  { name: "text", dim: 2 },
  { name: "audio", dim: 1 },
];

/** Two dialogues of three and two utterances; audio was never observed in the last one. */
const DIALOGUES: readonly Dialogue[] = [
  {
    id: "a",
    utteranceIds: ["a0", "a1", "a2"],
    features: { text: Float32Array.of(1, 2, 3, 4, 5, 6), audio: Float32Array.of(10, 20, 30) },
    present: { text: Uint8Array.of(1, 1, 1), audio: Uint8Array.of(1, 1, 1) },
    speakers: Int32Array.of(0, 1, 0),
  },
  {
    id: "b",
    utteranceIds: ["b0", "b1"],
    features: { text: Float32Array.of(7, 8, 9, 10), audio: Float32Array.of(40, 0) },
    present: { text: Uint8Array.of(1, 1), audio: Uint8Array.of(1, 0) },
    speakers: Int32Array.of(0, 1),
  },
];
const deviations = featureDeviations(DIALOGUES, MODALITIES);
const apply = (condition: Condition, seed = 0): Dialogue[] =>
  perturb(condition, DIALOGUES, { modalities: MODALITIES, deviations }, keyFromSeed(seed));
const values = (dialogues: readonly Dialogue[], name: string) =>
  dialogues.flatMap(({ features }) => [...(features[name] ?? [])]);
const flags = (dialogues: readonly Dialogue[], name: string) =>
  dialogues.flatMap(({ present }) => [...(present[name] ?? [])]);

describe("what is done to the test part", () => {
  test("deviations are those of the utterances that have the modality", () => {
    // Text columns 1, 3, 5, 7, 9 and 2, 4, 6, 8, 10: variance 8; audio 10, 20, 30, 40: variance 125.
    expect([...(deviations.text ?? [])].map((x) => x ** 2)).toEqual([expect.closeTo(8, 10), expect.closeTo(8, 10)]);
    expect((deviations.audio?.[0] ?? 0) ** 2).toBeCloseTo(125, 10);
  });

  test("a subset leaves its modalities as they are and marks the others as missing", () => {
    const kept = apply({ kind: "subset", modalities: ["text"] });
    expect(values(kept, "text")).toEqual(values(DIALOGUES, "text"));
    expect(values(kept, "audio")).toEqual([0, 0, 0, 0, 0]);
    expect(flags(kept, "audio")).toEqual([0, 0, 0, 0, 0]);
    expect(flags(kept, "text")).toEqual([1, 1, 1, 1, 1]);
    expect(apply({ kind: "subset", modalities: ["text", "audio"] })).toEqual(DIALOGUES);
  });

  test("missing rates remove nothing, everything, and more the higher they are", () => {
    expect(apply({ kind: "missing", rate: 0 })).toEqual(DIALOGUES);
    expect(flags(apply({ kind: "missing", rate: 1 }), "text")).toEqual([0, 0, 0, 0, 0]);
    let before = flags(DIALOGUES, "text");
    for (const rate of [0.2, 0.4, 0.6, 0.8]) {
      const missing = apply({ kind: "missing", rate });
      const now = flags(missing, "text");
      expect(now.every((flag, at) => flag <= (before[at] ?? 0))).toBe(true);
      expect(values(missing, "text").map((value) => value !== 0)).toEqual(
        now.flatMap((flag) => [flag === 1, flag === 1]),
      );
      before = now;
    }
  });

  test("the rate is the share that is missing, in the long run", () => {
    const long: Dialogue = {
      ...(DIALOGUES[0] as Dialogue),
      features: { text: new Float32Array(20_000).fill(1), audio: new Float32Array(10_000).fill(1) },
      present: { text: new Uint8Array(10_000).fill(1), audio: new Uint8Array(10_000).fill(1) },
      speakers: new Int32Array(10_000),
    };
    const missing = perturb(
      { kind: "missing", rate: 0.3 },
      [long],
      { modalities: MODALITIES, deviations },
      keyFromSeed(0),
    );
    const [text, audio] = [flags(missing, "text"), flags(missing, "audio")];
    expect(text.filter((flag) => flag === 0).length / 10_000).toBeCloseTo(0.3, 1);
    expect(text.filter((flag, at) => flag === 0 && audio[at] === 0).length / 10_000).toBeCloseTo(0.09, 1);
  });

  test("noise grows in proportion to its level and to the deviations, where a modality was observed", () => {
    const at = (level: number) => values(apply({ kind: "noise", modalities: ["audio"], level }), "audio");
    const clean = values(DIALOGUES, "audio");
    const added = at(1).map((value, row) => value - (clean[row] ?? 0));
    expect(added[4]).toBe(0);
    expect(added.slice(0, 4).every((value) => value !== 0 && Math.abs(value) < 6 * Math.sqrt(125))).toBe(true);
    at(2).forEach((value, row) => {
      expect(value - (clean[row] ?? 0)).toBeCloseTo(2 * (added[row] ?? 0), 3);
    });
    expect(values(apply({ kind: "noise", modalities: ["audio"], level: 1 }), "text")).toEqual(
      values(DIALOGUES, "text"),
    );
  });

  test("a shuffled modality keeps its rows, with whether they were observed, at other utterances", () => {
    const shuffled = apply({ kind: "shuffled", modality: "audio" }, 3);
    expect(values(shuffled, "audio")).not.toEqual(values(DIALOGUES, "audio"));
    expect([...values(shuffled, "audio")].sort()).toEqual([...values(DIALOGUES, "audio")].sort());
    expect(flags(shuffled, "audio")).toEqual(values(shuffled, "audio").map((value) => (value === 0 ? 0 : 1)));
    expect(values(shuffled, "text")).toEqual(values(DIALOGUES, "text"));
  });

  test("draws repeat, and differ by their key", () => {
    const noise = { kind: "noise", modalities: ["text"], level: 1 } as const;
    expect(apply(noise, 1)).toEqual(apply(noise, 1));
    expect(values(apply(noise, 1), "text")).not.toEqual(values(apply(noise, 2), "text"));
  });

  test("subsets are all but the empty one; of many modalities, those of one and those that lack one", () => {
    expect(subsets(["t", "a", "v"])).toEqual([
      ["t", "a", "v"],
      ["t", "a"],
      ["t", "v"],
      ["a", "v"],
      ["t"],
      ["a"],
      ["v"],
    ]);
    expect(subsets(["1", "2", "3", "4", "5", "6"])).toHaveLength(13);
    const kinds = stressConditions(["text"], STRESS_DEFAULTS).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "noise")).toHaveLength(STRESS_DEFAULTS.noiseLevels.length);
  });
});

describe("the one number", () => {
  test("the area is that of trapezoids", () => {
    const points = [
      { rate: 0, score: 0.8 },
      { rate: 0.5, score: 0.6 },
      { rate: 1, score: 0.2 },
    ];
    expect(areaUnderLine(points)).toBeCloseTo(0.5 * 0.7 + 0.5 * 0.4, 12);
  });

  test.each([
    ["nothing lost", 0.8, 0.8, 0.3, true, 1],
    ["down to the floor in a straight line", 0.55, 0.8, 0.3, true, 0.5],
    ["below the floor", 0.2, 0.8, 0.3, true, -0.2],
    ["an error that grows", 1.2, 1, 1.5, false, 0.6],
    ["no better than a constant", 0.3, 0.3, 0.3, true, undefined],
    ["an error above that of a constant", 1.6, 1.6, 1.5, false, undefined],
  ])("%s", (_, area, clean, floor, higherIsBetter, expected) => {
    const value = robustness(area, clean, floor, higherIsBetter);
    expect(value === undefined ? value : Number(value.toFixed(12))).toBe(expected);
  });

  test("the floor is what training labels suggest of everything", () => {
    const of = (task: Dataset["task"], labels: Dialogue["labels"]) => {
      const splits = { train: [{ ...DIALOGUES[0], labels }], valid: [], test: [] };
      return [...constantPrediction({ task, splits } as unknown as Dataset, 2)];
    };
    const classes = { type: "single-label", classes: ["x", "y"] } as const;
    expect(of(classes, Int32Array.of(0, 1, 1, 1))).toEqual([0.25, 0.75, 0.25, 0.75]);
    const labels = { type: "multi-label", labels: ["x", "y"], threshold: 0.5 } as const;
    expect(of(labels, Uint8Array.of(1, 0, 1, 1))).toEqual([1, 0.5, 1, 0.5]);
    expect(of({ type: "regression", range: [-3, 3] }, Float32Array.of(1, 3, -2))).toEqual([1, 1]);
  });
});

const TWO_MODALITIES = {
  "dataset.yaml": `${FOLDER["dataset.yaml"]}  audio: { file: audio.npy, width: 1 }\n`,
  "audio.npy": npy(
    FEATURES.filter((_, i) => i % 2 === 0).map((x) => 1 - x),
    1,
  ),
};
const OPTIONS = { ...STRESS_DEFAULTS, draws: 2, noiseLevels: [1] };

describe("a trial that is stressed", () => {
  test("scores undisturbed as it did, records that the seal was opened, and repeats but for times", async () => {
    const { folder, run, site } = await tinyTrial(TWO_MODALITIES);
    await run();
    expect(await readStress(folder)).toBeUndefined();
    const before = memory().numTensors;
    const progress: number[] = [];
    const file = await stressTrial(folder, OPTIONS, { ...site, onProgress: (done, of) => progress.push(done / of) });
    expect(memory().numTensors).toBe(before);
    expect(progress.at(-1)).toBe(1);
    const { result } = await readTrial(folder);
    const clean = file.conditions[0];
    expect(clean).toMatchObject({ kind: "subset", modalities: ["text", "audio"], n: 1 });
    expect(clean?.mean).toEqual(result?.test.validSelected.metrics);
    expect(file).toMatchObject({ id: result?.id, epoch: result?.selection.epoch, metric: "weighted-f1" });
    expect(file.conditions.map(({ kind, n }) => `${kind} ${n}`)).toEqual([
      ...Array.from({ length: 3 }, () => "subset 1"),
      "missing 1",
      ...Array.from({ length: 9 }, () => "missing 2"),
      "missing 1",
      ...Array.from({ length: 3 }, () => "noise 2"),
      ...Array.from({ length: 2 }, () => "shuffled 2"),
    ]);
    expect(file.seal).toEqual([{ openedAt: expect.any(String), reason: expect.stringContaining("stress test") }]);
    expect(await readStress(folder)).toEqual(file);
    const again = await stressTrial(folder, OPTIONS, site);
    expect({ ...again, seal: file.seal }).toEqual(file);
    expect(again.seal).toHaveLength(2);
    expect(again.seal[0]).toEqual(file.seal[0]);
  });

  test("without the modality that it learned from it knows less", async () => {
    // The audio of this folder tells the class; the text is noise.
    const rows = FOLDER["utterances.csv"].trim().split("\n").slice(1);
    const audio = rows.map((row) => (row.endsWith("calm") ? -1 : 1));
    const overrides = ["trainer.epochs=30", "optimizer.lr=0.05", "trainer.selectBy=nll"];
    const { folder, run, site } = await tinyTrial(
      { ...TWO_MODALITIES, "audio.npy": npy(audio, 1) },
      undefined,
      ...overrides,
    );
    await run();
    const { conditions, summary } = await stressTrial(folder, OPTIONS, site);
    const score = (modalities: readonly string[]) =>
      conditions.find((each) => each.kind === "subset" && each.modalities.join() === modalities.join())?.mean.accuracy;
    expect(score(["text", "audio"])).toBe(1);
    expect(score(["audio"])).toBe(1);
    expect(score(["text"])).toBeLessThan(1);
    expect(summary.clean).toBe(1);
    expect(summary.auilc).toBeLessThan(1);
    expect(summary.value).toBeCloseTo((summary.auilc - summary.floor) / (1 - summary.floor), 12);
  });

  test("seeds of one cell make a group, with mean and spread", async () => {
    const { folder, run, site, spec } = await tinyTrial(TWO_MODALITIES);
    await run();
    const stress = await stressTrial(folder, OPTIONS, site);
    const other = { ...stress, seed: 1, summary: { ...stress.summary, auilc: stress.summary.auilc + 0.2 } };
    const [group, ...rest] = aggregateStress([
      { spec, stress },
      { spec: { ...spec, seed: 1 }, stress: other },
    ]);
    expect(rest).toEqual([]);
    expect(group?.seeds).toEqual([0, 1]);
    expect(group?.auilc.mean).toBeCloseTo(stress.summary.auilc + 0.1, 12);
    expect(group?.auilc.sd).toBeCloseTo(0.2 / Math.SQRT2, 12);
    expect(group?.conditions[0]?.scores.accuracy).toEqual({ mean: stress.conditions[0]?.mean.accuracy, sd: 0 });
    const apart = aggregateStress([
      { spec, stress },
      { spec: { ...spec, cell: { dataset: "other" } }, stress },
    ]);
    expect(apart).toHaveLength(2);
  });

  test("leaves the stored results alone", async () => {
    const { folder, run, site } = await tinyTrial(TWO_MODALITIES);
    await run();
    const files = ["result.json", "predictions.csv", "journal.jsonl", "weights.safetensors", "status.json"];
    const bytes = () => files.map((name) => readFileSync(join(folder, name), "base64"));
    const before = bytes();
    await stressTrial(folder, OPTIONS, site);
    expect(bytes()).toEqual(before);
    writeFileSync(join(folder, "stress.json"), "{");
    await expect(stressTrial(folder, OPTIONS, site)).rejects.toThrow(/stress.json is no JSON/);
  });
});
