// Flips between two methods: the utterances that one has right and the other wrong, and where they are. Runs are paired
// by seed and counts add up over the pairs, so an utterance counts once per seed.
//
// An utterance is an emotion shift where its label differs from that of the same speaker's utterance before it in the
// dialogue. Where nobody says who spoke, only the utterance before it by anybody can be asked.
import { MerclabError } from "@merclab/core";
import { type McNemarTest, mcnemarTest } from "@merclab/statistics";
import { groupBy } from "../tables/group-by.ts";
import type { PredictedUtterance } from "./predicted-utterances.ts";

/** One run of each method, e.g. with the same seed. */
export interface RunPair {
  readonly first: readonly PredictedUtterance[];
  readonly second: readonly PredictedUtterance[];
}

/** Who spoke, by dialogue: one name per utterance. */
export type Speakers = ReadonlyMap<string, readonly string[]>;

/** What two methods got right among some utterances; numbers of utterances, summed over the pairs. */
export interface FlipCount {
  readonly name: string;
  readonly utterances: number;
  readonly both: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly neither: number;
}

export type Shift = "opening" | "shift" | "same";

/** Which utterance, and whose, where that is known. */
export interface SpokenUtterance {
  readonly dialogue: string;
  readonly utterance: string;
  /** From 1. */
  readonly turn: number;
  readonly speaker?: string;
}

export interface FlippedUtterance extends SpokenUtterance {
  readonly label: string;
  /** Against the same speaker's utterance before it; absent where nobody says who spoke. */
  readonly speakerShift?: Shift;
  /** Against the utterance before it, whoever spoke. */
  readonly dialogueShift: Shift;
  /** What each method predicted, pair by pair. */
  readonly first: readonly string[];
  readonly second: readonly string[];
  /** In how many pairs only this method was right. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
}

export interface Flips {
  readonly pairs: number;
  /** Of one run. */
  readonly utterances: number;
  readonly total: FlipCount;
  /** By label. */
  readonly byClass: readonly FlipCount[];
  readonly bySpeakerShift?: readonly FlipCount[];
  readonly byDialogueShift: readonly FlipCount[];
  /** Most utterances first. */
  readonly bySpeaker?: readonly FlipCount[];
  /** By place in the dialogue. */
  readonly byTurn: readonly FlipCount[];
  /** Where the methods differ in some pair: those that they differ on most come first. */
  readonly flipped: readonly FlippedUtterance[];
  /** Of single runs only: over several it would count an utterance several times. */
  readonly test?: McNemarTest;
}

/** @throws MerclabError `data` for runs on other utterances */
export function compareRuns(pairs: readonly RunPair[], classes: readonly string[], speakers?: Speakers): Flips {
  const reference = refuseOtherRuns(pairs);
  const places = placesOf(reference, speakers);
  const judged = reference.map((truth, at): Judged => {
    const rights = pairs.map(({ first, second }) => [isRight(first[at]), isRight(second[at])] as const);
    const count = (wantFirst: boolean, wantSecond: boolean) =>
      rights.filter(([first, second]) => first === wantFirst && second === wantSecond).length;
    return {
      truth,
      place: places[at] as Place,
      both: count(true, true),
      onlyFirst: count(true, false),
      onlySecond: count(false, true),
      neither: count(false, false),
      rights,
    };
  });
  const [only] = pairs.length === 1 ? [judged.map(({ rights }) => rights[0] ?? [false, false])] : [];
  const known = speakers !== undefined && places.every(({ speaker }) => speaker !== undefined);
  return {
    pairs: pairs.length,
    utterances: reference.length,
    total: addUp("all", judged),
    byClass: inOrder(
      countBy(judged, ({ truth }) => truth.label || "none"),
      classes,
    ),
    ...(known
      ? {
          bySpeakerShift: inOrder(
            countBy(judged, ({ place }) => place.speakerShift ?? ""),
            SHIFTS,
          ),
        }
      : {}),
    byDialogueShift: inOrder(
      countBy(judged, ({ place }) => place.dialogueShift),
      SHIFTS,
    ),
    ...(known
      ? {
          bySpeaker: countBy(judged, ({ place }) => place.speaker ?? "").sort((a, b) => b.utterances - a.utterances),
        }
      : {}),
    byTurn: inOrder(
      countBy(judged, ({ truth }) => turnRange(truth.turn)),
      turnOrder,
    ),
    flipped: judged
      .map((each, at) => ({ each, at }))
      .filter(({ each }) => each.onlyFirst + each.onlySecond > 0)
      .sort((a, b) => imbalance(b.each) - imbalance(a.each) || a.at - b.at)
      .map(({ each, at }) => flippedUtterance(each, at, pairs)),
    ...(only === undefined
      ? {}
      : {
          test: mcnemarTest(
            only.map(([first]) => first),
            only.map(([, second]) => second),
          ),
        }),
  };
}

