// One file per layout, as Python wrote it (fixtures/make_layouts.py): recognised, read, and written with every value in
// its place.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import type { NdArray } from "@merclab/pickle";
import { afterAll, describe, expect, test } from "vitest";
import { mutants } from "../../pickle/test/fuzz/mutations.ts";
import { readTable, type Table } from "../src/folder/table.ts";
import { checkFolder, type ImportRequest, importFile, LAYOUTS, loadFolder, openFile } from "../src/index.ts";
import { errorOf, npy } from "./tiny-folder.ts";

const FILES = join(import.meta.dirname, "fixtures/layouts");
const out = mkdtempSync(join(tmpdir(), "merclab-import-"));
afterAll(() => rmSync(out, { recursive: true }));

/** Numbers of the fixtures' modalities, as in layout_corpora.py. */
const OFFSETS: Readonly<Record<string, number>> = { text: 0, audio: 100, visual: 200, roberta1: 300, roberta4: 600 };
const SIZES = { train: [3, 6], valid: [1, 2], test: [2, 3] };
const NO_VALID = { train: [4, 8], valid: [0, 0], test: [2, 3] };

interface Case {
  readonly file: string;
  readonly layout: string;
  readonly widths: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, readonly number[]>>;
  /** Which numbers `text` holds, where it is not the rule's text. */
  readonly text?: string;
  readonly request?: Partial<ImportRequest>;
}

const ROBERTA = { text: 1024, audio: 1582, visual: 342 };
const MELD_ROBERTA = { text: 1024, audio: 300, visual: 342 };
const ADA2I = { text: 768, audio: 512, visual: 1024 };
const roberta1 = { text: "roberta1" } as const;

