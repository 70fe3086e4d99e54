// Features that lie in files of their own, joined to the dialogues of another: --features NAME=PATH. A path is a folder
// with one .npy per utterance, or a file with vectors by dialogue, by utterance, or row by row.
import { existsSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { MerclabError } from "@merclab/core";
import { NdArray, type PickleKey, type PickleValue } from "@merclab/pickle";
import { type OpenedFile, openFile } from "../files/open-file.ts";
import type { ImportedCorpus, ImportedModality } from "./corpus.ts";
import { LayoutError } from "./layout-error.ts";
import { idOf, isDict, VectorList, widthOf } from "./python-values.ts";

/** COSMIC's nine relations of an event, by position. */
const COMET = ["xIntent", "xAttr", "xNeed", "xWant", "xEffect", "xReact", "oWant", "oEffect", "oReact"] as const;
/** The three parts of MELD's baseline files, by position. */
const BASELINE_PARTS = ["train", "valid", "test"] as const;

export interface JoinedFeatures {
  readonly modalities: readonly ImportedModality[];
  readonly files: readonly OpenedFile[];
}

/** @throws MerclabError `data`, LayoutError when vectors are missing or do not fit */
export async function joinFeatures(name: string, path: string, corpus: ImportedCorpus): Promise<JoinedFeatures> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    return { modalities: [await fromFolder(name, path, corpus)], files: [] };
  }
  const file = await openFile(path);
  const { value } = file;
  if (Array.isArray(value) && value.length === COMET.length && value.every(isDict)) {
    const modalities = value.map((dict, at) =>
      fromDict(`${name}-${COMET[at]}`, dict as Map<PickleKey, PickleValue>, corpus),
    );
    return { modalities, files: [file] };
  }
  if (Array.isArray(value) && value.length === BASELINE_PARTS.length && value.every(isDict)) {
    return { modalities: [fromBaseline(name, value as Map<PickleKey, PickleValue>[], corpus)], files: [file] };
  }
  if (isDict(value)) {
    return { modalities: [fromDict(name, value, corpus)], files: [file] };
  }
  if (value instanceof NdArray && value.isNumeric && value.shape.length === 2) {
    return { modalities: [fromRows(name, value, corpus)], files: [file] };
  }
  file.close();
  throw new LayoutError(`${name}: ${path} holds no vectors by dialogue, by utterance or row by row`);
}

async function fromFolder(name: string, folder: string, corpus: ImportedCorpus): Promise<ImportedModality> {
  const pathOf = (id: string): string => {
    if (id.includes("/") || id.includes(sep) || id === "" || id === "..") {
      throw new LayoutError(`${name}: utterance id "${id}" cannot be a file name`);
    }
    return join(folder, `${id}.npy`);
  };
  const all = corpus.dialogues.flatMap(({ utterances }) => utterances);
  const missing = all.filter(({ id }) => !existsSync(pathOf(id)));
  const [first] = missing;
  if (first !== undefined) {
    throw new MerclabError(
      "data",
      `${name}: ${missing.length} of ${all.length} utterances have no file, this is the first`,
      {
        where: pathOf(first.id),
        hint: "Expected one .npy per utterance, named by its id. Faces in compress_F.npy and compress_M.npy are not read.",
      },
    );
  }
  const vectorOf = async (id: string): Promise<Float32Array> => {
    const file = await openFile(pathOf(id));
    try {
      return utteranceVector(file.value, `${name}, ${pathOf(id)}`);
    } finally {
      file.close();
    }
  };
  const vectors: Float32Array[][] = [];
  let width = 0;
  for (const { utterances } of corpus.dialogues) {
    const group: Float32Array[] = [];
    for (const { id } of utterances) {
      const vector = await vectorOf(id);
      if (width !== 0 && vector.length !== width) {
        throw new LayoutError(`${name}: ${pathOf(id)} has width ${vector.length}, the first has ${width}`);
      }
      width = vector.length;
      group.push(vector);
    }
    vectors.push(group);
  }
  return { name, width, read: (dialogue) => endToEnd(vectors[dialogue] ?? [], width) };
}

