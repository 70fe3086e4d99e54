// `predictions.csv` read back: truth and output of every test utterance of the selected epoch, for tests that resample
// dialogues and for whatever looks at single utterances.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MerclabError, outputNames, type Task } from "@merclab/core";
import { parse } from "csv-parse/sync";
import { TRIAL_FILES } from "../store/experiment-store.ts";
import { AND } from "./test-predictions.ts";

/** In the order of the file: dialogue after dialogue. */
export interface TestPredictions {
  /** `[utterances]`, ids. */
  readonly dialogues: readonly string[];
  /** `[utterances]`, ids. */
  readonly utterances: readonly string[];
  /** In the form of the task: class indices, scores, or 0 and 1 `[utterances, labels]`. */
  readonly truth: Float64Array;
  /** `[utterances]`, class index; empty for other tasks. Rounded probabilities may have lost which one is largest. */
  readonly decisions: Int32Array;
  /** `[utterances, outputs]`, row-major: probabilities to six decimals, or scores. */
  readonly outputs: Float64Array;
}

/** @returns undefined where none are stored. @throws MerclabError `storage` for a file that is not of this task */
export async function readTestPredictions(folder: string, task: Task): Promise<TestPredictions | undefined> {
  const file = join(folder, TRIAL_FILES.predictions);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw new MerclabError("storage", `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  try {
    return decode(task, text);
  } catch (cause) {
    throw new MerclabError("storage", `${file} holds no predictions: ${(cause as Error).message}`, {
      hint: "Something else changed it; move the trial's folder away and run the experiment again.",
      cause,
    });
  }
}

function decode(task: Task, text: string): TestPredictions {
  const [head = [], ...rows] = parse(text) as string[][];
  const names = outputNames(task);
  const isScore = task.type === "regression";
  const expected = ["dialogue", "utterance", ...(isScore ? ["score", "predicted"] : ["label", "predicted", ...names])];
  if (head.join() !== expected.join()) {
    throw new RangeError(`expected the columns ${expected.join(", ")}, got ${head.join(", ")}`);
  }
  const indexOf = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) {
      throw new RangeError(`"${name}" is none of ${names.join(", ")}`);
    }
    return index;
  };
  const truthOf = (label: string): number[] => {
    switch (task.type) {
      case "single-label":
        return [indexOf(label)];
      case "multi-label": {
        const held = label === "" ? [] : label.split(AND).map(indexOf);
        return names.map((_, index) => (held.includes(index) ? 1 : 0));
      }
      case "regression":
        return [Number(label)];
    }
  };
  return {
    dialogues: rows.map(([dialogue]) => dialogue ?? ""),
    utterances: rows.map(([, utterance]) => utterance ?? ""),
    truth: Float64Array.from(rows.flatMap(([, , label]) => truthOf(label ?? ""))),
    decisions: Int32Array.from(
      task.type === "single-label" ? rows.map(([, , , predicted]) => indexOf(predicted ?? "")) : [],
    ),
    outputs: Float64Array.from(rows.flatMap((row) => row.slice(isScore ? 3 : 4).map(Number))),
  };
}
