// `predictions.csv` of a trial: truth and prediction of every test utterance, of the epoch that validation chose.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MerclabError, outputNames, type Task } from "@merclab/core";
import { TRIAL_FILES } from "@merclab/runner";
import { parse } from "csv-parse/sync";

export interface PredictedUtterance {
  readonly dialogue: string;
  readonly utterance: string;
  /** From 1: its place in the dialogue. */
  readonly turn: number;
  /** A class; labels with + between, of which there may be none; or a score. */
  readonly label: string;
  readonly predicted: string;
  /** Per class or label; empty in regression. */
  readonly probabilities: readonly number[];
}

/** @returns undefined where the trial has none. @throws MerclabError `storage` for another task's, or a damaged one */
export function readPredictions(trialFolder: string, task: Task): PredictedUtterance[] | undefined {
  const file = join(trialFolder, TRIAL_FILES.predictions);
  if (!existsSync(file)) {
    return undefined;
  }
  const [head = [], ...rows] = parseRows(file);
  const names = task.type === "regression" ? [] : outputNames(task);
  const truth = task.type === "regression" ? "score" : "label";
  const wanted = ["dialogue", "utterance", truth, "predicted", ...names];
  if (head.join() !== wanted.join()) {
    throw damaged(file, `expected the columns ${wanted.join(", ")}, got ${head.join(", ")}`);
  }
  const seen = new Map<string, number>();
  return rows.map(([dialogue = "", utterance = "", label = "", predicted = "", ...rest], row) => {
    const probabilities = rest.map(Number);
    if (!probabilities.every(Number.isFinite)) {
      throw damaged(file, `line ${row + 2} has a probability that is no number`);
    }
    const turn = (seen.get(dialogue) ?? 0) + 1;
    seen.set(dialogue, turn);
    return { dialogue, utterance, turn, label, predicted, probabilities };
  });
}

function parseRows(file: string): string[][] {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw damaged(file, (cause as Error).message, cause);
  }
}

function damaged(file: string, problem: string, cause?: unknown): MerclabError {
  return new MerclabError("storage", `cannot be read as predictions: ${problem}`, {
    where: file,
    hint: "Something else changed it: move the trial's folder away and run the experiment again.",
    cause,
  });
}
