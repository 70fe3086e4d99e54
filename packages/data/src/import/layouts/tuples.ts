// The tuple layouts in circulation, from the loaders that unpack them.
import { DAILYDIALOG, EMORYNLP, IEMOCAP, IEMOCAP_4, MELD } from "../corpora.ts";
import type { Layout } from "../layout.ts";
import { isDict, itemsOf, plainNumber, plainText } from "../python-values.ts";
import { type Fields, positionLayout } from "./positions.ts";

const ROBERTA = ["roberta1", "roberta2", "roberta3", "roberta4"] as const;
const ROBERTA_WIDTHS = { roberta1: 1024, roberta2: 1024, roberta3: 1024, roberta4: 1024 };
const NINE = ["ids", "speakers", "labels", "text", "audio", "visual", "sentences", "train", "test"] as const;
const TRAIN = ["train"] as const;
/** RoBERTa was fine-tuned on the training labels of the set. */
const ROBERTA_FITTED = Object.fromEntries(ROBERTA.map((name) => [name, TRAIN]));
const ANY_IDS = /./;

/** The labels use more classes than the four of the smaller set. */
const sixClasses = (fields: Fields): string | undefined =>
  highestLabel(fields) < 4 ? "it has labels 0 to 3 only, as the four-class set has" : undefined;

export const tupleLayouts: readonly Layout[] = [
  positionLayout({
    name: "sdt-iemocap",
    summary:
      "iemocap_multimodal_features.pkl (SDT, CFN-ESA, LMAM): 12 positions, RoBERTa 4 x 1024, audio 1582, visual 342",
    positions: ["ids", "speakers", "labels", ...ROBERTA, "audio", "visual", "sentences", "train", "test"],
    corpus: IEMOCAP,
    widths: { ...ROBERTA_WIDTHS, audio: 1582, visual: 342 },
    fittedOn: ROBERTA_FITTED,
  }),
  positionLayout({
    name: "sdt-meld",
    summary: "meld_multimodal_features.pkl (SDT, LMAM): 13 positions, RoBERTa 4 x 1024, audio 300, visual 342",
    positions: ["ids", "speakers", "labels", ...ROBERTA, "audio", "visual", "sentences", "train", "test", "-"],
    corpus: MELD,
    widths: { ...ROBERTA_WIDTHS, audio: 300, visual: 342 },
    fittedOn: { ...ROBERTA_FITTED, audio: TRAIN },
  }),
  positionLayout({
    name: "cfn-esa-meld",
    summary: "meld_multimodal_features.pkl (CFN-ESA): 14 positions, with sentiments",
    positions: [
      "ids",
      "speakers",
      "labels",
      "sentiments",
      ...ROBERTA,
      "audio",
      "visual",
      "sentences",
      "train",
      "test",
      "-",
    ],
    corpus: MELD,
    widths: { ...ROBERTA_WIDTHS, audio: 300, visual: 342 },
    fittedOn: { ...ROBERTA_FITTED, audio: TRAIN },
  }),
  positionLayout({
    name: "mmgcn-iemocap",
    summary: "IEMOCAP_features.pkl (MMGCN, MM-DFN, M3NET): 9 positions, text 100, audio 1582, visual 342",
    positions: NINE,
    corpus: IEMOCAP,
    widths: { text: 100, audio: 1582, visual: 342 },
    fittedOn: { text: TRAIN },
  }),
  positionLayout({
    name: "dialogue-rnn-iemocap",
    summary:
      "IEMOCAP_features_raw.pkl (DialogueRNN, bc-LSTM, DialogueGCN, COGMEN, CORECT): 9 positions, 100 / 100 / 512",
    positions: NINE,
    corpus: IEMOCAP,
    widths: { audio: 100, visual: 512 },
    fittedOn: { text: TRAIN, audio: TRAIN },
    unlike: sixClasses,
  }),
  positionLayout({
    name: "corect-iemocap-4",
    summary: "IEMOCAP_features_4.pkl (CORECT): 9 positions, four classes",
    positions: NINE,
    corpus: IEMOCAP_4,
    widths: { audio: 100, visual: 512 },
    fittedOn: { text: TRAIN, audio: TRAIN },
  }),
  positionLayout({
    name: "dialogue-rnn-meld",
    summary: "MELD_features_raw.pkl (DialogueRNN, bc-LSTM): 9 positions, text 600, audio 300, no visual",
    positions: ["ids", "speakers", "labels", "text", "audio", "sentences", "train", "test", "sentiments"],
    corpus: MELD,
    widths: { text: 600, audio: 300 },
    fittedOn: { text: TRAIN, audio: TRAIN },
  }),
  positionLayout({
    name: "mmgcn-meld",
    summary: "MELD_features_raw1.pkl (MMGCN, MM-DFN, M3NET): 10 positions, text 600, audio 300, visual 342",
    positions: ["ids", "speakers", "labels", "text", "audio", "visual", "sentences", "train", "test", "-"],
    corpus: MELD,
    widths: { text: 600, audio: 300, visual: 342 },
    fittedOn: { text: TRAIN, audio: TRAIN },
  }),
  positionLayout({
    name: "avec",
    summary: "AVEC_features_1..4.pkl (DialogueRNN): 9 positions, real-valued labels; --cut makes classes of them",
    positions: NINE,
    corpus: { name: "avec", classes: [], ids: ANY_IDS },
    labels: "value",
    unlike: (fields) => (hasSpeaker(fields, "user") ? undefined : 'no speaker is "user"'),
  }),
  positionLayout({
    name: "mosei-scores",
    summary: "regression twin of categorical.p (Multilogue-Net, CORECT on MOSEI and MOSI): 9 positions, scores -3 to 3",
    positions: NINE,
    corpus: { name: "cmu-mosei", classes: [], ids: ANY_IDS },
    labels: "score",
    unlike: (fields) =>
      notOther(fields) ??
      (allWhole(fields) ? "all labels are whole numbers: these are classes, not scores" : undefined),
  }),
  positionLayout({
    name: "mosei-emotions",
    summary:
      "emotion twin of categorical.p (Multilogue-Net, CORECT on MOSEI): 9 positions, six emotions; choose --target",
    positions: NINE,
    corpus: { name: "cmu-mosei", classes: [], ids: ANY_IDS },
    labels: "emotions",
    unlike: notOther,
  }),
  positionLayout({
    name: "mosei-categorical",
    summary: "categorical.p (Multilogue-Net, CORECT on MOSEI and MOSI): 9 positions, seven classes (0 to 6) or two",
    positions: NINE,
    corpus: { name: "cmu-mosei", classes: ["-3", "-2", "-1", "0", "1", "2", "3"], ids: ANY_IDS },
    unlike: notOther,
  }),
  cosmic("iemocap", IEMOCAP, [], (fields) => (hasSpeaker(fields, "M") ? undefined : 'no speaker is "M"')),
  cosmic("emorynlp", EMORYNLP, [], (fields) =>
    hasOneHotSpeakers(fields) ? undefined : "its speakers are no one-hot vectors",
  ),
  cosmic("dailydialog", DAILYDIALOG, [], (fields) =>
    hasOneHotSpeakers(fields) || hasSpeaker(fields, "M") ? "its speakers are those of another set" : undefined,
  ),
  cosmic("meld", MELD, ["sentiments"]),
  cosmicText("iemocap", IEMOCAP, []),
  cosmicText("meld", MELD, ["sentiments"]),
  cosmicText("emorynlp", EMORYNLP, [], (fields) =>
    hasOneHotSpeakers(fields) ? undefined : "its speakers are no one-hot vectors",
  ),
];

