// Layouts whose parts have names: dicts of dialogues (Ada2I) and lists of records (CORECT, COGMEN).
import { describeValue, type PickleKey, type PickleValue } from "@merclab/pickle";
import { type CorpusFacts, IEMOCAP, IEMOCAP_4, MELD, SCORE_TARGETS } from "../corpora.ts";
import type { ImportedCorpus } from "../corpus.ts";
import { readDialogueDicts } from "../dialogue-dicts.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";
import { idOf, isDict, itemsOf, numberOf, plainText } from "../python-values.ts";

/** Why a value is no dict with these keys. */
export function missingKeys(value: PickleValue, keys: readonly string[]): string | undefined {
  if (!isDict(value)) {
    return `it is ${describeValue(value, 0)}, expected a dict`;
  }
  const missing = keys.filter((key) => !value.has(key));
  return missing.length === 0 ? undefined : `it has no ${missing.map((key) => `"${key}"`).join(", ")}`;
}

function ada2i(name: string, summary: string, corpus: CorpusFacts, speakers: string): Layout {
  const keys = [speakers, "label", "text", "audio", "visual", "sentence", "trainVid", "testVid"];
  return {
    name,
    summary,
    mismatch: ({ value }) =>
      missingKeys(value, keys) ??
      (isDict(value) && value.has("valVid") ? 'it has "valVid", as the MOSEI file' : undefined),
    read({ value }) {
      const file = value as Map<PickleKey, PickleValue>;
      return readDialogueDicts(
        {
          speakers: file.get(speakers),
          labels: file.get("label"),
          sentences: file.get("sentence"),
          features: { text: file.get("text"), audio: file.get("audio"), visual: file.get("visual") },
          train: file.get("trainVid"),
          test: file.get("testVid"),
        },
        { corpus, labels: "class" },
      );
    },
  };
}

/** 0 strong negative, 1 weak negative, 2 negative, 3 neutral, 4 positive, 5 weak positive, 6 strong positive. */
const ADA2I_SEVEN = [
  "strong negative",
  "weak negative",
  "negative",
  "neutral",
  "positive",
  "weak positive",
  "strong positive",
];

const ada2iMosei: Layout = {
  name: "ada2i-mosei",
  summary: "mosei_data.pkl (Ada2I): labels by task, three parts",
  mismatch: ({ value }) =>
    missingKeys(value, ["label", "text", "audio", "visual", "trainVid", "valVid", "testVid"]) ??
    (isDict(value) &&
    isDict(value.get("label")) &&
    [...(value.get("label") as Map<PickleKey, PickleValue>).values()].every(isDict)
      ? undefined
      : '"label" is no dict of tasks'),
  read({ value }) {
    const file = value as Map<PickleKey, PickleValue>;
    const tasks = [...(file.get("label") as Map<PickleKey, PickleValue>)].map(([task, labels]) => ({
      task: idOf(task, "task"),
      labels,
    }));
    const sizes: Record<string, readonly string[]> = { "7class": ADA2I_SEVEN, "2class": ["negative", "positive"] };
    const known = tasks.filter(({ task }) => sizes[task] !== undefined);
    const [first] = known;
    if (first === undefined) {
      throw new LayoutError(`label: expected "7class" or "2class", got ${tasks.map(({ task }) => task).join(", ")}`);
    }
    const read = ({ task, labels }: (typeof known)[number]): ImportedCorpus =>
      readDialogueDicts(
        {
          labels,
          sentences: file.get("sentence"),
          features: { text: file.get("text"), audio: file.get("audio"), visual: file.get("visual") },
          train: file.get("trainVid"),
          valid: file.get("valVid"),
          test: file.get("testVid"),
        },
        { corpus: { name: "cmu-mosei", classes: sizes[task] ?? [], ids: /./ }, labels: "class" },
      );
    const corpora = known.map(read);
    const [main] = corpora as [ImportedCorpus];
    return {
      ...main,
      targets: known.map(({ task }) => ({ column: `label_${task}`, classes: sizes[task] ?? [], as: "index" as const })),
      dialogues: main.dialogues.map((dialogue, at) => ({
        ...dialogue,
        utterances: dialogue.utterances.map((utterance, place) => ({
          ...utterance,
          cells: Object.fromEntries(
            corpora.map((corpus, which) => [
              `label_${known[which]?.task}`,
              corpus.dialogues[at]?.utterances[place]?.cells.label ?? "",
            ]),
          ),
        })),
      })),
    };
  },
};

