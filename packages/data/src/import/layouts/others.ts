// Files with a form of their own: MELD's baseline sentences, video-level MOSEI, MERBench's labels.
import { SPLITS, type Split } from "@merclab/core";
import { NdArray, type PickleKey, type PickleValue } from "@merclab/pickle";
import { repairText } from "../../text/repair-text.ts";
import { MELD, SCORE_TARGETS, scoreCells } from "../corpora.ts";
import type { ImportedDialogue, ImportedUtterance } from "../corpus.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";
import { idOf, isDict, numberOf, textOf } from "../python-values.ts";
import { missingKeys } from "./keyed.ts";

const VIDEO_KEYS: Readonly<Record<string, string>> = { text: "language", audio: "acoustic", visual: "visual" };
const PART_NAMES: Readonly<Record<Split, string>> = { train: "train", valid: "val", test: "test" };

const moseiVideo: Layout = {
  name: "mosei-video",
  summary:
    "video_level_{train,val,test}_data.pkl (CMU-MOSEI by video): one row per video; the others are taken from beside it",
  mismatch: ({ value }) => missingKeys(value, [...Object.values(VIDEO_KEYS), "labels"]),
  async read({ value, path, beside }) {
    const own = path.split(/[\\/]/).at(-1) ?? "";
    const part = SPLITS.find((split) => own.includes(`_${PART_NAMES[split]}_`));
    if (part === undefined) {
      throw new LayoutError(`its name tells no part: expected …_train_…, …_val_… or …_test_…, got ${own}`);
    }
    const files = new Map<Split, PickleValue>([[part, value]]);
    const notes = [
      "one row per video: every dialogue has one utterance",
      "labels are as stored: the mean of all label columns, not the usual sentiment",
    ];
    for (const split of SPLITS) {
      const name = own.replace(`_${PART_NAMES[part]}_`, `_${PART_NAMES[split]}_`);
      const other = split === part ? undefined : await beside(name);
      if (other !== undefined) {
        files.set(split, other.value);
      } else if (split !== part) {
        notes.push(`${name} is not beside it: the ${split} part is empty`);
      }
    }
    const rows: { readonly split: Split; readonly row: number }[] = [];
    const dialogues: ImportedDialogue[] = [];
    const arrays = new Map<Split, Record<string, NdArray>>();
    for (const split of SPLITS) {
      const file = files.get(split);
      if (file === undefined) {
        continue;
      }
      const missing = missingKeys(file, [...Object.values(VIDEO_KEYS), "labels"]);
      const labels = isDict(file) ? file.get("labels") : undefined;
      if (missing !== undefined || !(labels instanceof NdArray)) {
        throw new LayoutError(`${split}: ${missing ?? "labels are no array"}`);
      }
      const scores = labels.toFloat64();
      const own: Record<string, NdArray> = {};
      for (const [name, key] of Object.entries(VIDEO_KEYS)) {
        const array = (file as Map<PickleKey, PickleValue>).get(key);
        if (!(array instanceof NdArray) || array.shape.length !== 2 || array.shape[0] !== scores.length) {
          throw new LayoutError(`${split}.${key}: expected [${scores.length}, width]`);
        }
        own[name] = array;
      }
      arrays.set(split, own);
      scores.forEach((score, row) => {
        const id = `${split}/${row}`;
        rows.push({ split, row });
        dialogues.push({ id, split, utterances: [{ id: `${id}/0`, speaker: "", cells: scoreCells(score) }] });
      });
    }
    return {
      name: "cmu-mosei-video",
      dialogues,
      modalities: Object.keys(VIDEO_KEYS).map((name) => {
        const array = (split: Split | undefined): NdArray | undefined => arrays.get(split ?? "train")?.[name];
        const width = [...arrays.values()][0]?.[name]?.shape[1] ?? 0;
        return {
          name,
          width,
          read(at: number) {
            const { split, row } = rows[at] ?? { split: "train", row: 0 };
            return array(split)?.readFloat32(row * width, (row + 1) * width) ?? new Float32Array();
          },
        };
      }),
      targets: SCORE_TARGETS,
      speakers: "none",
      notes,
    };
  },
};

const MERBENCH: Readonly<Record<Split, string>> = { train: "train_corpus", valid: "val_corpus", test: "test_corpus" };

const merbench: Layout = {
  name: "merbench",
  summary: "label.npz (MERBench): ids and scores of the standard parts, no features",
  mismatch: ({ value }) => missingKeys(value, ["train_corpus", "test_corpus"]),
  read({ value }) {
    const groups = new Map<string, { split: Split; utterances: { order: number; utterance: ImportedUtterance }[] }>();
    for (const split of SPLITS) {
      const array = (value as Map<PickleKey, PickleValue>).get(MERBENCH[split]);
      const corpus = array instanceof NdArray ? array.toValues()[0] : array;
      if (!isDict(corpus)) {
        throw new LayoutError(`${MERBENCH[split]}: expected a dict by utterance`);
      }
      for (const [key, entry] of corpus) {
        const id = idOf(key, "id");
        const match = /^(.+)_(\d+)$/.exec(id);
        if (match === null || !isDict(entry)) {
          throw new LayoutError(`${MERBENCH[split]}: "${id}" is no video_number with values`);
        }
        const video = match[1] ?? id;
        const group = groups.get(video) ?? { split, utterances: [] };
        groups.set(video, group);
        if (group.split !== split) {
          throw new LayoutError(`dialogue "${video}" is in two parts, ${group.split} and ${split}`);
        }
        const cells = scoreCells(numberOf(entry.get("val"), `val of ${id}`));
        group.utterances.push({ order: Number(match[2]), utterance: { id, speaker: "", cells } });
      }
    }
    const dialogues = [...groups].map(
      ([id, { split, utterances }]): ImportedDialogue => ({
        id,
        split,
        utterances: utterances.sort((a, b) => a.order - b.order).map(({ utterance }) => utterance),
      }),
    );
    return {
      name: "cmu-mosei",
      dialogues,
      modalities: [],
      targets: SCORE_TARGETS,
      speakers: "none",
      notes: ["the file has no features: --features adds them"],
    };
  },
};

