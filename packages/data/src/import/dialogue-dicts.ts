// The shape that most files of the field share: one dict per kind of content, keyed by dialogue, and lists of dialogue
// ids for the parts. Everything is checked before anything is written.
import { SPLITS, type Split } from "@merclab/core";
import type { PickleValue } from "@merclab/pickle";
import { repairText } from "../text/repair-text.ts";
import {
  type CorpusFacts,
  MELD,
  MELD_DEV,
  MELD_SENTIMENTS,
  MOSEI_EMOTIONS,
  SCORE_TARGETS,
  scoreCells,
} from "./corpora.ts";
import type { ImportedCorpus, ImportedDialogue, ImportedModality, ImportedUtterance, Target } from "./corpus.ts";
import { LayoutError } from "./layout-error.ts";
import { idOf, isDict, itemsOf, numberOf, numbersOf, textOf, VectorList } from "./python-values.ts";

/** Utterances of one corpus, at most: a small file can refer to the same list very often. */
const MAX_UTTERANCES = 10_000_000;

/** How labels are written. */
export type LabelKind =
  | "class" // integers
  | "score" // sentiment, -3 to 3
  | "value" // any real value, cut into classes by the user
  | "emotions"; // six intensities or flags

export interface DictFields {
  readonly ids?: PickleValue | undefined;
  readonly speakers?: PickleValue | undefined;
  readonly labels: PickleValue | undefined;
  readonly sentiments?: PickleValue | undefined;
  readonly sentences?: PickleValue | undefined;
  /** Modalities by name, each keyed by dialogue. */
  readonly features: Readonly<Record<string, PickleValue | undefined>>;
  readonly train: PickleValue | undefined;
  readonly valid?: PickleValue | undefined;
  readonly test: PickleValue | undefined;
}

export interface DictRules {
  readonly corpus: CorpusFacts;
  readonly labels: LabelKind;
  /** Modalities whose extractor was trained on labels of these parts. */
  readonly fittedOn?: Readonly<Record<string, readonly Split[]>>;
  readonly notes?: readonly string[];
}

