// The stored predictions of a trial, utterance by utterance, in the words of its task.
import { outputNames, type Task } from "@merclab/core";
import { readTestPredictions, type TestPredictions } from "@merclab/runner";

export interface PredictedUtterance {
  readonly dialogue: string;
  readonly utterance: string;
  /** From 1: its place in the dialogue. */
  readonly turn: number;
  /** A class; labels with + between, of which there may be none; or a score. */
  readonly label: string;
  readonly predicted: string;
  /** Per class or label; the score in regression. */
  readonly probabilities: readonly number[];
}

/** @returns undefined where the trial has none. @throws MerclabError `storage` for another task's, or a damaged one */
export async function readPredictions(
  folder: string | undefined,
  task: Task,
): Promise<PredictedUtterance[] | undefined> {
  const stored = folder === undefined ? undefined : await readTestPredictions(folder, task);
  return stored === undefined ? undefined : predictedUtterances(stored, task);
}

export function predictedUtterances(stored: TestPredictions, task: Task): PredictedUtterance[] {
  const { dialogues, utterances, outputs } = stored;
  const width = outputNames(task).length;
  const seen = new Map<string, number>();
  return dialogues.map((dialogue, at) => {
    const turn = (seen.get(dialogue) ?? 0) + 1;
    seen.set(dialogue, turn);
    const probabilities = Array.from(outputs.subarray(at * width, (at + 1) * width));
    return { dialogue, utterance: utterances[at] ?? "", turn, probabilities, ...inWords(stored, task, at) };
  });
}

function inWords({ truth, decisions, outputs }: TestPredictions, task: Task, at: number) {
  const names = outputNames(task);
  const held = (isHeld: (place: number) => boolean) =>
    names.filter((_, label) => isHeld(at * names.length + label)).join("+");
  switch (task.type) {
    case "single-label":
      return { label: names[truth[at] ?? -1] ?? "", predicted: names[decisions[at] ?? -1] ?? "" };
    case "multi-label":
      return {
        label: held((place) => truth[place] === 1),
        predicted: held((place) => (outputs[place] ?? 0) >= task.threshold),
      };
    case "regression":
      return { label: String(truth[at]), predicted: String(outputs[at]) };
  }
}
