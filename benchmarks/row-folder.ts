// A row as files, the same for both sides: settings as JSON, and its dialogues end to end, one binary file per kind.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Dialogue,
  drawNormal,
  foldKey,
  keyFromSeed,
  type ModalityInfo,
  type PluginKind,
  type PluginRegistry,
  resolveClassWeights,
} from "@merclab/core";
import type { MeasuredBatches } from "./batches.ts";
import type { Corpus, Talk } from "./corpus.ts";
import type { Choice, Row } from "./rows.ts";

/** Every number that either side works with; options are complete. */
export interface RowSettings {
  readonly work: Row["work"];
  readonly encoder: Choice;
  readonly fusion: Choice;
  readonly objective: Choice;
  readonly optimizer: Choice;
  readonly threads: number;
  readonly seed: number;
  readonly modalities: readonly ModalityInfo[];
  readonly numSpeakers: number;
  readonly classes: readonly string[];
  readonly trainClassCounts: readonly number[];
  /** What the objective's option `classWeights` comes to; null = unweighted. */
  readonly classWeights: readonly number[] | null;
  /** Utterances of each dialogue. */
  readonly lengths: readonly number[];
  /** Places of dialogues in `lengths`, batch by batch. */
  readonly batches: readonly (readonly number[])[];
}

/** Settings as published, and the same without dropout, under which both sides must compute the same losses. */
export const SETTINGS_FILES = { timing: "timing.json", agreement: "agreement.json" } as const;

/** Writes a row's dialogues with made-up features, and both settings. */
export function writeRowFolder(
  folder: string,
  row: Row,
  corpus: Corpus,
  { batches }: MeasuredBatches,
  threads: number,
  registry: PluginRegistry,
): void {
  const talks = batches.flat();
  writeIntegers(
    join(folder, "speakers.i32"),
    talks.map(({ speakers }) => speakers),
  );
  writeIntegers(
    join(folder, "labels.i32"),
    talks.map(({ labels }) => labels),
  );
  const utterances = talks.reduce((sum, { speakers }) => sum + speakers.length, 0);
  for (const { name, dim } of corpus.modalities) {
    const values = Float32Array.from(drawNormal(foldKey(keyFromSeed(0), "features", name), utterances * dim));
    writeFileSync(join(folder, `${name}.f32`), values);
  }
  const settings = rowSettings(row, corpus, batches, threads, registry);
  writeFileSync(join(folder, SETTINGS_FILES.timing), JSON.stringify(settings));
  writeFileSync(join(folder, SETTINGS_FILES.agreement), JSON.stringify(withoutDropout(settings)));
}

export interface RowFolder {
  readonly settings: RowSettings;
  readonly dialogues: readonly Dialogue[];
}

export function readRowFolder(folder: string, settingsFile: string): RowFolder {
  const settings = JSON.parse(readFileSync(join(folder, settingsFile), "utf8")) as RowSettings;
  const speakers = new Int32Array(readBytes(join(folder, "speakers.i32")));
  const labels = new Int32Array(readBytes(join(folder, "labels.i32")));
  const features = settings.modalities.map(({ name, dim }) => ({
    name,
    dim,
    values: new Float32Array(readBytes(join(folder, `${name}.f32`))),
  }));
  let end = 0;
  const dialogues = settings.lengths.map((length, i): Dialogue => {
    const start = end;
    end += length;
    return {
      id: String(i),
      utteranceIds: Array.from({ length }, (_, place) => `${i}/${place}`),
      features: Object.fromEntries(
        features.map(({ name, dim, values }) => [name, values.subarray(start * dim, end * dim)]),
      ),
      present: Object.fromEntries(features.map(({ name }) => [name, new Uint8Array(length).fill(1)])),
      speakers: speakers.subarray(start, end),
      labels: labels.subarray(start, end),
    };
  });
  return { settings, dialogues };
}

function rowSettings(
  row: Row,
  corpus: Corpus,
  batches: readonly (readonly Talk[])[],
  threads: number,
  registry: PluginRegistry,
): RowSettings {
  const complete = (kind: PluginKind, { name, options }: Choice): Choice => ({
    name,
    options: registry.get(kind, name).options.parse(options) as Record<string, unknown>,
  });
  const objective = complete("objective", row.model.objective);
  const weights = resolveClassWeights(
    objective.options.classWeights as Parameters<typeof resolveClassWeights>[0],
    corpus.trainClassCounts,
  );
  let place = 0;
  return {
    work: row.work,
    encoder: complete("encoder", row.model.encoder),
    fusion: complete("fusion", row.model.fusion),
    objective,
    optimizer: complete("optimizer", { name: "adam", options: { lr: row.learningRate, weightDecay: 1e-5 } }),
    threads,
    seed: 0,
    modalities: corpus.modalities,
    numSpeakers: corpus.numSpeakers,
    classes: corpus.classes,
    trainClassCounts: corpus.trainClassCounts,
    classWeights: weights ?? null,
    lengths: batches.flat().map(({ speakers }) => speakers.length),
    batches: batches.map((batch) => batch.map(() => place++)),
  };
}

function withoutDropout(settings: RowSettings): RowSettings {
  const still = ({ name, options }: Choice): Choice => ({
    name,
    options: "dropout" in options ? { ...options, dropout: 0 } : options,
  });
  return { ...settings, encoder: still(settings.encoder), objective: still(settings.objective) };
}

function writeIntegers(file: string, parts: readonly Int32Array[]): void {
  writeFileSync(file, Int32Array.from(parts.flatMap((part) => [...part])));
}

function readBytes(file: string): ArrayBuffer {
  const bytes = readFileSync(file);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