const CASES: readonly Case[] = [
  { file: "sdt/iemocap_multimodal_features.pkl", layout: "sdt-iemocap", widths: ROBERTA, sizes: NO_VALID, ...roberta1 },
  { file: "py2/iemocap_multimodal_features.pkl", layout: "sdt-iemocap", widths: ROBERTA, sizes: NO_VALID, ...roberta1 },
  { file: "sdt/meld_multimodal_features.pkl", layout: "sdt-meld", widths: MELD_ROBERTA, sizes: SIZES, ...roberta1 },
  {
    file: "cfn-esa/meld_multimodal_features.pkl",
    layout: "cfn-esa-meld",
    widths: MELD_ROBERTA,
    sizes: SIZES,
    ...roberta1,
  },
  { file: "mmgcn/IEMOCAP_features.pkl", layout: "mmgcn-iemocap", widths: { ...ROBERTA, text: 100 }, sizes: NO_VALID },
  { file: "py2/IEMOCAP_features.pkl", layout: "mmgcn-iemocap", widths: { ...ROBERTA, text: 100 }, sizes: NO_VALID },
  { file: "mmgcn/MELD_features_raw1.pkl", layout: "mmgcn-meld", widths: { ...MELD_ROBERTA, text: 600 }, sizes: SIZES },
  {
    file: "dialogue-rnn/IEMOCAP_features_raw.pkl",
    layout: "dialogue-rnn-iemocap",
    widths: { text: 100, audio: 100, visual: 512 },
    sizes: NO_VALID,
  },
  {
    file: "py2/IEMOCAP_features_raw.pkl",
    layout: "dialogue-rnn-iemocap",
    widths: { text: 100, audio: 100, visual: 512 },
    sizes: NO_VALID,
  },
  {
    file: "dialogue-rnn/MELD_features_raw.pkl",
    layout: "dialogue-rnn-meld",
    widths: { text: 600, audio: 300 },
    sizes: SIZES,
  },
  {
    file: "corect/IEMOCAP_features_4.pkl",
    layout: "corect-iemocap-4",
    widths: { text: 100, audio: 100, visual: 512 },
    sizes: NO_VALID,
  },
  {
    file: "dialogue-rnn/AVEC_features_1.pkl",
    layout: "avec",
    widths: { text: 100, audio: 100, visual: 512 },
    sizes: NO_VALID,
    request: { cut: [-0.1, 0.1] },
  },
  {
    file: "multilogue/categorical.p",
    layout: "mosei-categorical",
    widths: { text: 300, audio: 384, visual: 35 },
    sizes: NO_VALID,
  },
  {
    file: "multilogue/regression.p",
    layout: "mosei-scores",
    widths: { text: 300, audio: 384, visual: 35 },
    sizes: NO_VALID,
  },
  {
    file: "multilogue/emotion.p",
    layout: "mosei-emotions",
    widths: { text: 300, audio: 384, visual: 35 },
    sizes: NO_VALID,
    request: { target: "angry" },
  },
  {
    file: "cosmic/iemocap_features_roberta.pkl",
    layout: "cosmic-iemocap",
    widths: { text: 1024 },
    sizes: SIZES,
    ...roberta1,
  },
  {
    file: "cosmic/meld_features_roberta.pkl",
    layout: "cosmic-meld",
    widths: { text: 1024 },
    sizes: SIZES,
    ...roberta1,
  },
  {
    file: "cosmic/emorynlp_features_roberta.pkl",
    layout: "cosmic-emorynlp",
    widths: { text: 1024 },
    sizes: SIZES,
    ...roberta1,
  },
  {
    file: "cosmic/dailydialog_features_roberta.pkl",
    layout: "cosmic-dailydialog",
    widths: { text: 1024 },
    sizes: SIZES,
    ...roberta1,
  },
  { file: "cosmic/iemocap.pkl", layout: "cosmic-text-iemocap", widths: {}, sizes: SIZES },
  { file: "cosmic/meld.pkl", layout: "cosmic-text-meld", widths: {}, sizes: SIZES },
  { file: "cosmic/emorynlp.pkl", layout: "cosmic-text-emorynlp", widths: {}, sizes: SIZES },
  { file: "gcnet/IEMOCAP_features_raw_4way.pkl", layout: "gcnet-iemocap-4way", widths: {}, sizes: NO_VALID },
  {
    file: "gcnet/IEMOCAP_features_raw_6way.pkl",
    layout: "gcnet-iemocap-6way",
    widths: { text: 16 },
    sizes: NO_VALID,
    request: { features: { text: join(FILES, "gcnet/deberta-large") } },
  },
  { file: "gcnet/CMUMOSI_features_raw_2way.pkl", layout: "gcnet-cmu", widths: {}, sizes: SIZES },
  {
    file: "multiemo/Speakers.pkl",
    layout: "mmgcn-iemocap",
    widths: { ...ROBERTA, text: 100, "text-emoberta": 768 },
    sizes: NO_VALID,
    request: { features: { "text-emoberta": join(FILES, "multiemo/TextFeatures.pkl") } },
  },
  { file: "bc-lstm/text.pickle", layout: "bc-lstm", widths: { text: 10, audio: 7, visual: 5 }, sizes: NO_VALID },
  { file: "ada2i/iemocap.pkl", layout: "ada2i-iemocap", widths: ADA2I, sizes: NO_VALID },
  { file: "ada2i/meld.pkl", layout: "ada2i-meld", widths: ADA2I, sizes: SIZES },
  { file: "ada2i/mosei_data.pkl", layout: "ada2i-mosei", widths: ADA2I, sizes: SIZES },
  {
    file: "corect/data_iemocap.pkl",
    layout: "corect-records",
    widths: { text: 768, audio: 100, visual: 512 },
    sizes: SIZES,
  },
  { file: "mmsa/unaligned_50.pkl", layout: "mmsa", widths: { text: 8, audio: 5, visual: 4 }, sizes: SIZES },
  { file: "mmsa/unaligned_50.h5", layout: "mmsa", widths: { text: 8, audio: 5, visual: 4 }, sizes: SIZES },
  { file: "multibench/mosi_raw.pkl", layout: "multibench", widths: { text: 8, audio: 5, visual: 4 }, sizes: SIZES },
  {
    file: "meld/train_sent_emo.csv",
    layout: "meld-csv",
    widths: { text: 300, bimodal: 60 },
    sizes: SIZES,
    request: {
      features: {
        text: join(FILES, "meld/text_glove_average_emotion.pkl"),
        bimodal: join(FILES, "meld/text_emotion.pkl"),
      },
    },
  },
  { file: "meld-cp1252", layout: "meld-csv", widths: {}, sizes: SIZES },
  { file: "meld/data_emotion.p", layout: "meld-baseline-text", widths: {}, sizes: SIZES },
  { file: "mosei/label.npz", layout: "merbench", widths: {}, sizes: SIZES },
  {
    file: "mosei/video_level_val_data.pkl",
    layout: "mosei-video",
    widths: { text: 768, audio: 40, visual: 35 },
    sizes: { train: [5, 5], valid: [2, 2], test: [3, 3] },
  },
];