export function readDialogueDicts(fields: DictFields, rules: DictRules): ImportedCorpus {
  const notes = [...(rules.notes ?? [])];
  const labels = dictOf(fields.labels, "labels");
  const content = {
    ids: fields.ids === undefined ? undefined : dictOf(fields.ids, "ids"),
    speakers: fields.speakers === undefined ? undefined : dictOf(fields.speakers, "speakers"),
    sentiments: fields.sentiments === undefined ? undefined : dictOf(fields.sentiments, "sentiments"),
    sentences: fields.sentences === undefined ? undefined : dictOf(fields.sentences, "sentences"),
  };
  const splits = readSplits(fields, rules, labels, notes);
  const kept = [...labels.keys()].filter((id) => splits.has(id));
  if (kept.length < labels.size) {
    notes.push(`${labels.size - kept.length} dialogues that are in no part were left out`);
  }
  let repaired = 0;
  let total = 0;
  let oneHot = false;
  const distinct = new Set<string>();
  const dialogues = kept.map((id): ImportedDialogue => {
    const where = `dialogue "${id}"`;
    const labelItems = itemsOf(labels.get(id), `labels of ${where}`);
    const count = labelItems.length;
    total += count;
    if (total > MAX_UTTERANCES) {
      throw new LayoutError(
        `more than ${MAX_UTTERANCES} utterances: the file refers to the same lists again and again`,
      );
    }
    const column = (name: keyof typeof content): PickleValue[] | undefined => {
      const dict = content[name];
      if (dict === undefined) {
        return undefined;
      }
      const items = itemsOf(dict.get(id), `${name} of ${where}`);
      if (items.length !== count) {
        throw new LayoutError(`${where} has ${count} labels and ${items.length} ${name}`);
      }
      return items;
    };
    const [ids, speakers, sentiments, sentences] = [
      column("ids"),
      column("speakers"),
      column("sentiments"),
      column("sentences"),
    ];
    const utterances = labelItems.map((label, at): ImportedUtterance => {
      const place = `${where}, utterance ${at}`;
      const speaker = speakers === undefined ? "" : speakerOf(speakers[at], place);
      oneHot ||= speakers !== undefined && typeof speakers[at] === "object";
      distinct.add(speaker);
      const sentence = sentences === undefined ? undefined : textOf(sentences[at], `sentence of ${place}`);
      const clean = sentence === undefined ? undefined : repairText(sentence);
      repaired += clean === sentence ? 0 : 1;
      const cells: Record<string, string> = labelCells(label, rules, place);
      if (sentiments !== undefined) {
        cells.sentiment = classCell(sentiments[at], MELD_SENTIMENTS.length, `sentiment of ${place}`);
      }
      const ownId = ids === undefined ? `${id}/${at}` : idOf(ids[at], `id of ${place}`);
      return { id: ownId, speaker, cells, ...(clean === undefined ? {} : { sentence: clean }) };
    });
    return { id, split: splits.get(id) ?? "train", utterances };
  });
  if (repaired > 0) {
    notes.push(`${repaired} sentences held characters of another encoding and were put right`);
  }
  const lengths = dialogues.map(({ utterances }) => utterances.length);
  const modalities = Object.entries(fields.features).map(([name, value]) =>
    readModality(name, dictOf(value, name), kept, lengths, rules.fittedOn?.[name]),
  );
  return {
    name: rules.corpus.name,
    dialogues: uniqueIds(dialogues, notes),
    modalities,
    targets: targetsOf(rules, content.sentiments !== undefined),
    mustChoose: rules.labels === "emotions",
    speakers: distinct.size <= 1 ? "none" : oneHot || distinct.size > 16 ? "per-dialogue" : "corpus",
    notes,
  };
}

/** Keys become texts; two keys of one text cannot be told apart. */
function dictOf(value: PickleValue | undefined, what: string): Map<string, PickleValue> {
  if (!isDict(value)) {
    throw new LayoutError(`${what}: expected a dict keyed by dialogue`);
  }
  const out = new Map<string, PickleValue>();
  for (const [key, item] of value) {
    const id = idOf(key, `key of ${what}`);
    if (out.has(id)) {
      throw new LayoutError(`${what}: two keys are "${id}"`);
    }
    out.set(id, item);
  }
  return out;
}

function readSplits(
  fields: DictFields,
  { corpus }: DictRules,
  labels: ReadonlyMap<string, unknown>,
  notes: string[],
): Map<string, Split> {
  const splits = new Map<string, Split>();
  for (const split of SPLITS) {
    const listed = fields[split];
    if (listed === undefined || listed === null) {
      continue;
    }
    for (const item of itemsOf(listed, `${split} ids`)) {
      const id = idOf(item, `${split} ids`);
      const known = splits.get(id);
      if (known !== undefined && known !== split) {
        throw new LayoutError(`dialogue "${id}" is in two parts, ${known} and ${split}`);
      }
      if (!labels.has(id)) {
        throw new LayoutError(`dialogue "${id}" of the ${split} part has no labels`);
      }
      splits.set(id, split);
    }
  }
  const parts = new Set(splits.values());
  if (corpus.name === MELD.name && !parts.has("valid")) {
    for (const [id, split] of splits) {
      if (split === "train" && Number(id) >= MELD_DEV.first && Number(id) <= MELD_DEV.last) {
        splits.set(id, "valid");
      }
    }
    notes.push(`the file has no validation part; MELD's own, dialogues ${MELD_DEV.first} to ${MELD_DEV.last}, is used`);
  }
  return splits;
}

