// Clips of MELD whose video is known to be broken or to have wrong times; some pipelines drop them.
import type { Split } from "@merclab/core";
import type { DialogueRows } from "./dialogues.ts";

const CLIPS: readonly { readonly split: Split; readonly dialogue: number; readonly utterance: number }[] = [
  { split: "train", dialogue: 125, utterance: 3 },
  { split: "valid", dialogue: 110, utterance: 7 },
  { split: "test", dialogue: 38, utterance: 4 },
  { split: "test", dialogue: 220, utterance: 0 },
];

/** Feature files number all dialogues: train from 0, dev from 1039, test from 1153. */
const FIRST: Readonly<Record<Split, number>> = { train: 0, valid: 1039, test: 1153 };

/** Names of the known clips that a folder of MELD has. */
export function brokenMeldClips(dialogues: readonly DialogueRows[]): string[] {
  return CLIPS.flatMap(({ split, dialogue, utterance }) => {
    const ids = [`${split}/${dialogue}`, `${split}_dia${dialogue}`, String(FIRST[split] + dialogue)];
    const found = dialogues.find(({ id, official, split: part }) => ids.includes(id) && (official ?? part) === split);
    return found?.utterances.some(({ order }) => order === utterance) === true
      ? [`${split} dia${dialogue} utt${utterance}`]
      : [];
  });
}
