// Parts of one's own: whole dialogues, whole sessions, whole circles of speakers.
import { describe, expect, test } from "vitest";
import { checkFolder, type FolderOptions, folderPlugin, listFolds, loadFolder, type SplitRule } from "../src/index.ts";
import { csv, errorOf, npy, type Row, tinyDescription, values, writeFolder } from "./tiny-folder.ts";

const plain: FolderOptions = { modalities: null, validFraction: null, validSeed: null, normalize: null };

/** Twelve dialogues of two sessions' worth of two speakers each. */
async function conversations(change: object = {}): Promise<string> {
  const rows: Row[] = Array.from({ length: 12 }, (_, at) =>
    [0, 1].map((order) => ({
      dialogue: `Ses0${(at % 3) + 1}_${at}`,
      order: String(order),
      speaker: `s${at % 3}${order}`,
      part: at < 8 ? "train" : at < 10 ? "valid" : "test",
      emotion: order === 0 ? "calm" : "tense",
      heard: "1",
    })),
  ).flat();
  return writeFolder({
    "utterances.csv": csv(rows),
    "text.npy": npy(values(24, 3), [24, 3]),
    "audio.npy": npy(values(24, 2), [24, 2]),
    "dataset.yaml": {
      ...tinyDescription(),
      speakers: { column: "speaker", values: ["s00", "s01", "s10", "s11", "s20", "s21"] },
      sessions: { pattern: "^Ses(..)" },
      ...change,
    },
  });
}

const load = async (folder: string, split: SplitRule) => (await loadFolder(folder, { ...plain, split })).dataset.splits;
const ids = (part: readonly { readonly id: string }[]): string[] => part.map(({ id }) => id);

describe.each(["session", "speaker"] as const)("by %s", (by) => {
  test("each is the test part once, and is in no other part", async () => {
    const folder = await conversations();
    const { folds } = await listFolds(folder, { by, folds: null, seed: 0 });
    expect(folds).toHaveLength(3);
    const seen: string[] = [];
    for (const { fold } of folds) {
      const splits = await load(folder, { by, folds: null, fold, seed: 0 });
      const sessions = (part: readonly { readonly id: string }[]) => new Set(ids(part).map((id) => id.slice(0, 5)));
      expect(sessions(splits.test).size).toBe(1);
      const [held] = sessions(splits.test);
      expect([...sessions(splits.train), ...sessions(splits.valid)]).not.toContain(held);
      expect(splits.valid.length).toBeGreaterThan(0);
      seen.push(...ids(splits.test));
    }
    expect(new Set(seen).size).toBe(12);
    expect(seen).toHaveLength(12);
  });
});

describe("by dialogue", () => {
  test("every dialogue is tested once, folds are of like size, and the seed decides", async () => {
    const folder = await conversations();
    const rule = { by: "dialogue", folds: 4 } as const;
    const { folds } = await listFolds(folder, { ...rule, seed: 3 });
    expect(folds.map(({ utterances }) => utterances)).toEqual([6, 6, 6, 6]);
    const tested = await Promise.all(
      [0, 1, 2, 3].map(async (fold) => ids((await load(folder, { ...rule, fold, seed: 3 })).test)),
    );
    expect(new Set(tested.flat()).size).toBe(12);
    const again = await listFolds(folder, { ...rule, seed: 3 });
    const other = await listFolds(folder, { ...rule, seed: 4 });
    expect(again.folds).toEqual(folds);
    expect(other.folds).not.toEqual(folds);
  });
});

test("what the folder does not tell, and folds that cannot be, are refused with what to do", async () => {
  const tell = async (split: SplitRule, change: object = {}) =>
    errorOf(loadFolder(await conversations(change), { ...plain, split }));
  const session = { by: "session", folds: null, fold: 0, seed: 0 } as const;
  expect(await tell(session, { sessions: undefined })).toContain("does not tell its sessions");
  expect(await tell({ ...session, fold: 3 })).toContain("there is no fold 3");
  expect(await tell({ ...session, folds: 4 })).toContain("3 groups by session cannot be 4 folds");
  expect(await tell({ ...session, by: "speaker" }, { speakers: undefined })).toContain("does not tell who speaks");
  expect(await tell({ ...session, by: "dialogue" })).toContain("needs a number of folds");
  expect(await tell(session, { sessions: { pattern: "(" } })).toContain("must be a regular expression with one group");
});

test("by utterance is no choice", () => {
  const parsed = folderPlugin.options.safeParse({ path: "x", split: { by: "utterance" } });
  expect(parsed.success).toBe(false);
});

test("features that have seen a part's labels are told when it is tested on", async () => {
  const fitted = { modalities: { text: { file: "text.npy", fittedOn: { parts: ["train"] } } } };
  const folder = await conversations(fitted);
  expect((await loadFolder(folder)).warnings).toEqual([]);
  const { warnings } = await loadFolder(folder, { ...plain, split: { by: "session", folds: null, fold: 0, seed: 0 } });
  expect(warnings.join()).toContain("text: the extractor was trained on labels of 6 of 8 utterances of test");
  const leaking = await conversations({
    modalities: { text: { file: "text.npy", fittedOn: { column: "part", values: ["test"] } } },
  });
  expect((await checkFolder(leaking)).problems[0]?.message).toContain("4 of 4 utterances of test");
});

test("features that stay in their files are the same, number by number", async () => {
  const folder = await conversations();
  const [loaded, streamed] = [await loadFolder(folder), await loadFolder(folder, { ...plain, stream: true })];
  expect(streamed.dataset.fingerprint).toBe(loaded.dataset.fingerprint);
  const [first] = streamed.dataset.splits.train;
  expect(Object.getOwnPropertyDescriptor(first?.features, "text")?.get).toBeTypeOf("function");
  expect(first?.features.text).toEqual(loaded.dataset.splits.train[0]?.features.text);
});
