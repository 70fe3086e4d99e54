// GCNet's pickles: ids, labels, sentences and sets of parts, no vectors; those are one .npy per utterance elsewhere.
import type { PickleValue } from "@merclab/pickle";
import { type CorpusFacts, IEMOCAP, IEMOCAP_4 } from "../corpora.ts";
import { readDialogueDicts } from "../dialogue-dicts.ts";
import type { Layout } from "../layout.ts";
import { isDict, itemsOf, plainNumber, plainText } from "../python-values.ts";

const NOTE = "the file has no features: --features text=DIR takes one .npy per utterance from a folder";

export const gcnetLayouts: readonly Layout[] = [
  iemocap(
    "gcnet-iemocap-6way",
    "IEMOCAP_features_raw_6way.pkl (GCNet): 6 positions, parts as sets, no vectors",
    IEMOCAP,
  ),
  iemocap(
    "gcnet-iemocap-4way",
    "IEMOCAP_features_raw_4way.pkl (GCNet): 6 positions, parts as sets, no vectors",
    IEMOCAP_4,
  ),
  {
    name: "gcnet-cmu",
    summary: "CMUMOSI_features_raw_2way.pkl, CMUMOSEI_… (GCNet): 7 positions, scores, parts as sets, no vectors",
    mismatch: ({ value }) => positions(value, 4, 7),
    read({ value, path }) {
      const [ids, labels, speakers, sentences, train, valid, test] = value as PickleValue[];
      const name = /mosei/i.test(path) ? "cmu-mosei" : "cmu-mosi";
      return readDialogueDicts(
        { ids, labels, speakers, sentences, features: {}, train, valid, test },
        { corpus: { name, classes: [], ids: /./ }, labels: "score", notes: [NOTE] },
      );
    },
  },
];

function iemocap(name: string, summary: string, corpus: CorpusFacts): Layout {
  const four = corpus === IEMOCAP_4;
  return {
    name,
    summary,
    mismatch({ value }) {
      const found = positions(value, 4, 6);
      if (found !== undefined) {
        return found;
      }
      const labels = (value as PickleValue[])[1] as Map<PickleValue, PickleValue>;
      if (![...labels.keys()].every((id) => IEMOCAP.ids.test(plainText(id)))) {
        return "its dialogues are not named as IEMOCAP's";
      }
      const highest = [...labels.values()]
        .flatMap((list) => itemsOf(list, "labels"))
        .reduce<number>((most, label) => Math.max(most, plainNumber(label)), 0);
      return highest < 4 === four ? undefined : `its highest label is ${highest}`;
    },
    read({ value }) {
      const [ids, labels, speakers, sentences, train, test] = value as PickleValue[];
      return readDialogueDicts(
        { ids, labels, speakers, sentences, features: {}, train, test },
        { corpus, labels: "class", notes: [NOTE] },
      );
    },
  };
}

/** Labels come before speakers here: a dict of texts at position 2 is what tells these files from others. */
function positions(value: PickleValue, dicts: number, length: number): string | undefined {
  if (!Array.isArray(value) || value.length !== length) {
    return `it is no list of ${length}`;
  }
  const wrong = value.findIndex((item, at) => (at < dicts ? !isDict(item) : !(item instanceof Set)));
  return wrong < 0 ? undefined : `position ${wrong} is no ${wrong < dicts ? "dict" : "set"}`;
}
