// Sequences of frames inside utterances: MMSA's and MultiBench's files of MOSI, MOSEI and SIMS. Frames are averaged to
// one vector per utterance; utterances are grouped to videos by their ids.
import { SPLITS, type Split } from "@merclab/core";
import { describeValue, NdArray, type PickleKey, type PickleValue } from "@merclab/pickle";
import { repairText } from "../../text/repair-text.ts";
import { SCORE_TARGETS, scoreCells } from "../corpora.ts";
import type { ImportedCorpus, ImportedDialogue, ImportedModality, Target } from "../corpus.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";
import { idOf, isDict, itemsOf, numberOf, numbersOf, textOf } from "../python-values.ts";
import { missingKeys } from "./keyed.ts";

interface FrameRules {
  readonly name: string;
  readonly summary: string;
  /** Keys that a part must have. */
  readonly keys: readonly string[];
  readonly labels: string;
  readonly unlike?: (part: Map<PickleKey, PickleValue>) => string | undefined;
}

/** Where an utterance's frames lie. */
interface Place {
  readonly split: Split;
  readonly row: number;
}

interface Clip extends Place {
  readonly video: string;
  readonly number: number;
  readonly id: string;
}

export const frameLayouts: readonly Layout[] = [
  frameLayout({
    name: "mmsa",
    summary: "aligned_50.pkl, unaligned_50.pkl, unaligned_39.pkl (MMSA, also as HDF5): frames, averaged per utterance",
    keys: ["audio", "vision", "id", "text", "regression_labels"],
    labels: "regression_labels",
  }),
  frameLayout({
    name: "multibench",
    summary: "mosi_raw.pkl, mosei_raw.pkl, sarcasm, humor (MultiBench): frames, averaged per utterance",
    keys: ["audio", "vision", "id", "text", "labels"],
    labels: "labels",
    unlike: (part) => (part.has("regression_labels") ? "it has regression_labels, as MMSA's files" : undefined),
  }),
];

function frameLayout(rules: FrameRules): Layout {
  return {
    name: rules.name,
    summary: rules.summary,
    mismatch({ value }) {
      const parts = missingKeys(value, ["train", "test"]);
      if (parts !== undefined || !isDict(value)) {
        return parts;
      }
      const train = value.get("train") as PickleValue;
      return missingKeys(train, rules.keys) ?? (isDict(train) ? rules.unlike?.(train) : undefined);
    },
    read: ({ value }) => readFrames(value as Map<PickleKey, PickleValue>, rules),
  };
}

function readFrames(file: Map<PickleKey, PickleValue>, rules: FrameRules): ImportedCorpus {
  const parts = new Map<Split, Map<PickleKey, PickleValue>>();
  for (const split of SPLITS) {
    const part = file.get(split);
    if (part !== undefined) {
      const missing = missingKeys(part, rules.keys);
      if (missing !== undefined) {
        throw new LayoutError(`${split}: ${missing}`);
      }
      parts.set(split, part as Map<PickleKey, PickleValue>);
    }
  }
  const clips = [...parts].flatMap(([split, part]) => clipsOf(split, part));
  const notes = ["frames inside an utterance were averaged; frames that are not finite were left out"];
  const splitsOf = new Map<string, Set<Split>>();
  for (const { video, split } of clips) {
    splitsOf.set(video, (splitsOf.get(video) ?? new Set()).add(split));
  }
  const shared = [...splitsOf.values()].filter(({ size }) => size > 1).length;
  if (shared > 0) {
    notes.push(`${shared} videos have clips in two parts; the clips of each part were made a dialogue of their own`);
  }
  const groups = new Map<string, Clip[]>();
  for (const clip of clips) {
    const key = shared > 0 ? `${clip.split}/${clip.video}` : clip.video;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, [clip]);
    } else {
      group.push(clip);
    }
  }
  const labels = new Map(
    [...parts].map(([split, part]) => [split, scoresOf(part.get(rules.labels), `${split}.${rules.labels}`)]),
  );
  const all = [...labels.values()].flat();
  const binary = all.every((label) => label === 0 || label === 1) || all.every((label) => label === -1 || label === 1);
  const targets: readonly Target[] = binary
    ? [{ column: "label", classes: ["no", "yes"], as: "index" }]
    : SCORE_TARGETS;
  const sentences = new Map(
    [...parts].flatMap(([split, part]) => {
      const texts = part.get("raw_text");
      return texts === undefined ? [] : [[split, itemsOf(texts, `${split}.raw_text`)] as const];
    }),
  );
  const sorted = [...groups].map(([id, group]) => ({ id, clips: group.sort((a, b) => a.number - b.number) }));
  const dialogues = sorted.map(
    ({ id, clips: group }): ImportedDialogue => ({
      id,
      split: group[0]?.split ?? "train",
      utterances: group.map((clip) => {
        const score = labels.get(clip.split)?.[clip.row];
        if (score === undefined || !Number.isFinite(score)) {
          throw new LayoutError(`${clip.split}.${rules.labels}: utterance ${clip.row} has no label`);
        }
        const texts = sentences.get(clip.split);
        const sentence = texts === undefined ? undefined : repairText(textOf(texts[clip.row], "raw_text"));
        const cells = binary ? { label: score > 0 ? "1" : "0" } : scoreCells(score);
        return { id: clip.id, speaker: "", cells, ...(sentence === undefined ? {} : { sentence }) };
      }),
    }),
  );
  const places = sorted.map(({ clips: group }) => group);
  return {
    name: rules.name,
    dialogues,
    modalities: [
      pooled("text", "text", parts, places),
      pooled("audio", "audio", parts, places),
      pooled("visual", "vision", parts, places),
    ],
    targets,
    speakers: "none",
    notes,
  };
}