const RECORD_KEYS = ["vid", "speakers", "labels", "audio", "visual", "text", "sentence"];

const corect: Layout = {
  name: "corect-records",
  summary:
    "data_iemocap.pkl, data_iemocap_4.pkl, data_mosei.pkl (CORECT, COGMEN): train, dev, test as lists of records",
  mismatch({ value }) {
    const keys = missingKeys(value, ["train", "test"]);
    if (keys !== undefined || !isDict(value)) {
      return keys;
    }
    const train = value.get("train");
    const [record] = Array.isArray(train) ? train : [];
    return record === undefined ? '"train" is no list' : missingKeys(record, ["vid", "labels", "text"]);
  },
  read({ value }) {
    const file = value as Map<PickleKey, PickleValue>;
    const columns = new Map(RECORD_KEYS.map((key) => [key, new Map<PickleKey, PickleValue>()]));
    const parts: Record<string, string[]> = {};
    for (const part of ["train", "dev", "test"]) {
      parts[part] = itemsOf(file.get(part) ?? [], part).map((record) => {
        if (!isDict(record)) {
          throw new LayoutError(`${part}: expected records, got ${describeValue(record)}`);
        }
        const vid = idOf(record.get("vid"), `vid of ${part}`);
        if (columns.get("vid")?.has(vid) === true) {
          throw new LayoutError(`dialogue "${vid}" is there twice`);
        }
        for (const [key, column] of columns) {
          const item = record.get(key);
          if (item !== undefined) {
            column.set(vid, item);
          }
        }
        return vid;
      });
    }
    const column = (name: string): PickleValue | undefined =>
      (columns.get(name)?.size ?? 0) > 0 ? columns.get(name) : undefined;
    const labels = columns.get("labels") ?? new Map<PickleKey, PickleValue>();
    const all = [...labels.values()].flatMap((list) =>
      itemsOf(list, "labels").map((label) => numberOf(label, "labels")),
    );
    const highest = all.reduce((most, label) => Math.max(most, label), 0);
    const whole = all.every((label) => Number.isInteger(label) && label >= 0);
    const iemocap = [...labels.keys()].every((vid) => IEMOCAP.ids.test(plainText(vid)));
    const corpus = iemocap
      ? highest > 3
        ? IEMOCAP
        : IEMOCAP_4
      : { name: "cmu-mosei", classes: SCORE_TARGETS[2]?.classes ?? [], ids: /./ };
    const features = Object.fromEntries(
      ["text", "audio", "visual"].flatMap((name) => (column(name) === undefined ? [] : [[name, column(name)]])),
    );
    return readDialogueDicts(
      {
        speakers: column("speakers"),
        labels,
        sentences: column("sentence"),
        features,
        train: parts.train,
        ...(parts.dev?.length === 0 ? {} : { valid: parts.dev }),
        test: parts.test,
      },
      { corpus, labels: whole ? "class" : "score", fittedOn: iemocap ? { audio: ["train"] } : {} },
    );
  },
};

export const keyedLayouts: readonly Layout[] = [
  ada2i("ada2i-iemocap", "iemocap.pkl (Ada2I): dicts by name, speakers M and F", IEMOCAP, "speaker"),
  ada2i("ada2i-meld", "meld.pkl (Ada2I): dicts by name, speakers as numbers", MELD, "speakers"),
  ada2iMosei,
  corect,
];
