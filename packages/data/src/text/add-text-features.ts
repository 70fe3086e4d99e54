// `exp data text`: adds a text modality to a feature folder, from the sentences in its table.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import { dump } from "npyjs";
import { parseDocument } from "yaml";
import { readCorpus } from "../folder/corpus.ts";
import { describeFolder } from "../folder/described-folder.ts";
import { columnOf } from "../folder/leaks.ts";
import { throwProblems } from "../folder/problems.ts";
import { type EncoderOptions, openEncoder } from "./encoder.ts";
import { findEncoder } from "./encoder-files.ts";
import { openVectorCache } from "./vector-cache.ts";

export interface TextFeaturesRequest extends EncoderOptions {
  /** A feature folder with a dataset.yaml whose `columns.text` names the sentences. */
  readonly folder: string;
  /** Folder of the encoder, or owner/name on the Hugging Face Hub. */
  readonly encoder: string;
  /** ONNX file in it, where it is not model.onnx or onnx/model.onnx. */
  readonly model?: string | undefined;
  /** Name of the new modality. */
  readonly modality: string;
  readonly batchSize: number;
  /** Folder for vectors that may be asked for again; null = none are kept. */
  readonly cache?: string | null;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface TextFeaturesReport {
  readonly file: string;
  readonly width: number;
  readonly sentences: number;
  /** Sentences that were encoded now; others are repeated, or were known. */
  readonly encoded: number;
  /** Sentences longer than the encoder takes: their ends were cut off. */
  readonly cutOff: number;
  /** Sentences without any text; their rows are zeros. */
  readonly empty: number;
}

/** Where vectors are kept unless told otherwise. */
function defaultCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "merclab", "text");
}

/** @throws MerclabError `data`, `config` */
export async function addTextFeatures(request: TextFeaturesRequest): Promise<TextFeaturesReport> {
  const folder = resolve(request.folder);
  const described = await describeFolder(folder);
  const { description, describedIn } = described;
  const { modality } = request;
  if (describedIn !== join(folder, "dataset.yaml")) {
    throw new MerclabError("data", "the folder has no dataset.yaml of its own to add to", {
      where: folder,
      hint: "exp data import makes a folder of its own from a table.",
    });
  }
  const column = description.columns.text;
  if (column === undefined) {
    throw new MerclabError("data", "dataset.yaml does not say which column holds the sentences", {
      where: describedIn,
      hint: 'E.g. "text: Utterance" under columns.',
    });
  }
  if (
    !/^[A-Za-z][\w-]*$/.test(modality) ||
    description.modalities[modality] !== undefined ||
    existsSync(join(folder, `${modality}.npy`))
  ) {
    throw new MerclabError("config", `a modality "${modality}" is there already, or that is no name`, {
      where: "--modality",
    });
  }
  const corpus = await readCorpus(described, [], true);
  throwProblems(folder, corpus.problems);
  const sentences = columnOf(corpus.tables ?? [], column);
  if (sentences === undefined) {
    throw new MerclabError("data", `missing column "${column}" (columns.text)`, { where: describedIn });
  }
  const encoder = await openEncoder(await findEncoder(request.encoder, request.model), request);
  try {
    const unique = [...new Set(sentences.filter((sentence) => sentence.trim() !== ""))];
    const vectors = await encodeAll(unique, encoder, request);
    const width = vectors.width;
    const data = new Float32Array(sentences.length * width);
    const rows = new Map(unique.map((sentence, at) => [sentence, at]));
    sentences.forEach((sentence, row) => {
      const at = rows.get(sentence);
      if (at !== undefined) {
        data.set(vectors.data.subarray(at * width, (at + 1) * width), row * width);
      }
    });
    const bytes = new Uint8Array(dump(data, [sentences.length, width]));
    const file = `${modality}.npy`;
    writeFileSync(join(folder, file), bytes, { flag: "wx" });
    describe(describedIn, modality, file, width, createHash("sha256").update(bytes).digest("hex"));
    return {
      file: join(folder, file),
      width,
      sentences: sentences.length,
      encoded: vectors.encoded,
      cutOff: unique.filter((sentence) => encoder.countTokens(sentence) > encoder.maxTokens).length,
      empty: sentences.filter((sentence) => sentence.trim() === "").length,
    };
  } finally {
    await encoder.dispose();
  }
}

async function encodeAll(
  sentences: readonly string[],
  encoder: Awaited<ReturnType<typeof openEncoder>>,
  { batchSize, cache = defaultCache(), onProgress }: TextFeaturesRequest,
): Promise<{ width: number; data: Float32Array; encoded: number }> {
  const [first] = sentences;
  if (first === undefined) {
    throw new MerclabError("data", "there is no sentence to encode", {
      hint: "Every cell of the text column is empty.",
    });
  }
  const { width } = await encoder.encode([first]);
  const known = openVectorCache(cache === null ? undefined : join(cache, `${encoder.fingerprint}.bin`), width);
  const data = new Float32Array(sentences.length * width);
  const open: number[] = [];
  sentences.forEach((sentence, at) => {
    const vector = known.get(sentence);
    if (vector === undefined) {
      open.push(at);
    } else {
      data.set(vector, at * width);
    }
  });
  // Sentences of like length share a batch: little padding.
  const lengths = new Map(open.map((at) => [at, encoder.countTokens(sentences[at] ?? "")]));
  open.sort((a, b) => (lengths.get(a) ?? 0) - (lengths.get(b) ?? 0));
  let done = sentences.length - open.length;
  onProgress?.(done, sentences.length);
  for (let start = 0; start < open.length; start += batchSize) {
    const places = open.slice(start, start + batchSize);
    const texts = places.map((at) => sentences[at] ?? "");
    const batch = await encoder.encode(texts);
    places.forEach((at, row) => {
      data.set(batch.data.subarray(row * width, (row + 1) * width), at * width);
    });
    known.add(texts, batch.data);
    done += places.length;
    onProgress?.(done, sentences.length);
  }
  return { width, data, encoded: open.length };
}

/** Adds to dataset.yaml and leaves everything else in it as it is, comments included. */
function describe(path: string, modality: string, file: string, width: number, sha256: string): void {
  const document = parseDocument(readFileSync(path, "utf8"));
  document.setIn(["modalities", modality], document.createNode({ file, width }));
  if (document.has("checksums")) {
    document.setIn(["checksums", file], sha256);
  }
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, document.toString());
  renameSync(draft, path);
}