const meldBaseline: Layout = {
  name: "meld-baseline-text",
  summary: "data_emotion.p, data_sentiment.p (MELD baseline): sentences with word counts, no features",
  mismatch({ value }) {
    const [entries] = Array.isArray(value) && value.length === 6 ? value : [];
    return Array.isArray(entries) && isDict(entries[0])
      ? missingKeys(entries[0], ["text", "split", "y", "dialog", "utterance"])
      : "it is no tuple of 6 that begins with sentences";
  },
  read({ value }) {
    const [entries, , , , , index] = value as PickleValue[];
    const names: string[] = [];
    for (const [name, at] of isDict(index) ? index : []) {
      names[numberOf(at, "label index")] = idOf(name, "label");
    }
    const classes = names.length > 0 ? names : MELD.classes;
    const groups = new Map<string, { split: Split; utterances: { order: number; utterance: ImportedUtterance }[] }>();
    for (const entry of entries as Map<PickleKey, PickleValue>[]) {
      const part = idOf(entry.get("split"), "split");
      const split = SPLITS.find(
        (name) => PART_NAMES[name] === part || name === part || (name === "valid" && part === "dev"),
      );
      const label = numberOf(entry.get("y"), "y");
      if (split === undefined || classes[label] === undefined) {
        throw new LayoutError(`a sentence has part "${part}" and label ${label}; labels known: ${classes.join(", ")}`);
      }
      const id = `${split}_dia${idOf(entry.get("dialog"), "dialog")}`;
      const order = Number(idOf(entry.get("utterance"), "utterance"));
      const group = groups.get(id) ?? { split, utterances: [] };
      groups.set(id, group);
      const sentence = repairText(textOf(entry.get("text"), "text"));
      group.utterances.push({
        order,
        utterance: { id: `${id}_utt${order}`, speaker: "", sentence, cells: { emotion: classes[label] ?? "" } },
      });
    }
    return {
      name: "meld",
      dialogues: [...groups].map(([id, { split, utterances }]) => ({
        id,
        split,
        utterances: utterances.sort((a, b) => a.order - b.order).map(({ utterance }) => utterance),
      })),
      modalities: [],
      targets: [{ column: "emotion", classes, as: "name" }],
      speakers: "none",
      notes: ["the file has no features: --features adds them"],
    };
  },
};

export const otherLayouts: readonly Layout[] = [
  moseiVideo,
  merbench,
  meldBaseline,
  refusedTokens(),
  refusedComet(),
  refusedBaseline(),
];

/** Recognised, so that the message can say what to do. */
function refused(
  name: string,
  summary: string,
  fits: (value: PickleValue) => boolean,
  message: string,
  hint: string,
): Layout {
  return {
    name,
    summary,
    mismatch: ({ value }) => (fits(value) ? undefined : "its positions are others"),
    read() {
      throw new LayoutError(message, hint);
    },
  };
}

function refusedTokens(): Layout {
  return refused(
    "dialogue-rnn-dailydialog",
    "daily_dialogue.pkl (DialogueRNN): 8 positions, token numbers of a vocabulary; recognised and refused",
    (value) =>
      Array.isArray(value) &&
      value.length === 8 &&
      isDict(value[0]) &&
      isDict(value[1]) &&
      typeof value[2] === "number",
    "the file holds token numbers of a vocabulary that is not in it: neither sentences nor features",
    "Use dailydialog_features_roberta.pkl (COSMIC), or the sentences with exp data text.",
  );
}

function refusedComet(): Layout {
  return refused(
    "comet",
    "*_features_comet.pkl (COSMIC): 9 dicts of common-sense vectors; given with --features comet=FILE",
    (value) => Array.isArray(value) && value.length === 9 && value.every(isDict),
    "the file holds features only, no labels and no parts",
    "Import the file with the labels, e.g. iemocap_features_roberta.pkl, and add --features comet=THIS FILE.",
  );
}

function refusedBaseline(): Layout {
  return refused(
    "meld-baseline-features",
    "text_glove_average_emotion.pkl and others (MELD baseline): 3 dicts of vectors; given with --features NAME=FILE",
    (value) => Array.isArray(value) && value.length === 3 && value.every(isDict),
    "the file holds features only, no labels",
    "Import train_sent_emo.csv (its dev and test beside it), and add --features text=THIS FILE.",
  );
}
