// Writes an imported corpus as a feature folder, one dialogue at a time: no modality is ever in memory as a whole.
import { createHash, type Hash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MerclabError } from "@merclab/core";
import { stringify } from "yaml";
import { IEMOCAP } from "./corpora.ts";
import type { ImportedCorpus, ImportedModality, Target } from "./corpus.ts";
import { furtherTargets } from "./further-targets.ts";

/** What becomes of vectors that hold NaN or infinity. */
export type NonFinite = "keep" | "zero" | "missing";

export interface Provenance {
  /** Files that were read, by name, with their bytes and SHA-256. */
  readonly sources: readonly { readonly file: string; readonly bytes: number; readonly sha256: string }[];
  readonly layout: string;
  readonly options: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

export interface WrittenModality {
  readonly name: string;
  readonly width: number;
  /** Vectors of zeros only, or given up because of values that are not finite: marked as missing. */
  readonly missing: number;
  /** NaN and infinite values as stored in the source. */
  readonly nonFinite: number;
}

/** Speakers that the source does not name. */
const UNKNOWN = "unknown";

/**
 * @throws MerclabError `data` when there is something at the target folder already
 */
export function writeFolder(
  corpus: ImportedCorpus,
  folder: string,
  target: Target,
  provenance: Provenance,
  nonFinite: NonFinite,
): readonly WrittenModality[] {
  if (
    statSync(folder, { throwIfNoEntry: false }) !== undefined &&
    (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)
  ) {
    throw new MerclabError("data", "there is something already", {
      where: folder,
      hint: "Give a folder that is new or empty.",
    });
  }
  mkdirSync(dirname(folder), { recursive: true });
  // Beside it, then renamed: a folder that is there is whole.
  const draft = join(dirname(folder), `.${basename(folder)}.import-${process.pid}`);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  try {
    const checksums: Record<string, string> = {};
    const present = new Map<string, Uint8Array>();
    const written = corpus.modalities.map((modality) => {
      const result = writeModality(corpus, modality, draft, nonFinite);
      checksums[`${modality.name}.npy`] = result.sha256;
      if (result.missing > 0) {
        present.set(modality.name, result.present);
      }
      return { name: modality.name, width: modality.width, missing: result.missing, nonFinite: result.nonFinite };
    });
    checksums["utterances.csv"] = writeTable(corpus, present, draft);
    const description = describe(
      corpus,
      target,
      present,
      { ...provenance, notes: [...provenance.notes, ...notesOf(written, nonFinite)] },
      checksums,
    );
    const file = createFile(join(draft, "dataset.yaml"));
    file.write(Buffer.from(`# Written by exp data import.\n${stringify(description, { lineWidth: 120 })}`));
    file.close();
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
    return written;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

function notesOf(written: readonly WrittenModality[], nonFinite: NonFinite): string[] {
  const done = {
    keep: "kept as they are; --non-finite zero or missing changes that",
    zero: "set to 0",
    missing: "made their utterance lack the modality",
  };
  return written.flatMap(({ name, missing, nonFinite: count }) => [
    ...(count === 0 ? [] : [`${name}: ${count} values are NaN or infinite, ${done[nonFinite]}`]),
    ...(missing === 0
      ? []
      : [
          `${name}: ${missing} utterances lack it (vectors of zeros${count > 0 && nonFinite === "missing" ? ", or not finite" : ""})`,
        ]),
  ]);
}

function writeModality(corpus: ImportedCorpus, modality: ImportedModality, folder: string, nonFinite: NonFinite) {
  const { name, width } = modality;
  const rows = corpus.dialogues.reduce((sum, { utterances }) => sum + utterances.length, 0);
  const file = createFile(join(folder, `${name}.npy`));
  file.write(npyHeader(rows, width));
  const present = new Uint8Array(rows).fill(1);
  let [row, bad] = [0, 0];
  for (const [at, { utterances }] of corpus.dialogues.entries()) {
    // Copied: what was read may be the source itself.
    const values = modality.read(at).slice();
    if (values.length !== utterances.length * width) {
      throw new Error(`${name} of dialogue ${at}: ${values.length} values for ${utterances.length} x ${width}`);
    }
    for (let start = 0; start < values.length; start += width, row++) {
      const vector = values.subarray(start, start + width);
      let [found, zeros] = [0, true];
      for (const value of vector) {
        found += Number.isFinite(value) ? 0 : 1;
        zeros &&= value === 0;
      }
      bad += found;
      if (found > 0 && nonFinite === "zero") {
        vector.forEach((value, column) => {
          vector[column] = Number.isFinite(value) ? value : 0;
        });
      }
      if (zeros || (found > 0 && nonFinite === "missing")) {
        vector.fill(0);
        present[row] = 0;
      }
    }
    file.write(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  }
  const missing = present.reduce((sum, flag) => sum + 1 - flag, 0);
  return { sha256: file.close(), present, missing, nonFinite: bad };
}

/** Version 1.0: magic, length of the header, header padded to a multiple of 64 bytes. */
function npyHeader(rows: number, width: number): Buffer {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${width}), }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, "latin1")]);
}