/** One vector, or frames `[frames, width]` that are averaged. */
function utteranceVector(value: PickleValue, where: string): Float32Array {
  if (!(value instanceof NdArray) || !value.isNumeric || value.size === 0) {
    throw new LayoutError(`${where}: expected numbers`);
  }
  if (widthOf(value) !== undefined && value.shape.length < 3) {
    return value.toFloat32();
  }
  const [frames = 0, width = 0] = value.shape;
  if (value.shape.length !== 2) {
    throw new LayoutError(`${where}: expected [width] or [frames, width], got [${value.shape.join(", ")}]`);
  }
  const values = value.toFloat32();
  return Float32Array.from({ length: width }, (_, column) => {
    let sum = 0;
    for (let frame = 0; frame < frames; frame++) {
      sum += values[frame * width + column] ?? 0;
    }
    return sum / frames;
  });
}

/** Keyed by dialogue (lists or matrices), or by utterance. */
function fromDict(name: string, dict: Map<PickleKey, PickleValue>, corpus: ImportedCorpus): ImportedModality {
  const entries = new Map([...dict].map(([key, item]) => [idOf(key, `key of ${name}`), item]));
  const byDialogue = corpus.dialogues.every(({ id }) => entries.has(id));
  const lists = corpus.dialogues.map(({ id, utterances }) => {
    const list = byDialogue
      ? entries.get(id)
      : utterances.map((utterance) => {
          const vector = entries.get(utterance.id);
          if (vector === undefined) {
            throw new LayoutError(`${name}: neither dialogue "${id}" nor utterance "${utterance.id}" has vectors`);
          }
          return vector;
        });
    return checkedList(name, id, list, utterances.length);
  });
  return listed(name, lists);
}

/** `"dia_utt"` to a vector, or `"dia"` to padded vectors in speaking order. */
function fromBaseline(
  name: string,
  parts: readonly Map<PickleKey, PickleValue>[],
  corpus: ImportedCorpus,
): ImportedModality {
  const lists = corpus.dialogues.map(({ id, split, utterances }) => {
    const part = parts[BASELINE_PARTS.indexOf(split)];
    const dialogue = /_dia(\d+)$/.exec(id)?.[1] ?? id;
    const padded = part?.get(dialogue);
    if (padded instanceof NdArray && padded.shape.length === 2) {
      const width = padded.shape[1] ?? 0;
      const rows = utterances.map((_, row) => [...padded.readFloat32(row * width, (row + 1) * width)]);
      return checkedList(name, id, rows, utterances.length);
    }
    const vectors = utterances.map((utterance) => {
      const order = /_utt(\d+)$/.exec(utterance.id)?.[1] ?? utterance.id;
      const vector = part?.get(`${dialogue}_${order}`);
      if (vector === undefined) {
        throw new LayoutError(`${name}: utterance ${order} of dialogue ${dialogue} (${split}) has no vector`);
      }
      return vector;
    });
    return checkedList(name, id, vectors, utterances.length);
  });
  return listed(name, lists);
}

/** Row n belongs to utterance n of the table that is written. */
function fromRows(name: string, matrix: NdArray, corpus: ImportedCorpus): ImportedModality {
  const total = corpus.dialogues.reduce((sum, { utterances }) => sum + utterances.length, 0);
  const [rows = 0, width = 0] = matrix.shape;
  if (rows !== total || width === 0) {
    throw new LayoutError(`${name}: ${total} utterances, ${rows} rows of width ${width}`);
  }
  let start = 0;
  const starts = corpus.dialogues.map(({ utterances }) => {
    const first = start;
    start += utterances.length;
    return first;
  });
  return {
    name,
    width,
    read: (dialogue) => matrix.readFloat32((starts[dialogue] ?? 0) * width, (starts[dialogue + 1] ?? total) * width),
  };
}

function checkedList(name: string, id: string, value: PickleValue | undefined, count: number): VectorList {
  const list = new VectorList(value, `${name} of dialogue "${id}"`);
  if (list.length !== count) {
    throw new LayoutError(`dialogue "${id}" has ${count} utterances and ${list.length} vectors of ${name}`);
  }
  return list;
}

function listed(name: string, lists: readonly VectorList[]): ImportedModality {
  const width = lists[0]?.width ?? 0;
  if (width === 0 || lists.some((list) => list.width !== width)) {
    throw new LayoutError(`${name}: dialogues have vectors of different widths`);
  }
  return { name, width, read: (dialogue) => lists[dialogue]?.read() ?? new Float32Array() };
}

function endToEnd(vectors: readonly Float32Array[], width: number): Float32Array {
  const out = new Float32Array(vectors.length * width);
  vectors.forEach((vector, at) => {
    out.set(vector, at * width);
  });
  return out;
}
