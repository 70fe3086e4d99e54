// Sentences to vectors with an encoder that is made here (tiny-encoder.ts): token n has the vector [n, 10 n, 1].
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NdArray } from "@merclab/pickle";
import { afterAll, expect, test } from "vitest";
import { addTextFeatures, checkFolder, loadFolder, openFile, type TextFeaturesRequest } from "../src/index.ts";
import { writeTinyEncoder } from "./tiny-encoder.ts";
import { csv, errorOf, tinyDescription, tinyRows, writeFolder } from "./tiny-folder.ts";

const place = mkdtempSync(join(tmpdir(), "merclab-encoder-"));
const encoder = join(place, "tiny");
writeTinyEncoder(encoder);
afterAll(() => rmSync(place, { recursive: true }));

const SENTENCES = [
  "Hello world",
  "how are you",
  "hello",
  "Hello world",
  "",
  "nobody knows",
  "you",
  "are",
  "how are you hello world",
  "world",
];

async function spoken(change: object = {}): Promise<string> {
  const rows = tinyRows().map((row, at) => ({ ...row, said: SENTENCES[at] ?? "" }));
  const { modalities: _, columns, ...description } = tinyDescription();
  return writeFolder({
    "utterances.csv": csv(rows),
    "text.npy": null,
    "audio.npy": null,
    "dataset.yaml": { ...description, columns: { ...columns, text: "said" }, modalities: {}, ...change },
  });
}

const request = (folder: string, change: Partial<TextFeaturesRequest> = {}): TextFeaturesRequest => ({
  folder,
  encoder,
  modality: "text",
  pooling: "mean",
  maxTokens: undefined,
  batchSize: 3,
  cache: null,
  ...change,
});

async function rowsOf(file: string): Promise<number[][]> {
  const opened = await openFile(file);
  const values = [...(opened.value as NdArray).toFloat32()];
  opened.close();
  return Array.from({ length: values.length / 3 }, (_, row) => values.slice(3 * row, 3 * row + 3));
}

/** Mean of token numbers, as the encoder sees them. */
const mean = (...tokens: number[]) => {
  const average = tokens.reduce((sum, token) => sum + token, 0) / tokens.length;
  return [average, 10 * average, 1].map(Math.fround);
};

test("each sentence's vector is the mean of its tokens, padding never counts, and the folder can be trained on", async () => {
  const folder = await spoken();
  const report = await addTextFeatures(request(folder));
  expect(report).toMatchObject({ width: 3, sentences: 10, encoded: 8, cutOff: 1, empty: 1 });
  const rows = (await rowsOf(report.file)).map((row) => row.map(Math.fround));
  expect(rows[0]).toEqual(mean(2, 4, 5, 3));
  expect(rows[1]).toEqual(mean(2, 6, 7, 8, 3));
  expect(rows[3]).toEqual(rows[0]);
  expect(rows[4]).toEqual([0, 0, 0]);
  expect(rows[5]).toEqual(mean(2, 1, 1, 3));
  // Five tokens at most: the closing one stays.
  expect(rows[8]).toEqual(mean(2, 6, 7, 8, 3));
  const { problems } = await checkFolder(folder);
  expect(problems).toEqual([]);
  expect((await loadFolder(folder)).dataset.modalities).toEqual([{ name: "text", dim: 3 }]);
});

test("the first token instead, in batches of any size", async () => {
  const folder = await spoken();
  const [one, many] = [
    await addTextFeatures(request(folder, { modality: "one", pooling: "first", batchSize: 1 })),
    await addTextFeatures(request(folder, { modality: "many", pooling: "first", batchSize: 100 })),
  ];
  expect(await rowsOf(one.file)).toEqual(await rowsOf(many.file));
  expect((await rowsOf(one.file))[0]).toEqual([2, 20, 1]);
});

test("vectors are kept: a second folder encodes nothing, and a record that was cut off is made again", async () => {
  const cache = join(place, "cache");
  const progress: [number, number][] = [];
  const onProgress = (done: number, total: number) => progress.push([done, total]);
  const first = await addTextFeatures(request(await spoken(), { cache, onProgress }));
  expect(first.encoded).toBe(8);
  expect(progress[0]).toEqual([0, 8]);
  expect(progress.at(-1)).toEqual([8, 8]);
  const second = await addTextFeatures(request(await spoken(), { cache }));
  expect(second.encoded).toBe(0);
  expect(await rowsOf(second.file)).toEqual(await rowsOf(first.file));
  const [file = ""] = readdirSync(cache);
  truncateSync(join(cache, file), statSync(join(cache, file)).size - 5);
  const third = await addTextFeatures(request(await spoken(), { cache }));
  expect(third.encoded).toBe(1);
  expect(await rowsOf(third.file)).toEqual(await rowsOf(first.file));
  const other = await addTextFeatures(request(await spoken(), { cache, pooling: "first" }));
  expect(other.encoded).toBe(8);
});

test("comments of dataset.yaml stay, and what is there is never written over", async () => {
  const folder = await spoken();
  await addTextFeatures(request(folder));
  expect(readFileSync(join(folder, "dataset.yaml"), "utf8")).toContain("text.npy");
  expect(await errorOf(addTextFeatures(request(folder)))).toContain('a modality "text" is there already');
});

test("what is missing or no encoder is told", async () => {
  const folder = await spoken();
  const tell = (change: Partial<TextFeaturesRequest>) => errorOf(addTextFeatures(request(folder, change)));
  expect(await tell({ encoder: place })).toContain("the encoder has no model.onnx");
  expect(await tell({ encoder: join(place, "none") })).toContain("missing folder");
  expect(await tell({ model: "tokenizer.json" })).toContain("ONNX Runtime cannot load the encoder");
  const odd = join(place, "odd");
  writeTinyEncoder(odd, ["input_ids", "pixel_values"]);
  expect(await tell({ encoder: odd })).toContain('asks for an input "pixel_values"');
  const wordless = await spoken({ columns: { dialogue: "dialogue", order: "order" } });
  expect(await errorOf(addTextFeatures(request(wordless)))).toContain("which column holds the sentences");
});
