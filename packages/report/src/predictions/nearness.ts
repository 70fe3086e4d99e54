// Two methods that predict scores: which is nearer to the label, by how much, and where. Runs are paired by seed; errors
// are distances to the label in the unit of the target, and a margin is the error of the second minus that of the first.
import { groupBy } from "../tables/group-by.ts";
import {
  inOrder,
  type RunPair,
  refuseOtherRuns,
  type Speakers,
  type SpokenUtterance,
  turnOrder,
  turnRange,
} from "./flips.ts";
import { labelSide, SIDES } from "./sides.ts";

/** Some utterances, counted once per pair. */
export interface NearCount {
  readonly name: string;
  readonly utterances: number;
  /** Mean absolute errors. */
  readonly firstError: number;
  readonly secondError: number;
  /** How often each method is the nearer one; neither where both are as near. */
  readonly firstNearer: number;
  readonly secondNearer: number;
}

export interface NearUtterance extends SpokenUtterance {
  /** A score, as are the predictions of each method, pair by pair. */
  readonly label: number;
  readonly first: readonly number[];
  readonly second: readonly number[];
  /** Mean over the pairs; positive where the first method is nearer. */
  readonly margin: number;
}

export interface Nearness {
  readonly pairs: number;
  /** Of one run. */
  readonly utterances: number;
  readonly total: NearCount;
  /** By the side of the label, where scores have sides. */
  readonly bySide?: readonly NearCount[];
  /** Most utterances first. */
  readonly bySpeaker?: readonly NearCount[];
  /** By place in the dialogue. */
  readonly byTurn: readonly NearCount[];
  /** All utterances, the largest margins first. */
  readonly ranked: readonly NearUtterance[];
}

/** @throws MerclabError `data` for runs on other utterances */
export function compareErrors(pairs: readonly RunPair[], isTwoSided: boolean, speakers?: Speakers): Nearness {
  refuseOtherRuns(pairs);
  const utterances = (pairs[0]?.first ?? []).map(({ dialogue, utterance, turn, label }, at): NearUtterance => {
    const speaker = speakers?.get(dialogue)?.[turn - 1];
    const first = pairs.map((pair) => Number(pair.first[at]?.predicted));
    const second = pairs.map((pair) => Number(pair.second[at]?.predicted));
    const truth = Number(label);
    const margin = mean(first.map((score, pair) => marginOf(truth, score, second[pair] as number)));
    const place = { dialogue, utterance, turn, ...(speaker === undefined ? {} : { speaker }) };
    return { ...place, label: truth, first, second, margin };
  });
  const known = speakers !== undefined && utterances.every(({ speaker }) => speaker !== undefined);
  const by = (nameOf: (each: NearUtterance) => string) =>
    [...groupBy(utterances, nameOf)].map(([name, members]) => addUp(name, members));
  return {
    pairs: pairs.length,
    utterances: utterances.length,
    total: addUp("all", utterances),
    ...(isTwoSided
      ? {
          bySide: inOrder(
            by(({ label }) => labelSide(label)),
            SIDES,
          ),
        }
      : {}),
    ...(known ? { bySpeaker: by(({ speaker }) => speaker ?? "").sort((a, b) => b.utterances - a.utterances) } : {}),
    byTurn: inOrder(
      by(({ turn }) => turnRange(turn)),
      turnOrder,
    ),
    ranked: [...utterances].sort((a, b) => Math.abs(b.margin) - Math.abs(a.margin)),
  };
}

/** How much nearer to the label the first score is than the second. */
export function marginOf(label: number, first: number, second: number): number {
  return Math.abs(second - label) - Math.abs(first - label);
}

function addUp(name: string, members: readonly NearUtterance[]): NearCount {
  const margins = members.flatMap(({ label, first, second }) =>
    first.map((score, pair) => marginOf(label, score, second[pair] as number)),
  );
  const error = (of: "first" | "second") =>
    mean(members.flatMap((each) => each[of].map((score) => Math.abs(score - each.label))));
  return {
    name,
    utterances: margins.length,
    firstError: error("first"),
    secondError: error("second"),
    firstNearer: margins.filter((margin) => margin > 0).length,
    secondNearer: margins.filter((margin) => margin < 0).length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
