// What a correct feature folder becomes: order, speakers, parts, presence, scaling, seal, fingerprint.
import { MerclabError, visibleLabels } from "@merclab/core";
import { describe, expect, test } from "vitest";
import { checkFolder, type FolderOptions, folderPlugin, loadFolder } from "../src/index.ts";
import { changed, csv, errorOf, npy, tinyDescription, tinyRows, values, writeFolder } from "./tiny-folder.ts";

const plain: FolderOptions = { modalities: null, validFraction: null, validSeed: null, normalize: "none" };

describe("tables", () => {
  test("BOM, CRLF, quoted commas and U+0085 inside a cell are read as one row each", async () => {
    const rows = tinyRows().map((row, at) => ({ time: at === 2 ? '"00:14:38,127"' : "x\u0085y \u2028 z", ...row }));
    const text = `\ufeff${csv(rows).replaceAll("\n", "\r\n")}\r\n`;
    const description = { ...tinyDescription(), columns: { dialogue: "dialogue", order: "order", utterance: "time" } };
    const folder = await writeFolder({ "utterances.csv": text });
    expect((await loadFolder(folder)).dataset.splits.train).toHaveLength(3);
    const doubled = await writeFolder({ "utterances.csv": text, "dataset.yaml": description });
    expect(await errorOf(loadFolder(doubled))).toMatch(/utterances.csv:3 \| utterance id "x\u0085y \u2028 z"/);
  });

  test("the first column may be the dialogue and follow a BOM", async () => {
    const folder = await writeFolder({ "utterances.csv": `\ufeff${csv(tinyRows())}` });
    expect((await loadFolder(folder)).dataset.splits.test.map(({ id }) => id)).toEqual(["e"]);
  });

  test("rows in any order end in speaking order, with their own features", async () => {
    const rows = tinyRows();
    const at = [9, 4, 0, 6, 1, 3, 8, 2, 5, 7];
    const data = values(10, 3);
    const shuffled = Float32Array.from(at.flatMap((row) => [...data.subarray(row * 3, row * 3 + 3)]));
    const straight = await loadFolder(await writeFolder(), { ...plain, modalities: ["text"] });
    const mixed = await loadFolder(
      await writeFolder({
        "utterances.csv": csv(at.map((row) => rows[row] ?? {})),
        "text.npy": npy(shuffled, [10, 3]),
      }),
      { ...plain, modalities: ["text"] },
    );
    const byId = (loaded: typeof mixed) =>
      Object.values(loaded.dataset.splits)
        .flat()
        .sort((a, b) => a.id.localeCompare(b.id));
    expect(byId(mixed)).toEqual(byId(straight));
  });

  test("each part in its own table: ids may start anew, and one feature file may serve all", async () => {
    const rows = tinyRows().map(({ part: _, ...row }) => ({ ...row, dialogue: row.dialogue === "b" ? "1" : "0" }));
    const description = {
      ...tinyDescription(),
      utterances: { train: "train.csv", valid: "valid.csv", test: "test.csv" },
      splits: undefined,
      modalities: {
        text: { file: { train: "t1.npy", valid: "t2.npy", test: "t3.npy" } },
        audio: { file: "audio6.npy" },
      },
    };
    const data = values(8, 3);
    const folder = await writeFolder({
      "dataset.yaml": description,
      "train.csv": csv(rows.slice(0, 4)),
      "valid.csv": csv(rows.slice(6, 8)),
      "test.csv": csv(rows.slice(8)),
      "t1.npy": npy(data.slice(0, 12), [4, 3]),
      "t2.npy": npy(data.slice(12, 18), [2, 3]),
      "t3.npy": npy(data.slice(18), [2, 3]),
      "audio6.npy": npy(values(8, 2), [8, 2]),
    });
    const { dataset } = await loadFolder(folder, plain);
    expect(dataset.splits.train.map(({ id }) => id)).toEqual(["train/0", "train/1"]);
    expect(dataset.splits.test.map(({ utteranceIds }) => utteranceIds)).toEqual([["test/0/0", "test/0/1"]]);
    expect(dataset.splits.valid[0]?.features.text).toEqual(data.slice(12, 18));
    expect(dataset.splits.valid[0]?.features.audio).toEqual(values(8, 2).slice(8, 12));
  });

  test("lists of dialogues tell the parts", async () => {
    const splits = { dialogues: { train: ["e", "d"], valid: ["a"], test: ["b", "c"] } };
    const { dataset } = await loadFolder(await writeFolder({ "dataset.yaml": { ...tinyDescription(), splits } }));
    const { train, valid, test } = dataset.splits;
    expect([train, valid, test].map((part) => part.map(({ id }) => id))).toEqual([["d", "e"], ["a"], ["b", "c"]]);
  });
});

