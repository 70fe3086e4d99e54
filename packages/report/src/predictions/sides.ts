// Scores by their sides, negative and positive, as the field's binary accuracy without zero has them: utterances labelled
// zero are on no side and left out, and a predicted zero is not positive.
import type { Task } from "@merclab/core";
import type { PredictedUtterance } from "./predicted-utterances.ts";

export const SIDES = ["negative", "positive"] as const;

/** Whether the scores of a task have two sides. */
export function hasSides(task: Task): boolean {
  return task.type === "regression" && task.range[0] < 0 && task.range[1] > 0;
}

/** Utterances with the sides of their scores in place of these. */
export function sidesOf(utterances: readonly PredictedUtterance[]): PredictedUtterance[] {
  return utterances
    .filter(({ label }) => Number(label) !== 0)
    .map((each) => ({ ...each, label: sideOf(Number(each.label)), predicted: sideOf(Number(each.predicted)) }));
}

/** "neutral" for a label of zero. */
export function labelSide(score: number): string {
  return score === 0 ? "neutral" : sideOf(score);
}

function sideOf(score: number): (typeof SIDES)[number] {
  return score > 0 ? "positive" : "negative";
}
