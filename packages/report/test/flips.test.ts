import { mcnemarTest } from "@merclab/statistics";
import { describe, expect, test } from "vitest";
import { compareRuns, type PredictedUtterance } from "../src/index.ts";

/** "d1 sad>happy angry": utterances of a dialogue as label>prediction, or a label that was predicted right. */
function run(...dialogues: string[]): PredictedUtterance[] {
  return dialogues.flatMap((text) => {
    const [dialogue = "", ...utterances] = text.split(" ");
    return utterances.map((each, at) => {
      const [label = "", predicted = label] = each.split(">");
      return { dialogue, utterance: `${dialogue}-${at + 1}`, turn: at + 1, label, predicted, probabilities: [] };
    });
  });
}

const CLASSES = ["happy", "sad"];
const first = run("d1 sad happy>sad happy sad", "d2 sad>happy sad");
const second = run("d1 sad happy happy>sad sad>happy", "d2 sad>happy sad");
const speakers = new Map([
  ["d1", ["A", "B", "A", "B"]],
  ["d2", ["A", "B"]],
]);

const counts = ({ name, utterances, both, onlyFirst, onlySecond, neither }: Record<string, unknown>) => [
  name,
  [utterances, both, onlyFirst, onlySecond, neither],
];

describe("compareRuns", () => {
  test("counts who is right where, worked by hand", () => {
    const flips = compareRuns([{ first, second }], CLASSES, speakers);
    expect(counts({ ...flips.total })).toEqual(["all", [6, 2, 2, 1, 1]]);
    expect(flips.byClass.map((each) => counts({ ...each }))).toEqual([
      ["happy", [2, 0, 1, 1, 0]],
      ["sad", [4, 2, 1, 0, 1]],
    ]);
    // d1: A sad, B happy, A happy (shift from sad), B sad (shift from happy); d2: both speak once.
    expect(flips.bySpeakerShift?.map((each) => counts({ ...each }))).toEqual([
      ["shift", [2, 0, 2, 0, 0]],
      ["opening", [4, 2, 0, 1, 1]],
    ]);
    // d1: sad, happy (shift), happy (same), sad (shift); d2: sad, sad (same).
    expect(flips.byDialogueShift.map((each) => counts({ ...each }))).toEqual([
      ["shift", [2, 0, 1, 1, 0]],
      ["same", [2, 1, 1, 0, 0]],
      ["opening", [2, 1, 0, 0, 1]],
    ]);
    expect(flips.bySpeaker?.map(({ name, utterances }) => [name, utterances])).toEqual([
      ["A", 3],
      ["B", 3],
    ]);
    expect(flips.byTurn.map(({ name, utterances }) => [name, utterances])).toEqual([["1–5", 6]]);
    expect(flips.flipped.map(({ utterance, label, onlyFirst }) => [utterance, label, onlyFirst])).toEqual([
      ["d1-2", "happy", 0],
      ["d1-3", "happy", 1],
      ["d1-4", "sad", 1],
    ]);
    expect(flips.test).toEqual(
      mcnemarTest([true, false, true, true, false, true], [true, true, false, false, false, true]),
    );
  });

  test("adds up over seeds, and then tests no single run", () => {
    const flips = compareRuns(
      [
        { first, second },
        { first: second, second: first },
      ],
      CLASSES,
    );
    expect(flips.total).toMatchObject({ utterances: 12, both: 4, onlyFirst: 3, onlySecond: 3, neither: 2 });
    expect(flips).toMatchObject({ pairs: 2, utterances: 6 });
    expect(flips.test).toBeUndefined();
  });

  test("says nothing of speakers where nobody knows who spoke", () => {
    const flips = compareRuns([{ first, second }], CLASSES);
    expect(flips.bySpeaker).toBeUndefined();
    expect(flips.bySpeakerShift).toBeUndefined();
    expect(flips.flipped[0]).not.toHaveProperty("speaker");
  });

  test("refuses runs on other utterances or labels", () => {
    expect(() => compareRuns([{ first, second: run("d1 sad") }], CLASSES)).toThrow("different utterances or labels");
    const relabelled = run("d1 sad happy>sad happy sad", "d2 sad>happy happy");
    expect(() => compareRuns([{ first, second: relabelled }], CLASSES)).toThrow("different utterances or labels");
  });
});