function writeTable(corpus: ImportedCorpus, present: ReadonlyMap<string, Uint8Array>, folder: string): string {
  const first = corpus.dialogues[0]?.utterances[0];
  const cells = Object.keys(first?.cells ?? {});
  const sentences = corpus.dialogues.some(({ utterances }) =>
    utterances.some(({ sentence }) => sentence !== undefined),
  );
  const speakers = corpus.speakers !== "none";
  const flags = [...present];
  const header = [
    "dialogue",
    "order",
    "utterance",
    ...(speakers ? ["speaker"] : []),
    "split",
    ...cells,
    ...flags.map(([name]) => `has_${name}`),
    ...(sentences ? ["text"] : []),
  ];
  const file = createFile(join(folder, "utterances.csv"));
  const write = (record: readonly string[]): void => file.write(Buffer.from(`${record.map(csvCell).join(",")}\r\n`));
  write(header);
  let row = 0;
  for (const { id, split, utterances } of corpus.dialogues) {
    for (const [order, utterance] of utterances.entries()) {
      write([
        id,
        String(order),
        utterance.id,
        ...(speakers ? [utterance.speaker || UNKNOWN] : []),
        split,
        ...cells.map((name) => utterance.cells[name] ?? ""),
        ...flags.map(([, marks]) => String(marks[row])),
        ...(sentences ? [utterance.sentence ?? ""] : []),
      ]);
      row++;
    }
  }
  return file.close();
}

/** RFC 4180. */
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

function describe(
  corpus: ImportedCorpus,
  target: Target,
  present: ReadonlyMap<string, Uint8Array>,
  provenance: Provenance,
  checksums: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const { dialogues, modalities } = corpus;
  const targets = furtherTargets(corpus);
  const names = (list: (typeof dialogues)[number]["utterances"]): string[] => [
    ...new Set(list.map(({ speaker }) => speaker || UNKNOWN)),
  ];
  const sentences = dialogues.some(({ utterances }) => utterances.some(({ sentence }) => sentence !== undefined));
  const speakers = {
    none: undefined,
    corpus: {
      column: "speaker",
      values: [...new Set(dialogues.flatMap(({ utterances }) => names(utterances)))].sort(),
    },
    "per-dialogue": {
      column: "speaker",
      perDialogue: dialogues.reduce((most, { utterances }) => Math.max(most, names(utterances).length), 1),
    },
  }[corpus.speakers];
  return {
    name: corpus.name,
    utterances: "utterances.csv",
    columns: { dialogue: "dialogue", order: "order", utterance: "utterance", ...(sentences ? { text: "text" } : {}) },
    labels: { column: target.column, as: target.as, classes: [...target.classes] },
    ...(Object.keys(targets).length === 0 ? {} : { targets }),
    splits: { column: "split" },
    ...(speakers === undefined ? {} : { speakers }),
    // IEMOCAP names its five sessions, with actors of their own, in its dialogues.
    ...(dialogues.every(({ id }) => IEMOCAP.ids.test(id)) ? { sessions: { pattern: "^Ses(\\d\\d)" } } : {}),
    modalities: Object.fromEntries(
      modalities.map(({ name, width, fittedOn }) => [
        name,
        {
          file: `${name}.npy`,
          width,
          ...(present.has(name) ? { present: `has_${name}` } : {}),
          ...(fittedOn === undefined ? {} : { fittedOn: { parts: [...fittedOn] } }),
        },
      ]),
    ),
    provenance,
    checksums,
  };
}

/** A file that is hashed while it is written. */
function createFile(path: string): { write(bytes: Buffer): void; close(): string } {
  const descriptor = openSync(path, "wx");
  const hash: Hash = createHash("sha256");
  let waiting: Buffer[] = [];
  let size = 0;
  const flush = (): void => {
    const all = Buffer.concat(waiting);
    for (let done = 0; done < all.length; ) {
      done += writeSync(descriptor, all, done);
    }
    hash.update(all);
    waiting = [];
    size = 0;
  };
  return {
    write(bytes) {
      waiting.push(bytes);
      size += bytes.length;
      if (size >= 1 << 20) {
        flush();
      }
    },
    close() {
      flush();
      closeSync(descriptor);
      return hash.digest("hex");
    },
  };
}