/** `video$_$12`, `video[12]` or `video_12`. */
function clipsOf(split: Split, part: Map<PickleKey, PickleValue>): Clip[] {
  const ids = part.get("id") as PickleValue;
  const rows = ids instanceof NdArray && ids.shape.length === 2 ? rowsOf(ids) : itemsOf(ids, `${split}.id`);
  return rows.map((item, row) => {
    const id = idOf(Array.isArray(item) ? item[0] : item, `${split}.id`);
    const match = /^(.+)\$_\$(\d+)$/.exec(id) ?? /^(.+)\[(\d+)\]$/.exec(id) ?? /^(.+)_(\d+)$/.exec(id);
    return { split, row, id: `${split}/${id}`, video: match?.[1] ?? id, number: Number(match?.[2] ?? row) };
  });
}

function rowsOf(array: NdArray): PickleValue[][] {
  const values = array.toValues();
  const width = array.shape[1] ?? 1;
  return Array.from({ length: array.shape[0] ?? 0 }, (_, row) => values.slice(row * width, (row + 1) * width));
}

function scoresOf(value: PickleValue | undefined, what: string): number[] {
  return value instanceof NdArray ? numbersOf(value, what) : itemsOf(value, what).map((item) => numberOf(item, what));
}

/** Frames `[utterances, frames, width]`, averaged over those that count. */
function pooled(
  name: string,
  key: string,
  parts: ReadonlyMap<Split, Map<PickleKey, PickleValue>>,
  places: readonly (readonly Place[])[],
): ImportedModality {
  const arrays = new Map<Split, { frames: NdArray; lengths: readonly number[] | undefined }>();
  let width = 0;
  for (const [split, part] of parts) {
    const frames = part.get(key) as PickleValue;
    if (!(frames instanceof NdArray) || !frames.isNumeric || frames.shape.length !== 3) {
      throw new LayoutError(`${split}.${key}: expected [utterances, frames, width], got ${describeValue(frames)}`);
    }
    const found = frames.shape[2] ?? 0;
    if (found === 0 || (width !== 0 && found !== width)) {
      throw new LayoutError(`${split}.${key} has width ${found}, another part ${width}`);
    }
    width = found;
    const lengths = part.get(`${key}_lengths`);
    arrays.set(split, {
      frames,
      lengths:
        lengths === undefined || lengths === null
          ? textLengths(part, key)
          : scoresOf(lengths, `${split}.${key}_lengths`),
    });
  }
  return {
    name,
    width,
    read(dialogue) {
      const group = places[dialogue] ?? [];
      const out = new Float32Array(group.length * width);
      group.forEach(({ split, row }, at) => {
        const { frames, lengths } = arrays.get(split) as { frames: NdArray; lengths: readonly number[] | undefined };
        const count = frames.shape[1] ?? 0;
        const start = row * count * width;
        const used = Math.min(lengths?.[row] ?? count, count);
        average(
          frames.readFloat32(start, start + used * width),
          width,
          lengths === undefined,
          out.subarray(at * width, (at + 1) * width),
        );
      });
      return out;
    },
  };
}

/** Words per utterance, by the mask of BERT's input (the second of its three rows). */
function textLengths(part: Map<PickleKey, PickleValue>, key: string): readonly number[] | undefined {
  const bert = part.get("text_bert");
  if (key !== "text" || !(bert instanceof NdArray) || bert.shape.length !== 3 || bert.shape[1] !== 3) {
    return undefined;
  }
  const [utterances = 0, rows = 3, length = 0] = bert.shape;
  return Array.from({ length: utterances }, (_, row) => {
    const start = (row * rows + 1) * length;
    return bert.readFloat32(start, start + length).reduce((sum, value) => sum + value, 0);
  });
}

/** @param skipEmpty frames of zeros only are padding where no lengths are stored */
function average(frames: Float32Array, width: number, skipEmpty: boolean, out: Float32Array): void {
  let used = 0;
  for (let at = 0; at < frames.length; at += width) {
    const frame = frames.subarray(at, at + width);
    if (frame.every(Number.isFinite) && !(skipEmpty && frame.every((value) => value === 0))) {
      used++;
      frame.forEach((value, column) => {
        out[column] = (out[column] ?? 0) + value;
      });
    }
  }
  for (let column = 0; used > 0 && column < width; column++) {
    out[column] = (out[column] ?? 0) / used;
  }
}