/** Ids in the order in which the fixtures number them, where files keep another order; else the order of the rows. */
const KNOWN_IDS = [
  ["Ses01F_impro01", "Ses01M_script01_1", "Ses02F_impro02", "Ses04M_impro08", "Ses05F_impro03", "Ses05M_script02_2"],
  ["03bSnISJMiM", "_dI--eQ6qVU", "0h-zjBukYpk", "1DmNV9C1hbY", "5W7Z1C_fDaE", "c5xsKMxpXnc"],
];

async function readBack(folder: string, widths: Case["widths"]) {
  const table = (await readTable(join(folder, "utterances.csv"))) as Table;
  const column = (name: string): string[] => table.rows.map(({ cells }) => cells[table.header.indexOf(name)] ?? "");
  const matrices = new Map<string, Float32Array>();
  for (const name of Object.keys(widths)) {
    const file = await openFile(join(folder, `${name}.npy`));
    matrices.set(name, (file.value as NdArray).toFloat32().slice());
    file.close();
  }
  return { table, column, matrices };
}

describe.each(CASES)("$file", ({ file, layout, widths, sizes, text = "text", request = {} }) => {
  test(`is ${layout}, and every value is in its place`, async () => {
    const folder = join(out, file.replaceAll("/", "-"));
    const report = await importFile({ path: join(FILES, file), out: folder, ...request });
    expect(report.layout).toBe(layout);
    expect(Object.fromEntries(report.modalities.map(({ name, width }) => [name, width]))).toEqual(widths);
    const found = Object.entries(report.splits).map(([split, part]) => [split, [part.dialogues, part.utterances]]);
    expect(Object.fromEntries(found)).toEqual(sizes);

    const { column, matrices } = await readBack(folder, widths);
    const [dialogues, orders] = [column("dialogue"), column("order").map(Number)];
    const known = KNOWN_IDS.find((ids) => ids.includes(dialogues[0] ?? "")) ?? [...new Set(dialogues)];
    const places = new Map(known.map((id, at) => [id, at]));
    for (const [name, matrix] of matrices) {
      const width = widths[name] ?? 0;
      const rule = OFFSETS[name === "text" ? text : name] ?? 0;
      // A file of one row per video numbers them anew in every part.
      const starts = layout === "mosei-video" ? column("dialogue").map((id) => Number(id.split("/")[1])) : undefined;
      dialogues.forEach((id, row) => {
        const dialogue = starts?.[row] ?? places.get(id) ?? 0;
        for (const at of [0, width - 1]) {
          const expected = rule + 10 * dialogue + (orders[row] ?? 0) + 1 + at / 1000;
          expect(Math.abs((matrix[row * width + at] ?? 0) - expected)).toBeLessThan(1e-3);
        }
      });
    }
    const checked = await checkFolder(folder);
    if (Object.keys(widths).length > 0) {
      expect(checked.problems.filter(({ message }) => !/NaN|infin/i.test(message))).toEqual([]);
    }
  });
});

test("a part that holds a list nested without end is told, not fallen over", async () => {
  const path = join(out, "nested.pkl");
  // Six positions of GCNet: four empty dicts, a set of two such lists, a set.
  const deep = Buffer.concat([Buffer.from("]"), Buffer.alloc(100_000, 0x85)]);
  const set = Buffer.concat([Buffer.from([0x8f, 0x28]), deep, deep, Buffer.from([0x90])]);
  writeFileSync(path, Buffer.concat([Buffer.from("(}}}}"), set, Buffer.from([0x8f]), Buffer.from("t.")]));
  expect(await errorOf(importFile({ path, out: join(out, "none") }))).toContain("expected an id");
  // Six positions of COSMIC's text files: the label is such a list.
  const labels = Buffer.concat([Buffer.from("}U\x0eSes01F_impro01("), deep, Buffer.from("ls")]);
  const speakers = Buffer.from("}U\x0eSes01F_impro01(U\x01Mls");
  writeFileSync(path, Buffer.concat([Buffer.from("("), speakers, labels, Buffer.from("}]]]t.")]));
  expect(await errorOf(importFile({ path, out: join(out, "none") }))).toContain("no known layout fits");
});