const SHIFTS: readonly Shift[] = ["shift", "same", "opening"];

const TURN_RANGES = [
  { name: "1–5", last: 5 },
  { name: "6–10", last: 10 },
  { name: "11–20", last: 20 },
  { name: "21–40", last: 40 },
  { name: "41 and later", last: Number.POSITIVE_INFINITY },
] as const;

export const turnOrder: readonly string[] = TURN_RANGES.map(({ name }) => name);

interface Place {
  readonly speaker?: string;
  readonly speakerShift?: Shift;
  readonly dialogueShift: Shift;
}

interface Judged extends Omit<FlipCount, "name" | "utterances"> {
  readonly truth: PredictedUtterance;
  readonly place: Place;
  /** Whether each method is right, pair by pair. */
  readonly rights: readonly (readonly [boolean, boolean])[];
}

/** @returns the run that the others are about the same utterances as. @throws MerclabError `data` where one is not */
export function refuseOtherRuns(pairs: readonly RunPair[]): readonly PredictedUtterance[] {
  const reference = pairs[0]?.first ?? [];
  for (const run of pairs.flatMap(({ first, second }) => [first, second])) {
    refuseOthers(reference, run);
  }
  return reference;
}

function refuseOthers(reference: readonly PredictedUtterance[], run: readonly PredictedUtterance[]): void {
  const at = Array.from({ length: Math.max(reference.length, run.length) }, (_, i) => i).find((i) => {
    const [a, b] = [reference[i], run[i]];
    return a?.dialogue !== b?.dialogue || a?.utterance !== b?.utterance || a?.label !== b?.label;
  });
  if (at !== undefined) {
    const name = (of: PredictedUtterance | undefined) =>
      of === undefined ? "nothing" : `${of.dialogue} ${of.utterance} (${of.label})`;
    throw new MerclabError("data", "the runs were tested on different utterances or labels", {
      where: `test utterance ${at + 1}: ${name(reference[at])} and ${name(run[at])}`,
      hint: "Compare runs on the same data.",
    });
  }
}

function isRight(utterance: PredictedUtterance | undefined): boolean {
  return utterance !== undefined && utterance.label === utterance.predicted;
}

function placesOf(utterances: readonly PredictedUtterance[], speakers: Speakers | undefined): Place[] {
  const before = new Map<string, string>();
  const shift = (key: string, label: string): Shift => {
    const last = before.get(key);
    before.set(key, label);
    return last === undefined ? "opening" : last === label ? "same" : "shift";
  };
  return utterances.map(({ dialogue, turn, label }) => {
    const speaker = speakers?.get(dialogue)?.[turn - 1];
    const dialogueShift = shift(JSON.stringify([dialogue]), label);
    return speaker === undefined
      ? { dialogueShift }
      : { speaker, dialogueShift, speakerShift: shift(JSON.stringify([dialogue, speaker]), label) };
  });
}

function countBy(judged: readonly Judged[], nameOf: (each: Judged) => string): FlipCount[] {
  return [...groupBy(judged, nameOf)].map(([name, members]) => addUp(name, members));
}

function addUp(name: string, judged: readonly Judged[]): FlipCount {
  const sum = (key: "both" | "onlyFirst" | "onlySecond" | "neither") =>
    judged.reduce((total, each) => total + each[key], 0);
  const [both, onlyFirst, onlySecond, neither] = [sum("both"), sum("onlyFirst"), sum("onlySecond"), sum("neither")];
  return { name, utterances: both + onlyFirst + onlySecond + neither, both, onlyFirst, onlySecond, neither };
}

/** Those that the order lacks come last. */
export function inOrder<T extends { readonly name: string }>(counts: readonly T[], order: readonly string[]): T[] {
  const rank = ({ name }: T) => {
    const place = order.indexOf(name);
    return place === -1 ? order.length : place;
  };
  return [...counts].sort((a, b) => rank(a) - rank(b));
}

export function turnRange(turn: number): string {
  return TURN_RANGES.find(({ last }) => turn <= last)?.name ?? "";
}

function imbalance({ onlyFirst, onlySecond }: Judged): number {
  return Math.abs(onlyFirst - onlySecond);
}

function flippedUtterance({ truth, place, onlyFirst, onlySecond }: Judged, at: number, pairs: readonly RunPair[]) {
  const { dialogue, utterance, turn, label } = truth;
  return {
    dialogue,
    utterance,
    turn,
    label,
    ...place,
    first: pairs.map(({ first }) => first[at]?.predicted ?? ""),
    second: pairs.map(({ second }) => second[at]?.predicted ?? ""),
    onlyFirst,
    onlySecond,
  };
}
