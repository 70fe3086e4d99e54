// Learning curves over seeds. Loss and validation scores are what the journal wrote while training; the scores of the
// test part are computed here, from the stored predictions of every epoch, since training never sees them.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  argMaxRows,
  classificationMetrics,
  type MetricName,
  outputDim,
  outputNames,
  type Task,
  taskScores,
} from "@merclab/core";
import { decodeNpz } from "@merclab/data";
import { readJournal, TRIAL_FILES } from "@merclab/runner";
import type { PredictedUtterance } from "../predictions/predicted-utterances.ts";
import type { StudyTrial } from "./study-material.ts";

/** One entry per epoch, from the first; NaN where the trial has no number. */
export interface TrialCurves {
  readonly seed: number;
  readonly loss: readonly number[];
  readonly valid: readonly number[];
  /** Absent where no predictions are stored. */
  readonly test?: readonly number[];
  /** The epoch that validation chose, from 1; absent before the trial is done. */
  readonly selected?: number;
}

/** One epoch over seeds. */
export interface CurvePoint {
  readonly epoch: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** @param truth the test part, as any trial on the same data has it */
export function readCurves(
  trial: StudyTrial,
  metric: MetricName,
  task: Task,
  truth: readonly PredictedUtterance[] | undefined,
): TrialCurves | undefined {
  const { folder, result, spec } = trial;
  if (folder === undefined) {
    return undefined;
  }
  const epochs = readJournal(join(folder, TRIAL_FILES.journal)).flatMap((record) =>
    record.t === "m" ? [record.v] : [],
  );
  if (epochs.length === 0) {
    return undefined;
  }
  const curve = (name: string) => epochs.map((values) => Number(values[name] ?? Number.NaN));
  const test = truth === undefined || result === undefined ? undefined : readTestCurve(folder, metric, task, truth);
  return {
    seed: spec.seed,
    loss: curve("train/total"),
    valid: curve(`valid/${metric}`),
    ...(test === undefined ? {} : { test }),
    ...(result === undefined ? {} : { selected: result.selection.epoch }),
  };
}

/** Mean and range at every epoch that some trial reached. */
export function overSeeds(curves: readonly (readonly number[])[]): CurvePoint[] {
  const length = Math.max(0, ...curves.map((curve) => curve.length));
  return Array.from({ length }, (_, at) => curves.flatMap((curve) => curve[at] ?? []).filter(Number.isFinite)).flatMap(
    (values, at) =>
      values.length === 0
        ? []
        : [
            {
              epoch: at + 1,
              mean: values.reduce((sum, value) => sum + value, 0) / values.length,
              low: Math.min(...values),
              high: Math.max(...values),
              n: values.length,
            },
          ],
  );
}

function readTestCurve(
  folder: string,
  metric: MetricName,
  task: Task,
  truth: readonly PredictedUtterance[],
): number[] | undefined {
  const file = join(folder, TRIAL_FILES.testProbabilities);
  if (!existsSync(file)) {
    return undefined;
  }
  const arrays = decodeNpz(readFileSync(file), file);
  const stored = arrays.probabilities ?? arrays.scores;
  const [epochs = 0, utterances, width] = stored?.shape ?? [];
  if (stored === undefined || utterances !== truth.length || width !== outputDim(task)) {
    return undefined;
  }
  const labels = truth.flatMap(({ label }) => labelNumbers(task, label));
  const size = utterances * width;
  return Array.from({ length: epochs }, (_, epoch) => {
    const outputs = stored.data.subarray(epoch * size, (epoch + 1) * size);
    return scoreOf(task, metric, labels, outputs) ?? Number.NaN;
  });
}

/** Scores of decisions alone are hundreds of times quicker than all of a task's, and what curves mostly show. */
function scoreOf(task: Task, metric: MetricName, labels: readonly number[], outputs: ArrayLike<number>) {
  if (task.type === "single-label" && (metric === "weighted-f1" || metric === "accuracy" || metric === "macro-f1")) {
    const width = outputDim(task);
    return classificationMetrics(labels, { predictions: argMaxRows(outputs, width) }, width)[metric];
  }
  return taskScores(task, labels, outputs).metrics[metric];
}

/** The label of one utterance in the form of the task. */
function labelNumbers(task: Task, label: string): number[] {
  switch (task.type) {
    case "single-label":
      return [task.classes.indexOf(label)];
    case "multi-label": {
      const held = label.split("+");
      return outputNames(task).map((name) => Number(held.includes(name)));
    }
    case "regression":
      return [Number(label)];
  }
}