describe("speakers", () => {
  test("are numbered as the corpus lists them", async () => {
    const { dataset } = await loadFolder(await writeFolder());
    expect(dataset.numSpeakers).toBe(2);
    expect(dataset.splits.train[0]?.speakers).toEqual(Int32Array.of(0, 1));
  });

  test("or in each dialogue by first appearance", async () => {
    const speakers = { column: "speaker", perDialogue: 4 };
    const rows = changed(2, { speaker: "F" }).map((row, at) => (at === 3 ? { ...row, speaker: "M" } : row));
    const files = { "utterances.csv": csv(rows), "dataset.yaml": { ...tinyDescription(), speakers } };
    const { dataset } = await loadFolder(await writeFolder(files));
    expect(dataset.numSpeakers).toBe(4);
    expect(dataset.splits.train[1]?.speakers).toEqual(Int32Array.of(0, 1));
  });

  test("or there is one", async () => {
    const { dataset } = await loadFolder(
      await writeFolder({ "dataset.yaml": { ...tinyDescription(), speakers: undefined } }),
    );
    expect([dataset.numSpeakers, dataset.splits.train[0]?.speakers]).toEqual([1, Int32Array.of(0, 0)]);
  });
});

describe("features", () => {
  test("are standardised by mean and deviation of train, worked by hand", async () => {
    // Train rows hold 0 2 4 6 8 10: mean 5, variance 35/3. The constant column becomes 0, the far value is cut off.
    const first = [0, 2, 4, 6, 8, 10, 5, 1000, -1000, 5];
    const data = Float32Array.from(first.flatMap((value, row) => [value, row < 6 ? 0.1 : 7, 0]));
    const { dataset } = await loadFolder(await writeFolder({ "text.npy": npy(data, [10, 3]) }));
    const deviation = Math.sqrt(35 / 3);
    expect([...(dataset.splits.train[0]?.features.text ?? [])]).toEqual([
      Math.fround(-5 / deviation),
      0,
      0,
      Math.fround(-3 / deviation),
      0,
      0,
    ]);
    expect(dataset.splits.valid[0]?.features.text).toEqual(Float32Array.of(0, 0, 0, 10, 0, 0));
    expect(dataset.splits.test[0]?.features.text).toEqual(Float32Array.of(-10, 0, 0, 0, 0, 0));
  });

  test("of a missing modality are 0, take no part in the scale and may hold anything", async () => {
    const data = Float32Array.from([1, 1, 99, Number.NaN, 3, 3, 1, 1, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
    const folder = await writeFolder({
      "utterances.csv": csv(changed(1, { heard: "0" })),
      "audio.npy": npy(data, [10, 2]),
    });
    const { dataset } = await loadFolder(folder);
    const [first] = dataset.splits.train;
    // Observed train rows: 1 3 1 3 1, mean 1.8, variance 0.96.
    const low = Math.fround(-0.8 / Math.sqrt(0.96));
    expect(first?.features.audio).toEqual(Float32Array.of(low, low, 0, 0));
    expect(first?.present).toEqual({ text: Uint8Array.of(1, 1), audio: Uint8Array.of(1, 0) });
    expect((await checkFolder(folder)).warnings).toEqual([
      "audio: 1 of 2 columns repeat another",
      "audio: 1 of 10 utterances lack it",
    ]);
  });

  test("come as float64, float16 or in Fortran order, too", async () => {
    const data = Float32Array.from(values(10, 3), (value) => Math.round(value * 16) / 16); // exact in float16
    const load = async (file: Uint8Array) =>
      (await loadFolder(await writeFolder({ "text.npy": file }), plain)).dataset.fingerprint;
    const expected = await load(npy(data, [10, 3]));
    expect(await load(npy(Float64Array.from(data), [10, 3]))).toBe(expected);

    const columns = Float32Array.from({ length: 30 }, (_, i) => data[(i % 10) * 3 + Math.floor(i / 10)] ?? 0);
    const fortran = Buffer.from(npy(columns, [10, 3]));
    const flag = fortran.indexOf("False");
    expect(flag).toBeGreaterThan(0);
    fortran.write("True ", flag, "latin1");
    expect(await load(fortran)).toBe(expected);
  });

  test("are those of the modalities asked for, in that order", async () => {
    const path = await writeFolder();
    const load = (modalities: string[]) =>
      folderPlugin.create(folderPlugin.options.parse({ path, modalities }), { dataRoot: undefined }).load();
    const { dataset } = await load(["audio", "text"]);
    expect(dataset.modalities.map(({ name }) => name)).toEqual(["audio", "text"]);
    expect(Object.keys((await load(["audio"])).dataset.splits.train[0]?.features ?? {})).toEqual(["audio"]);
  });
});

describe("the seal", () => {
  test("keeps the test labels until it is opened with a reason", async () => {
    const { dataset, seal } = await loadFolder(await writeFolder());
    const [sealed] = dataset.splits.test;
    expect(sealed && "labels" in sealed).toBe(false);
    expect(() => sealed && visibleLabels(sealed)).toThrow(MerclabError);
    expect(() => seal.open(" ")).toThrow("needs a reason");
    const labels = seal.open("scoring after training");
    expect(labels).toEqual([Int32Array.of(0, 1)]);
    labels[0]?.fill(0);
    expect(seal.open("again")).toEqual([Int32Array.of(0, 1)]);
  });
});

describe("the fingerprint", () => {
  const print = async (files: Parameters<typeof writeFolder>[0] = {}, options?: FolderOptions) =>
    (await loadFolder(await writeFolder(files), options)).dataset.fingerprint;

  test("is 16 hex digits, the same wherever the folder lies", async () => {
    expect(await print()).toMatch(/^[0-9a-f]{16}$/);
    expect(await print()).toBe(await print());
  });

  test("changes with whatever changes a number, sealed labels included", async () => {
    const data = values(10, 3);
    data[0] = 5;
    const described = (change: object) => ({ "dataset.yaml": { ...tinyDescription(), ...change } });
    const prints = await Promise.all([
      print(),
      print({ "text.npy": npy(data, [10, 3]) }),
      print({ "utterances.csv": csv(changed(9, { emotion: "calm" })) }),
      print({ "utterances.csv": csv(changed(0, { speaker: "F" })) }),
      print({ "utterances.csv": csv(changed(0, { heard: "0" })) }),
      print({
        "utterances.csv": csv(tinyRows().map((row) => (row.dialogue === "c" ? { ...row, part: "valid" } : row))),
      }),
      print(described({ labels: { column: "emotion", classes: ["calm", "tense", "sad"] } })),
      print({}, plain),
      print({}, { ...plain, normalize: null, modalities: ["text"] }),
    ]);
    expect(new Set(prints).size).toBe(prints.length);
  });
});

test("checkFolder reports sizes, counts and ranges", async () => {
  const data = values(10, 3);
  for (let row = 0; row < 10; row++) {
    data[row * 3 + 1] = 2;
  }
  const report = await checkFolder(await writeFolder({ "text.npy": npy(data, [10, 3]) }));
  expect(report.problems).toEqual([]);
  const lengths = { shortest: 2, longest: 2, meanLength: 2, single: 0 };
  expect(report.splits).toEqual({
    train: { dialogues: 3, utterances: 6, ...lengths, classCounts: [3, 3] },
    valid: { dialogues: 1, utterances: 2, ...lengths, classCounts: [1, 1] },
    test: { dialogues: 1, utterances: 2, ...lengths, classCounts: [1, 1] },
  });
  const [text] = report.modalities;
  expect(text).toMatchObject({ name: "text", width: 3, max: 2, constantColumns: [1], missing: 0 });
  expect(text?.mean).toBeCloseTo(data.reduce((sum, value) => sum + value, 0) / 30, 6);
  expect(report.warnings).toEqual(["text: 1 of 3 columns are constant"]);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
