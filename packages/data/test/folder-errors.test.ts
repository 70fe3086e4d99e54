// Every way in which a feature folder can be wrong gets its own message with count and first place.
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkFolder, folderPlugin, iemocapPlugin, loadFolder } from "../src/index.ts";
import { changed, csv, errorOf, npy, tinyDescription, tinyRows, values, writeFolder } from "./tiny-folder.ts";

async function spoilt(files: Parameters<typeof writeFolder>[0]): Promise<string> {
  const folder = await writeFolder(files);
  const text = await errorOf(loadFolder(folder));
  return text.replaceAll(folder, "DIR");
}

const table = (rows: ReturnType<typeof tinyRows>) => ({ "utterances.csv": csv(rows) });

test("the correct folder loads", async () => {
  const { dataset, warnings } = await loadFolder(await writeFolder());
  expect(warnings).toEqual([]);
  expect(dataset.splits.train.map(({ id }) => id)).toEqual(["a", "b", "c"]);
});

describe("places", () => {
  test("a missing data root", async () => {
    const source = iemocapPlugin.create(iemocapPlugin.options.parse({}), { dataRoot: undefined });
    expect(source.exists()).toBe(false);
    expect(await errorOf(source.load())).toMatch(/^data .*no data root.*MERCLAB_DATA/);
  });

  test("a missing folder", async () => {
    const root = await writeFolder();
    const source = folderPlugin.create(folderPlugin.options.parse({ path: "nowhere" }), { dataRoot: root });
    expect(source.exists()).toBe(false);
    expect(await errorOf(source.load())).toMatch(/^data \| .*nowhere \| missing folder/);
  });

  test("a folder without description", async () => {
    expect(await spoilt({ "dataset.yaml": null })).toMatch(/^data \| DIR \| the folder has no dataset.yaml.*iemocap/);
  });

  test("a missing file, with the nearest one there is", async () => {
    const modalities = { text: { file: "txt.npy" } };
    const description = { ...tinyDescription(), modalities };
    expect(await spoilt({ "dataset.yaml": description })).toBe(
      'data | DIR/txt.npy | missing file | Did you mean "text.npy"?',
    );
    expect(await spoilt({ "utterances.csv": null })).toMatch("data | DIR/utterances.csv | missing file");
  });

  test.each(["../text.npy", "a/../../text.npy", "/etc/text.npy", "C:\\text.npy"])(
    "the path %s leaves the folder",
    async (file) => {
      const description = { ...tinyDescription(), modalities: { text: { file } } };
      expect(await spoilt({ "dataset.yaml": description })).toMatch(
        /^config \| DIR\/dataset.yaml:\d+ \| "modalities.text.file": must/,
      );
    },
  );

  test("a link out of the folder", async () => {
    const outside = await writeFolder();
    const folder = await writeFolder({ "text.npy": null });
    await symlink(join(outside, "text.npy"), join(folder, "text.npy"));
    expect(await errorOf(loadFolder(folder))).toMatch(/^data .*text.npy \| the file leads out of its folder/);
  });
});