test("600 mutated files of six layouts are each imported or refused with a clear error, within 1 s", async () => {
  const files = [
    "gcnet/CMUMOSI_features_raw_2way.pkl",
    "cosmic/iemocap.pkl",
    "bc-lstm/text.pickle",
    "mmsa/unaligned_50.pkl",
    "meld/data_emotion.p",
    "corect/data_iemocap.pkl",
  ];
  const ends = { imported: 0, refused: 0 };
  for (const file of files) {
    const path = join(out, `mutated-${file.replaceAll("/", "-")}`);
    for (const { bytes } of mutants([readFileSync(join(FILES, file))], 100, 77)) {
      writeFileSync(path, bytes);
      rmSync(join(out, "mutated"), { recursive: true, force: true });
      const start = performance.now();
      try {
        await importFile({ path, out: join(out, "mutated") });
        ends.imported++;
      } catch (error) {
        expect(error).toBeInstanceOf(MerclabError);
        ends.refused++;
      }
      expect(performance.now() - start).toBeLessThan(1000);
    }
  }
  expect(ends.imported).toBeGreaterThan(0);
  expect(ends.imported + ends.refused).toBe(600);
});

test("every layout is tested", () => {
  const elsewhere = ["plain-folder", "dialogue-rnn-dailydialog", "comet", "meld-baseline-features"];
  const seen = new Set([...CASES.map(({ layout }) => layout), ...elsewhere]);
  expect(LAYOUTS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
});

describe("files without what a folder needs are recognised, and the message says what to do", () => {
  test.each([
    ["dialogue-rnn/daily_dialogue.pkl", "token numbers of a vocabulary"],
    ["cosmic/iemocap_features_comet.pkl", "--features comet=THIS FILE"],
    ["meld/text_glove_average_emotion.pkl", "Import train_sent_emo.csv"],
  ])("%s", async (file, message) => {
    const error = await errorOf(importFile({ path: join(FILES, file), out: join(out, "refused") }));
    expect(error).toContain(message);
    expect(existsSync(join(out, "refused"))).toBe(false);
  });
});

test("a plain folder: columns by their usual names, each told; rows in speaking order", async () => {
  const folder = mkdtempSync(join(out, "plain-"));
  const rows = ["b,1,x,train,1", "a,1,y,train,0", "a,0,x,train,1", "c,0,x,test,0", "d,0,y,dev,1"];
  writeFileSync(join(folder, "utterances.csv"), `dialogue_id,order,speaker,split,label\n${rows.join("\n")}\n`);
  writeFileSync(
    join(folder, "text.npy"),
    npy(
      Float32Array.from({ length: 10 }, (_, at) => at + 1),
      [5, 2],
    ),
  );
  writeFileSync(join(folder, "ids.npy"), npy(Int32Array.from({ length: 5 }), [5]));
  const report = await importFile({ path: folder, out: join(out, "plain") });
  expect(report).toMatchObject({
    layout: "plain-folder",
    detected: true,
    target: { column: "label", classes: ["0", "1"] },
  });
  expect(report.notes.join("; ")).toBe(
    "dialogue is column dialogue_id; order is column order; speaker is column speaker; split is column split; " +
      "ids.npy was left out: it is not one row of floating-point numbers per utterance",
  );
  const { column, matrices } = await readBack(report.folder, { text: 2 });
  expect(column("utterance")).toEqual(["b/1", "a/0", "a/1", "c/0", "d/0"]);
  expect([...(matrices.get("text") ?? [])]).toEqual([1, 2, 5, 6, 3, 4, 7, 8, 9, 10]);
  expect((await checkFolder(report.folder)).problems).toEqual([]);
});

describe("what is decided on the way", () => {
  const imported = async (file: string, name: string, request: Partial<ImportRequest> = {}) => {
    const folder = join(out, name);
    const report = await importFile({ path: join(FILES, file), out: folder, ...request });
    return {
      report,
      folder,
      ...(await readBack(folder, Object.fromEntries(report.modalities.map((m) => [m.name, m.width])))),
    };
  };

  test("RoBERTa's layers: first, mean, side by side, separate", async () => {
    const file = "cosmic/iemocap_features_roberta.pkl";
    const values = async (textLayers: "first" | "mean" | "concat" | "separate") => {
      const { report, matrices } = await imported(file, `layers-${textLayers}`, { textLayers });
      return { widths: report.modalities.map(({ name, width }) => [name, width]), matrices };
    };
    expect((await values("first")).matrices.get("text")?.[0]).toBe(301);
    const mean = await values("mean");
    expect(mean.widths).toEqual([["text", 1024]]);
    expect(mean.matrices.get("text")?.[0]).toBe((301 + 401 + 501 + 601) / 4);
    const concat = await values("concat");
    expect(concat.widths).toEqual([["text", 4096]]);
    expect([0, 1024, 2048, 3072, 4096].map((at) => concat.matrices.get("text")?.[at])).toEqual([
      301, 401, 501, 601, 302,
    ]);
    expect((await values("separate")).widths.map(([name]) => name)).toEqual(["text1", "text2", "text3", "text4"]);
  });

  test("COSMIC's common-sense vectors become nine modalities", async () => {
    const { report } = await imported("cosmic/iemocap_features_roberta.pkl", "comet", {
      features: { comet: join(FILES, "cosmic/iemocap_features_comet.pkl") },
    });
    expect(report.modalities.map(({ name }) => name)).toContain("comet-oEffect");
    expect(report.modalities).toHaveLength(10);
  });

  test("sentences of Python 2 and Windows-1252 tables are read as they were meant", async () => {
    const python2 = await imported("py2/IEMOCAP_features_raw.pkl", "sentences-py2");
    expect(python2.column("text").sort()[0]).toBe('café 0, it’s "0"');
    for (const [copy, note] of [
      ["meld-cp1252", "the train part is in Windows-1252"],
      ["meld-c1", "6 cells of the train part held Windows-1252 characters"],
      ["meld", "the tables have no features"],
    ] as const) {
      const { column, report } = await imported(copy, `sentences-${copy}`);
      expect(column("text")[1]).toBe('It’s … "0", 1');
      expect(report.notes[0]).toContain(note);
    }
  });

  test("scores are cut as the field cuts them, halves to the even number", async () => {
    const { column, report } = await imported("gcnet/CMUMOSI_features_raw_2way.pkl", "scores");
    expect(column("score").slice(0, 3)).toEqual(["-2.5", "-2", "-1.5"]);
    expect(column("seven_class").slice(0, 3)).toEqual(["-2", "-2", "-2"]);
    expect(report.target.column).toBe("nonnegative");
    expect(report.otherTargets).toEqual(["three_class", "seven_class"]);
  });

  test("real values need borders, emotions that can go together need a choice", async () => {
    const request = (file: string) => errorOf(importFile({ path: join(FILES, file), out: join(out, "none") }));
    expect(await request("dialogue-rnn/AVEC_features_1.pkl")).toContain("Give the borders of classes");
    expect(await request("multilogue/emotion.p")).toContain("Choose one: happy, sad, angry");
  });

  test("scores and emotions that can go together are targets of the folder", async () => {
    const taskOf = async (file: string, name: string, more: object) => {
      const folder = join(out, `target-${name}`);
      await importFile({ path: join(FILES, file), out: folder, ...more });
      const options = { modalities: null, validFraction: null, validSeed: null, normalize: null, target: name };
      return (await loadFolder(folder, options)).dataset.task;
    };
    expect(await taskOf("multilogue/emotion.p", "emotions", { target: "happy" })).toMatchObject({
      type: "multi-label",
      labels: ["happy", "sad", "angry", "surprised", "disgusted", "fearful"],
    });
    expect(await taskOf("mmsa/unaligned_50.pkl", "regression", {})).toEqual({ type: "regression", range: [-3, 3] });
  });

  test("values that are not finite are left out of averages, or handled as asked", async () => {
    const { report } = await imported("mmsa/unaligned_50.pkl", "finite");
    expect(report.modalities.map(({ nonFinite }) => nonFinite)).toEqual([0, 0, 0]);
    expect(report.notes.join()).toContain("frames that are not finite were left out");
  });

  test("the folder says where it came from, and its checksums are those of its files", async () => {
    const { folder } = await imported("sdt/iemocap_multimodal_features.pkl", "provenance");
    expect(readdirSync(folder).sort()).toEqual([
      "audio.npy",
      "dataset.yaml",
      "text.npy",
      "utterances.csv",
      "visual.npy",
    ]);
    expect((await checkFolder(folder)).problems).toEqual([]);
  });

  test("a folder that is there is left alone", async () => {
    const folder = mkdtempSync(join(out, "there-"));
    writeFileSync(join(folder, "mine.txt"), "mine");
    const path = join(FILES, "cosmic/meld.pkl");
    expect(await errorOf(importFile({ path, out: folder }))).toContain("there is something already");
    expect(readdirSync(folder)).toEqual(["mine.txt"]);
  });

  test("a layout that does not fit says why; an unknown one names the nearest", async () => {
    const path = join(FILES, "sdt/meld_multimodal_features.pkl");
    const as = (layout: string) => errorOf(importFile({ path, out: join(out, "none"), layout }));
    expect(await as("sdt-iemocap")).toContain("it has 13 positions, expected 12");
    expect(await as("sdt-meldd")).toContain('Did you mean "sdt-meld"?');
  });
});