/** Speakers before labels, test ids before valid ids. */
function cosmic(
  set: string,
  corpus: typeof MELD,
  more: readonly "sentiments"[],
  unlike?: (fields: Fields) => string | undefined,
): Layout {
  return positionLayout({
    name: `cosmic-${set}`,
    summary: `${set}_features_roberta.pkl (COSMIC, M3NET): ${10 + more.length} positions, RoBERTa 4 x 1024`,
    positions: ["speakers", "labels", ...more, ...ROBERTA, "sentences", "train", "test", "valid"],
    corpus,
    widths: ROBERTA_WIDTHS,
    fittedOn: ROBERTA_FITTED,
    ...(unlike === undefined ? {} : { unlike }),
  });
}

/** The input of COSMIC's feature extraction: sentences, no vectors. */
function cosmicText(
  set: string,
  corpus: typeof MELD,
  more: readonly "sentiments"[],
  unlike?: (fields: Fields) => string | undefined,
): Layout {
  return positionLayout({
    name: `cosmic-text-${set}`,
    summary: `${set}.pkl (COSMIC, before extraction): ${6 + more.length} positions, sentences only`,
    positions: ["speakers", "labels", ...more, "sentences", "train", "test", "valid"],
    corpus,
    ...(unlike === undefined ? {} : { unlike }),
  });
}

function highestLabel({ labels }: Fields): number {
  let highest = 0;
  for (const list of isDict(labels) ? labels.values() : []) {
    for (const label of itemsOf(list, "labels")) {
      highest = Math.max(highest, plainNumber(label));
    }
  }
  return highest;
}

function allWhole({ labels }: Fields): boolean {
  return [...(isDict(labels) ? labels.values() : [])].every((list) =>
    itemsOf(list, "labels").every((label) => Number.isInteger(plainNumber(label))),
  );
}

function hasSpeaker({ speakers }: Fields, name: string): boolean {
  return isDict(speakers) && [...speakers.values()].some((list) => Array.isArray(list) && list.includes(name));
}

function hasOneHotSpeakers({ speakers }: Fields): boolean {
  const [list] = isDict(speakers) ? speakers.values() : [];
  return Array.isArray(list) && typeof list[0] === "object";
}

/** Nine positions of IEMOCAP, MELD or AVEC are no MOSEI. */
function notOther(fields: Fields): string | undefined {
  const { labels } = fields;
  const [id] = isDict(labels) ? labels.keys() : [];
  return IEMOCAP.ids.test(plainText(id)) || hasSpeaker(fields, "user")
    ? "its dialogues are those of another set"
    : undefined;
}
