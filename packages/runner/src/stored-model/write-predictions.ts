// Predictions as a file: csv for people and spreadsheets, npz for programs.
import { writeFile } from "node:fs/promises";
import { MerclabError, outputDim, outputNames, type Task } from "@merclab/core";
import { encodeNpz } from "@merclab/data";
import { stringify } from "csv-stringify/sync";
import type { FolderPredictions } from "./predict-folder.ts";

const FORMATS = ["csv", "npz"] as const;
export type PredictionFormat = (typeof FORMATS)[number];

/** @throws MerclabError `config` for a name that ends otherwise */
export function predictionFormat(file: string): PredictionFormat {
  const format = FORMATS.find((each) => file.toLowerCase().endsWith(`.${each}`));
  if (format === undefined) {
    throw new MerclabError("config", `predictions are written as ${FORMATS.join(" or ")}`, {
      where: file,
      hint: "Let the name end with .csv or .npz.",
    });
  }
  return format;
}

/**
 * Csv: dialogue, utterance, what is predicted, and every probability. Npz: `probabilities` `[utterances, classes or
 * labels]` or `scores` `[utterances, 1]`, float32, and `rows` `[utterances]`, the row of the folder's tables of each.
 *
 * @throws MerclabError `storage` when the file cannot be written
 */
export async function writePredictions(file: string, predictions: FolderPredictions): Promise<void> {
  const content = predictionFormat(file) === "csv" ? toCsv(predictions) : toNpz(predictions);
  try {
    await writeFile(file, content);
  } catch (cause) {
    throw new MerclabError("storage", `the predictions cannot be written (${(cause as Error).message})`, {
      where: file,
      cause,
    });
  }
}

function toCsv({ task, dialogues, predictions }: FolderPredictions): string {
  const width = outputDim(task);
  let at = 0;
  const rows = dialogues.flatMap(({ id, utteranceIds }) =>
    utteranceIds.map((utterance) => {
      const output = Array.from(predictions.subarray(at, at + width));
      at += width;
      return [id, utterance, ...cells(task, output)];
    }),
  );
  const columns = [
    "dialogue",
    "utterance",
    ...(task.type === "regression" ? ["score"] : ["predicted", ...outputNames(task)]),
  ];
  return stringify(rows, { header: true, columns });
}

function cells(task: Task, output: readonly number[]): string[] {
  // All digits that a float32 has.
  const shown = output.map((value) => String(Number(value.toPrecision(9))));
  const names = outputNames(task);
  switch (task.type) {
    case "single-label":
      return [names[output.indexOf(Math.max(...output))] ?? "", ...shown];
    case "multi-label":
      return [names.filter((_, label) => (output[label] ?? 0) >= task.threshold).join("+"), ...shown];
    case "regression":
      return shown;
  }
}

function toNpz({ task, rows, predictions }: FolderPredictions): Uint8Array {
  const width = outputDim(task);
  const shape = [predictions.length / width, width];
  const order = Int32Array.from(rows.flat());
  return encodeNpz({
    [task.type === "regression" ? "scores" : "probabilities"]: { shape, data: predictions, dtype: "f4" },
    rows: { shape: [order.length], data: order, dtype: "i4" },
  });
}
