// What `exp diff` says of two methods that predict scores.
import type { MethodComparison } from "@merclab/report";
import { expect, test } from "vitest";
import { comparisonText, flipsCsv } from "../src/diff-text.ts";

const counted = { utterances: 2, firstError: 0.5, secondError: 1.25, firstNearer: 1, secondNearer: 1 };
const flipCount = { utterances: 1, both: 0, onlyFirst: 1, onlySecond: 0, neither: 0 };

const COMPARISON: MethodComparison = {
  dataset: "mosi",
  names: ["sdt", "lmam"],
  pairs: [{ seeds: [0, 0], trials: ["aaaa", "bbbb"] }],
  config: [],
  scores: [],
  nearness: {
    pairs: 1,
    utterances: 2,
    total: { name: "all", ...counted },
    bySide: [{ name: "positive", ...counted }],
    byTurn: [{ name: "1–5", ...counted }],
    ranked: [
      { dialogue: "d1", utterance: "u2", turn: 2, label: 1, first: [0.9], second: [-1.2], margin: 2.1 },
      { dialogue: "d1", utterance: "u1", turn: 1, label: 0, first: [-1], second: [0.4], margin: -0.6 },
    ],
  },
  flips: {
    pairs: 1,
    utterances: 1,
    total: { name: "all", ...flipCount },
    byClass: [{ name: "positive", ...flipCount }],
    byDialogueShift: [{ name: "opening", ...flipCount }],
    byTurn: [{ name: "1–5", ...flipCount }],
    flipped: [
      {
        dialogue: "d1",
        utterance: "u2",
        turn: 2,
        label: "positive",
        dialogueShift: "opening",
        first: ["positive"],
        second: ["negative"],
        onlyFirst: 1,
        onlySecond: 0,
      },
    ],
  },
};

test("errors, the largest margins, and the flips of the sign", () => {
  const text = comparisonText(COMPARISON);
  expect(text).toContain("2 test utterances: first nearer to the label 1, second nearer 1");
  expect(text).toMatch(/^positive +2 +1 +1 +0\.500 +1\.250$/m);
  expect(text).toMatch(/^d1 +u2 +2 +1\.00 +0\.90 +-1\.20 +\+2\.10$/m);
  expect(text).toContain("The sign of the score, as binary accuracy without zero has it:");
  expect(text).toMatch(/^d1 +u2 +2 +positive +positive +negative$/m);
});

test("a line of CSV for each utterance, with scores, margin and whose sign alone is right", () => {
  expect(flipsCsv([COMPARISON]).split("\r\n")).toEqual([
    "dataset,dialogue,utterance,turn,speaker,label,speaker_shift,dialogue_shift,first_method,second_method,first_trial,second_trial,first,second,right,margin",
    "mosi,d1,u2,2,,1,,opening,sdt,lmam,aaaa,bbbb,0.9,-1.2,first,2.1",
    "mosi,d1,u1,1,,0,,,sdt,lmam,aaaa,bbbb,-1,0.4,,-0.6",
    "",
  ]);
});