function speakerOf(value: PickleValue | undefined, place: string): string {
  if (typeof value === "string") {
    return value;
  }
  if (typeof value === "number" || typeof value === "bigint") {
    return String(value);
  }
  const vector = numbersOf(value, `speaker of ${place}`);
  const at = vector.indexOf(1);
  if (at < 0 || vector.some((item, position) => item !== (position === at ? 1 : 0))) {
    throw new LayoutError(`speaker of ${place}: expected a name or a one-hot vector`);
  }
  return `speaker ${at}`;
}

function labelCells(label: PickleValue, { labels, corpus }: DictRules, place: string): Record<string, string> {
  const what = `label of ${place}`;
  switch (labels) {
    case "class":
      return { label: classCell(label, corpus.classes.length, what) };
    case "score":
      return scoreCells(numberOf(label, what));
    case "value":
      return { value: String(numberOf(label, what)) };
    case "emotions": {
      const values = numbersOf(label, what);
      if (values.length !== MOSEI_EMOTIONS.length) {
        throw new LayoutError(`${what}: expected ${MOSEI_EMOTIONS.length} emotions, got ${values.length}`);
      }
      return Object.fromEntries(MOSEI_EMOTIONS.map((name, at) => [name, (values[at] ?? 0) > 0 ? "1" : "0"]));
    }
  }
}

function classCell(value: PickleValue | undefined, classes: number, what: string): string {
  const label = numberOf(value, what);
  if (!Number.isInteger(label) || label < 0 || label >= classes) {
    throw new LayoutError(`${what} is ${label}, expected 0 to ${classes - 1}`);
  }
  return String(label);
}

function targetsOf({ labels, corpus }: DictRules, sentiments: boolean): readonly Target[] {
  switch (labels) {
    case "class":
      return [
        { column: "label", classes: corpus.classes, as: "index" },
        ...(sentiments ? [{ column: "sentiment", classes: MELD_SENTIMENTS, as: "index" as const }] : []),
      ];
    case "score":
      return SCORE_TARGETS;
    case "value":
      return [];
    case "emotions":
      return MOSEI_EMOTIONS.map((name) => ({ column: name, classes: [`not ${name}`, name], as: "index" }));
  }
}

function readModality(
  name: string,
  dict: ReadonlyMap<string, PickleValue>,
  ids: readonly string[],
  lengths: readonly number[],
  fittedOn: readonly Split[] | undefined,
): ImportedModality {
  const lists = ids.map((id, at) => {
    const list = new VectorList(dict.get(id), `${name} of dialogue "${id}"`);
    if (list.length !== lengths[at]) {
      throw new LayoutError(`dialogue "${id}" has ${lengths[at]} labels and ${list.length} vectors of ${name}`);
    }
    return list;
  });
  const width = lists.find(({ length }) => length > 0)?.width ?? 0;
  const other = lists.findIndex((list) => list.length > 0 && list.width !== width);
  if (other >= 0 || width === 0) {
    throw new LayoutError(
      `${name}: dialogue "${ids[Math.max(other, 0)]}" has vectors of width ${lists[Math.max(other, 0)]?.width}, the first has ${width}`,
    );
  }
  return {
    name,
    width,
    read: (dialogue) => lists[dialogue]?.read() ?? new Float32Array(),
    ...(fittedOn === undefined ? {} : { fittedOn }),
  };
}

/** Some files number utterances anew in every dialogue. */
function uniqueIds(dialogues: ImportedDialogue[], notes: string[]): ImportedDialogue[] {
  const all = dialogues.flatMap(({ utterances }) => utterances.map(({ id }) => id));
  if (new Set(all).size === all.length) {
    return dialogues;
  }
  notes.push("utterance ids occur more than once and were prefixed with their dialogue");
  return dialogues.map((dialogue) => ({
    ...dialogue,
    utterances: dialogue.utterances.map((utterance, at) => ({
      ...utterance,
      id: `${dialogue.id}/${utterance.id}#${at}`,
    })),
  }));
}
