// The files that lie with the real sets import, and have the counts of their SOURCE.md. Skipped where they are absent.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SPLITS } from "@merclab/core";
import { afterAll, describe, expect, test } from "vitest";
import {
  checkFolder,
  type ImportReport,
  type ImportRequest,
  importFile,
  loadFolder,
  shippedDescription,
} from "../src/index.ts";

const dataRoot = process.env.MERCLAB_DATA ?? resolve(import.meta.dirname, "../../../../shared/data");
const out = mkdtempSync(join(tmpdir(), "merclab-sets-"));
afterAll(() => rmSync(out, { recursive: true }));

async function imported(file: string, request: Partial<ImportRequest> = {}) {
  const folder = join(out, file.replaceAll("/", "-"));
  const report = await importFile({ path: join(dataRoot, file), out: folder, ...request });
  return { folder, report, checked: await checkFolder(folder) };
}

const sizes = ({ splits }: ImportReport) => SPLITS.map((split) => [splits[split].dialogues, splits[split].utterances]);

function describeSet(set: string, files: readonly string[], tests: () => void): void {
  const absent = files.filter((file) => !existsSync(join(dataRoot, set, file)));
  describe.skipIf(absent.length > 0)(`${set} (skipped where the set is absent)`, tests);
}

const MELD_SIZES = [
  [1038, 9989],
  [114, 1109],
  [280, 2610],
];
/** neutral, surprise, fear, sadness, joy, disgust, anger */
const MELD_CLASSES = [
  [4710, 1205, 268, 683, 1743, 271, 1109],
  [470, 150, 40, 111, 163, 22, 153],
  [1256, 281, 50, 208, 402, 68, 345],
];

describeSet("meld", ["cosmic_meld.pkl", "train_sent_emo.csv", "legacy-cp1252/test_sent_emo.csv"], () => {
  test.each(["meld/cosmic_meld.pkl", "meld/train_sent_emo.csv"])("%s", async (file) => {
    const { report, checked } = await imported(file);
    expect(sizes(report)).toEqual(MELD_SIZES);
    expect(SPLITS.map((split) => checked.splits?.[split].classCounts)).toEqual(MELD_CLASSES);
    expect(SPLITS.map((split) => checked.splits?.[split].longest)).toEqual([24, 23, 33]);
    expect(SPLITS.map((split) => checked.splits?.[split].single)).toEqual([70, 6, 12]);
    expect(checked.warnings.join()).toContain(
      "known to be broken: train dia125 utt3, valid dia110 utt7, test dia38 utt4",
    );
  });

  test("the legacy tables say what the corrected ones say", async () => {
    const legacy = await imported("meld/legacy-cp1252/test_sent_emo.csv");
    expect(sizes(legacy.report)).toEqual([
      [0, 0],
      [114, 1109],
      [280, 2610],
    ]);
    expect(legacy.report.notes.join()).toMatch(/\d+ cells of the test part held Windows-1252 characters/);
  });
});

describeSet("cmu-mosi", ["bclstm_audio.pickle", "gcnet_CMUMOSI_features_raw_2way.pkl"], () => {
  test("bclstm_audio.pickle: 62 and 31 videos, 1447 and 752 utterances, the features of audio73.npy", async () => {
    const { report, checked } = await imported("cmu-mosi/bclstm_audio.pickle");
    expect(sizes(report)).toEqual([
      [62, 1447],
      [0, 0],
      [31, 752],
    ]);
    expect(report.modalities).toMatchObject([{ name: "audio", width: 73, missing: 0, nonFinite: 0 }]);
    expect(checked.problems).toEqual([]);
    expect(checked.modalities[0]?.max).toBeCloseTo(376, 0);
    expect(checked.splits?.train.classCounts[1]).toBeLessThan(709 + 1);
    expect((checked.splits?.train.classCounts[1] ?? 0) + (checked.splits?.valid.classCounts[1] ?? 0)).toBe(709);
  });

  test("gcnet_CMUMOSI_features_raw_2way.pkl: the official parts, read from sets", async () => {
    const { report, folder } = await imported("cmu-mosi/gcnet_CMUMOSI_features_raw_2way.pkl");
    expect(sizes(report)).toEqual([
      [52, 1284],
      [10, 229],
      [31, 686],
    ]);
    await expect(loadFolder(folder)).rejects.toThrow("no features to train on");
  });

  test("the shipped description knows that the text features have seen their training part", async () => {
    expect(existsSync(shippedDescription("cmu-mosi"))).toBe(true);
    const { warnings } = await checkFolder(join(dataRoot, "cmu-mosi"));
    expect(warnings.join()).toContain("text: the extractor was trained on labels of 140 of 140 utterances of valid");
  });
});

describeSet("cmu-mosei", ["merbench_label.npz", "video_level_val_data.pkl"], () => {
  test("merbench_label.npz: 16326, 1871 and 4659 utterances", async () => {
    const { report } = await imported("cmu-mosei/merbench_label.npz");
    expect(sizes(report).map(([, utterances]) => utterances)).toEqual([16_326, 1871, 4659]);
  });

  test("video_level_*.pkl: 264 and 658 rows, 195 and 458 infinite values in audio, each told", async () => {
    const { report, checked } = await imported("cmu-mosei/video_level_val_data.pkl");
    expect(sizes(report)).toEqual([
      [0, 0],
      [264, 264],
      [658, 658],
    ]);
    expect(report.modalities).toMatchObject([
      { name: "text", width: 768, nonFinite: 0 },
      { name: "audio", width: 40, nonFinite: 195 + 458 },
      { name: "visual", width: 35, nonFinite: 0 },
    ]);
    expect(checked.modalities.find(({ name }) => name === "audio")?.infinite).toBe(195 + 458);
    expect(checked.problems.map(({ message }) => message).join()).toContain("653 values");
    const zeroed = await importFile({
      path: join(dataRoot, "cmu-mosei/video_level_val_data.pkl"),
      out: join(out, "zeroed"),
      nonFinite: "zero",
    });
    const again = await checkFolder(zeroed.folder);
    expect(again.problems.map(({ message }) => message)).toEqual(["the train part is empty"]);
  });
});
