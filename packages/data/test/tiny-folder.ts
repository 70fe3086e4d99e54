// A correct feature folder of five dialogues in a temporary place, and ways to spoil it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import { dump } from "npyjs";
import { afterAll } from "vitest";
import { stringify } from "yaml";

export type Row = Record<string, string>;

/** Dialogues a, b, c (train), d (valid), e (test) of two utterances each; labels alternate. */
export function tinyRows(): Row[] {
  return ["a", "b", "c", "d", "e"].flatMap((dialogue) =>
    ["0", "1"].map((order) => ({
      dialogue,
      order,
      speaker: order === "0" ? "M" : "F",
      part: { d: "valid", e: "test" }[dialogue] ?? "train",
      emotion: order === "0" ? "calm" : "tense",
      heard: "1",
    })),
  );
}

export function tinyDescription() {
  return {
    name: "tiny",
    utterances: "utterances.csv",
    columns: { dialogue: "dialogue", order: "order" },
    labels: { column: "emotion", classes: ["calm", "tense"] },
    splits: { column: "part" },
    speakers: { column: "speaker", values: ["M", "F"] },
    modalities: {
      text: { file: "text.npy", width: 3 },
      audio: { file: "audio.npy", present: "heard" },
    },
  };
}

/** `[rows, width]` values that differ from each other. */
export function values(rows: number, width: number): Float32Array {
  return Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i * 1.7) + 0.1 * (i % width));
}

export function npy(data: Float32Array | Float64Array | Int32Array, shape: number[]): Uint8Array {
  return new Uint8Array(dump(data, shape));
}

export function csv(rows: readonly Row[]): string {
  const header = Object.keys(rows[0] ?? {});
  return [header, ...rows.map((row) => header.map((name) => row[name] ?? ""))].map((cells) => cells.join()).join("\n");
}

const written: string[] = [];
afterAll(() => Promise.all(written.map((folder) => rm(folder, { recursive: true, force: true }))));

/** Writes the folder, until the tests of the file end; files given replace or extend those of the correct one, null leaves one out. */
export async function writeFolder(files: Record<string, string | Uint8Array | object | null> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "merclab-data-"));
  written.push(folder);
  const rows = tinyRows();
  const all: typeof files = {
    "dataset.yaml": tinyDescription(),
    "utterances.csv": csv(rows),
    "text.npy": npy(values(rows.length, 3), [rows.length, 3]),
    "audio.npy": npy(values(rows.length, 2), [rows.length, 2]),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    if (content !== null) {
      const raw = typeof content === "string" || content instanceof Uint8Array;
      await writeFile(join(folder, name), raw ? content : stringify(content));
    }
  }
  return folder;
}

/** Rows with one changed: `changed(3, { emotion: "sad" })`. */
export function changed(at: number, cells: Row): Row[] {
  return tinyRows().map((row, index) => (index === at ? { ...row, ...cells } : row));
}

/** The error that a promise ends in, as it is shown: code, place, message, hint. */
export async function errorOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MerclabError) {
      return `${error.code} | ${error.where} | ${error.message} | ${error.hint}`;
    }
    throw error;
  }
  throw new Error("expected an error, got none");
}