describe("tables", () => {
  test("a ragged row", async () => {
    const text = csv(tinyRows()).replace("\na,1,F,train,tense,1", "\na,1,F,train,tense,1,more");
    expect(await spoilt({ "utterances.csv": text })).toBe(
      "data | DIR/utterances.csv:3 | expected 6 cells as in the header, got 7 | Quote cells that hold a comma.",
    );
  });

  test("an open quote, no rows, and no text", async () => {
    expect(await spoilt({ "utterances.csv": `${csv(tinyRows())}\n"a,` })).toMatch("the table cannot be read");
    expect(await spoilt({ "utterances.csv": "dialogue,order\n" })).toMatch("the table has no rows");
    expect(await spoilt({ "utterances.csv": Buffer.from([0xff, 0xfe, 0, 1]) })).toMatch("the table is no text");
    const windows = Buffer.from(csv(changed(0, { speaker: "Zo\xeb\x92s" })), "latin1");
    expect(await spoilt({ "utterances.csv": windows })).toMatch('unknown speaker "Zoë’s"');
  });

  test("a missing column, with the nearest name", async () => {
    const text = csv(tinyRows()).replace("emotion", "emotions");
    expect(await spoilt({ "utterances.csv": text })).toMatch(
      /^data \| DIR\/utterances.csv:1 \| missing column "emotion" \(labels.column\) \| Did you mean "emotions"\?/,
    );
  });

  test("an unknown label name", async () => {
    const rows = changed(3, { emotion: "tence" }).map((row) => (row.dialogue === "e" ? { ...row, emotion: "x" } : row));
    expect(await spoilt(table(rows))).toMatch(
      /^data \| DIR\/utterances.csv:5 \| unknown label "tence" in column "emotion". Did you mean "tense"\?.*\(3 rows, this/,
    );
  });

  test("a label out of range", async () => {
    const labels = { column: "emotion", as: "index", classes: ["calm", "tense"] };
    const rows = tinyRows().map((row, at) => ({ ...row, emotion: at === 4 ? "2" : at === 5 ? "" : "0" }));
    expect(await spoilt({ ...table(rows), "dataset.yaml": { ...tinyDescription(), labels } })).toBe(
      'data | DIR/utterances.csv:6 | label "2" is not one of 0 to 1 (2 rows, this is the first) | undefined',
    );
  });

  test("indices where names are expected get the hint", async () => {
    const rows = tinyRows().map((row) => ({ ...row, emotion: "0" }));
    expect(await spoilt(table(rows))).toMatch('write "as: index" under labels');
  });

  test("an unknown part", async () => {
    expect(await spoilt(table(changed(1, { part: "trian" })))).toMatch(
      /utterances.csv:3 \| unknown part "trian" in column "part". Did you mean "train"\?.*\(1 row\)/,
    );
  });

  test("a dialogue in two parts", async () => {
    expect(await spoilt(table(changed(1, { part: "test" })))).toMatch(
      /^data \| DIR\/utterances.csv:3 \| dialogue "a" is in two parts, train and test \(1 dialogue\)/,
    );
  });

  test("an empty dialogue id", async () => {
    const rows = tinyRows().map((row) => (row.dialogue === "c" ? { ...row, dialogue: "" } : row));
    expect(await spoilt(table(rows))).toMatch(/utterances.csv:6 \| empty dialogue id \(2 rows, this is the first\)/);
  });

  test("a listed dialogue without rows, one listed twice, one not listed", async () => {
    const dialogues = { train: ["a", "b"], valid: ["c", "a"], test: ["e", "f"] };
    const description = { ...tinyDescription(), splits: { dialogues } };
    const text = await spoilt({ "dataset.yaml": description });
    expect(text).toMatch("3 problems");
    expect(text).toMatch('DIR/dataset.yaml (splits.dialogues.test): empty dialogue: "f" is listed but has no rows');
    expect(text).toMatch('dialogue "a" is listed under train and valid');
    expect(text).toMatch('dialogue "d" is in no list under splits.dialogues');
  });

  test("two utterances in one place", async () => {
    expect(await spoilt(table(changed(1, { order: "0" })))).toMatch(
      /utterances.csv:3 \| dialogue "a" has two utterances at order 0 \(1 row\)/,
    );
  });

  test("an order that is no number", async () => {
    expect(await spoilt(table(changed(1, { order: "second" })))).toMatch('"second" in column "order" is not a number');
  });

  test("two utterances with one id", async () => {
    const columns = { dialogue: "dialogue", order: "order", utterance: "speaker" };
    const text = await spoilt({ "dataset.yaml": { ...tinyDescription(), columns } });
    expect(text).toMatch('utterances.csv:4 | utterance id "M" is there twice (8 rows');
  });

  test("an unknown speaker, and too many in a dialogue", async () => {
    expect(await spoilt(table(changed(0, { speaker: "X" })))).toMatch('utterances.csv:2 | unknown speaker "X"');
    const speakers = { column: "speaker", perDialogue: 1 };
    expect(await spoilt({ "dataset.yaml": { ...tinyDescription(), speakers } })).toMatch(
      'dialogue "a" has 2 speakers, speakers.perDialogue allows 1 (5 dialogues',
    );
  });

  test("a presence that is neither 1 nor 0", async () => {
    expect(await spoilt(table(changed(0, { heard: "yes" })))).toMatch("expected 1 or 0 in a presence column");
  });

  test.each(["train", "test"])("an empty %s part", async (part) => {
    const rows = tinyRows().map((row) => (row.part === part ? { ...row, part: "valid" } : row));
    expect(await spoilt(table(rows))).toMatch(`the ${part} part is empty`);
  });

  test("an official validation part that is empty", async () => {
    const rows = tinyRows().map((row) => (row.part === "valid" ? { ...row, part: "train" } : row));
    const description = { ...tinyDescription(), validation: "official" };
    expect(await spoilt({ ...table(rows), "dataset.yaml": description })).toMatch("the valid part is empty");
  });

  test("no dialogue left to train on", async () => {
    const rows = tinyRows().filter(({ dialogue }) => dialogue === "a" || dialogue === "e");
    const four = (width: number) => npy(values(4, width), [4, width]);
    expect(await spoilt({ ...table(rows), "text.npy": four(3), "audio.npy": four(2) })).toMatch(
      "leaves nothing of 1 training dialogues",
    );
  });
});

describe("features", () => {
  test("a wrong number of rows", async () => {
    expect(await spoilt({ "text.npy": npy(values(9, 3), [9, 3]) })).toMatch(
      "data | DIR/text.npy | text: the table has 10 rows, the features have 9",
    );
  });

  test("a wrong width", async () => {
    expect(await spoilt({ "text.npy": npy(values(10, 4), [10, 4]) })).toMatch(
      "data | DIR/text.npy | text: expected width 3 (modalities.text.width), got 4",
    );
  });

  test("whole numbers, one axis, a damaged file, a Git LFS pointer", async () => {
    expect(await spoilt({ "text.npy": npy(new Int32Array(30), [10, 3]) })).toMatch("got dtype i4");
    expect(await spoilt({ "text.npy": npy(values(10, 3), [30]) })).toMatch(
      "expected shape [utterances, width], got [30]",
    );
    const whole = npy(values(10, 3), [10, 3]);
    expect(await spoilt({ "text.npy": whole.slice(0, -4) })).toMatch(
      "says 10 x 3 numbers (120 bytes), the file has 116",
    );
    expect(await spoilt({ "text.npy": whole.slice(0, -3) })).toMatch("cut off or damaged");
    expect(await spoilt({ "text.npy": "nonsense of some length" })).toMatch("cannot be read as .npy");
    expect(await spoilt({ "text.npy": "version https://git-lfs.github.com/spec/v1\noid" })).toMatch("Git LFS pointer");
  });

  test("NaN and infinity, with count and first place", async () => {
    const data = values(10, 3);
    data[7] = Number.NaN;
    data[20] = Number.NEGATIVE_INFINITY;
    expect(await spoilt({ "text.npy": npy(data, [10, 3]) })).toMatch(
      "data | DIR/text.npy (row 2, column 1, from 0) | text: NaN in the features (2 values, this is the first)",
    );
  });

  test("a modality that the dataset lacks", async () => {
    const path = await writeFolder();
    const options = folderPlugin.options.parse({ path, modalities: ["text", "visul"] });
    expect(await errorOf(folderPlugin.create(options, { dataRoot: undefined }).load())).toBe(
      'data | option modalities | dataset tiny has no modality "visul" | Known: audio, text.',
    );
  });

  test("an option that would draw from an official validation part", async () => {
    const path = await writeFolder();
    const options = folderPlugin.options.parse({ path, validSeed: 1 });
    expect(await errorOf(folderPlugin.create(options, { dataRoot: undefined }).load())).toMatch(
      /^config .*official validation part/,
    );
  });
});

test("independent problems are told together", async () => {
  const bad = { ...table(changed(2, { emotion: "sad", part: "dev" })), "text.npy": npy(values(9, 2), [9, 2]) };
  const text = await spoilt(bad);
  for (const part of ["4 problems", 'unknown label "sad"', 'unknown part "dev"', "9", "expected width 3"]) {
    expect(text).toContain(part);
  }
  const report = await checkFolder(await writeFolder(bad));
  expect(report.problems).toHaveLength(4);
  expect(report.modalities.map(({ name }) => name)).toEqual(["audio"]);
});

test("a class without a training example is a warning, not an error", async () => {
  const rows = tinyRows().map((row) => (row.part === "train" ? { ...row, emotion: "calm" } : row));
  const folder = await writeFolder(table(rows));
  const warning = "classes without an example in train, so they cannot be learned: tense";
  expect((await loadFolder(folder)).warnings).toEqual([warning]);
  expect((await checkFolder(folder)).warnings).toEqual([warning]);
});
