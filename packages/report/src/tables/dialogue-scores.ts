// Scores of one trial when each dialogue counts as often as a bootstrap drew it. Every metric follows from sums over
// utterances, so those are kept per dialogue, and a resample costs one pass over the dialogues.
import {
  accuracy,
  CALIBRATION_BINS,
  type ConfusionMatrix,
  calibrationBin,
  type MetricName,
  macroF1,
  meanAbsoluteError,
  outputDim,
  roundedAccuracy,
  type Task,
  weightedF1,
} from "@merclab/core";
import type { TestPredictions } from "@merclab/runner";

export interface DialogueScores {
  /** Ids, sorted: trials with the same ones, of the same utterances, can be compared. */
  readonly dialogues: readonly string[];
  /** Names the test utterances and their truth. */
  readonly utterances: string;
  /** @param weights `[dialogues]` */
  score(weights: ArrayLike<number>): number;
}

/** What a metric keeps of an utterance, and what it makes of the sums. */
interface Summary {
  readonly width: number;
  add(utterance: number, sums: Float64Array, at: number): void;
  finish(sums: Float64Array): number;
}

export function dialogueScores(metric: MetricName, task: Task, predictions: TestPredictions): DialogueScores {
  const { width, add, finish } = summaryOf(metric, task, predictions);
  const dialogues = [...new Set(predictions.dialogues)].sort();
  const places = new Map(dialogues.map((dialogue, place) => [dialogue, place]));
  const sums = new Float64Array(dialogues.length * width);
  predictions.dialogues.forEach((dialogue, utterance) => {
    add(utterance, sums, (places.get(dialogue) as number) * width);
  });
  const total = new Float64Array(width);
  return {
    dialogues,
    utterances: JSON.stringify([predictions.utterances, Array.from(predictions.truth)]),
    score: (weights) => {
      total.fill(0);
      for (let dialogue = 0; dialogue < dialogues.length; dialogue++) {
        const weight = weights[dialogue] as number;
        if (weight !== 0) {
          for (let i = 0; i < width; i++) {
            total[i] = (total[i] as number) + weight * (sums[dialogue * width + i] as number);
          }
        }
      }
      return finish(total);
    },
  };
}

function summaryOf(metric: MetricName, task: Task, predictions: TestPredictions): Summary {
  switch (task.type) {
    case "single-label":
      return classSummary(metric, outputDim(task), predictions);
    case "multi-label":
      return labelSummary(metric, outputDim(task), task.threshold, predictions);
    case "regression":
      return scoreSummary(metric, predictions);
  }
}

function classSummary(metric: MetricName, classes: number, { truth, decisions, outputs }: TestPredictions): Summary {
  const confidence = (utterance: number, index: number) => outputs[utterance * classes + index] as number;
  switch (metric) {
    case "nll":
      return meanSummary((utterance) => {
        const likelihood = confidence(utterance, truth[utterance] as number);
        return -Math.log(Math.max(likelihood, Number.EPSILON));
      });
    case "ece":
      return {
        width: CALIBRATION_BINS + 1,
        add: (utterance, sums, at) => {
          const decision = decisions[utterance] as number;
          const right = decision === truth[utterance] ? 1 : 0;
          const sure = confidence(utterance, decision);
          addTo(sums, at + calibrationBin(sure), right - sure);
          addTo(sums, at + CALIBRATION_BINS, 1);
        },
        finish: (sums) =>
          sums.subarray(0, CALIBRATION_BINS).reduce((sum, surplus) => sum + Math.abs(surplus), 0) /
          (sums[CALIBRATION_BINS] as number),
      };
    default:
      return confusionSummary(
        classes,
        (utterance) => [truth[utterance] as number, decisions[utterance] as number],
        metric === "accuracy" ? accuracy : metric === "macro-f1" ? macroF1 : weightedF1,
      );
  }
}

function scoreSummary(metric: MetricName, { truth, outputs }: TestPredictions): Summary {
  const pair = (utterance: number) => [truth[utterance] as number, outputs[utterance] as number] as const;
  const isWithZero = metric.endsWith("with-zero");
  switch (metric) {
    case "mae":
      return meanSummary((utterance) => meanAbsoluteError([pair(utterance)[0]], [pair(utterance)[1]]));
    case "acc-7":
    case "acc-5": {
      const bound = metric === "acc-7" ? 3 : 2;
      return meanSummary((utterance) => roundedAccuracy([pair(utterance)[0]], [pair(utterance)[1]], bound));
    }
    case "pearson-r":
      return {
        width: 6,
        add: (utterance, sums, at) => {
          const [x, y] = pair(utterance);
          [1, x, y, x * x, y * y, x * y].forEach((value, i) => {
            addTo(sums, at + i, value);
          });
        },
        finish: (sums) => {
          const [n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0] = sums;
          const spread = Math.sqrt(n * xx - x * x) * Math.sqrt(n * yy - y * y);
          return spread > 0 ? Math.max(-1, Math.min(1, (n * xy - x * y) / spread)) : 0;
        },
      };
    default:
      return confusionSummary(
        2,
        (utterance) => {
          const [x, y] = pair(utterance);
          if (isWithZero) {
            return [x >= 0 ? 1 : 0, y >= 0 ? 1 : 0];
          }
          return x === 0 ? undefined : [x > 0 ? 1 : 0, y > 0 ? 1 : 0];
        },
        metric.startsWith("binary-accuracy") ? accuracy : weightedF1,
      );
  }
}

function labelSummary(
  metric: MetricName,
  labels: number,
  threshold: number,
  { truth, outputs }: TestPredictions,
): Summary {
  const isHeld = (utterance: number, label: number) => truth[utterance * labels + label] === 1;
  const isPredicted = (utterance: number, label: number) =>
    (outputs[utterance * labels + label] as number) >= threshold;
  const errors = (utterance: number) =>
    Array.from({ length: labels }, (_, label) => label).filter(
      (label) => isHeld(utterance, label) !== isPredicted(utterance, label),
    ).length;
  if (metric === "subset-accuracy") {
    return meanSummary((utterance) => (errors(utterance) === 0 ? 1 : 0));
  }
  if (metric === "hamming-loss") {
    return meanSummary((utterance) => errors(utterance) / labels);
  }
  const f1 = (right: number, all: number) => (all === 0 ? 0 : (2 * right) / all);
  return {
    width: 3 * labels,
    add: (utterance, sums, at) => {
      for (let label = 0; label < labels; label++) {
        const [held, predicted] = [isHeld(utterance, label), isPredicted(utterance, label)];
        addTo(sums, at + 3 * label, held && predicted ? 1 : 0);
        addTo(sums, at + 3 * label + 1, held ? 1 : 0);
        addTo(sums, at + 3 * label + 2, predicted ? 1 : 0);
      }
    },
    finish: (sums) => {
      const counts = Array.from({ length: labels }, (_, label) => Array.from(sums.subarray(3 * label, 3 * label + 3)));
      const total = (value: (count: number[]) => number) => counts.reduce((sum, count) => sum + value(count), 0);
      const own = ([right = 0, held = 0, predicted = 0]: number[]) => f1(right, held + predicted);
      const held = total(([, each = 0]) => each);
      switch (metric) {
        case "micro-f1":
          return f1(
            total(([right = 0]) => right),
            held + total(([, , predicted = 0]) => predicted),
          );
        case "macro-f1":
          return total(own) / labels;
        default:
          return held === 0 ? 0 : total((count) => own(count) * (count[1] as number)) / held;
      }
    },
  };
}

function meanSummary(value: (utterance: number) => number): Summary {
  return {
    width: 2,
    add: (utterance, sums, at) => {
      addTo(sums, at, value(utterance));
      addTo(sums, at + 1, 1);
    },
    finish: ([sum = 0, count = 0]) => sum / count,
  };
}

/** @param cellOf label and decision; undefined where the utterance does not count */
function confusionSummary(
  classes: number,
  cellOf: (utterance: number) => readonly [number, number] | undefined,
  score: (confusion: ConfusionMatrix) => number,
): Summary {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  return {
    width: classes * classes,
    add: (utterance, sums, at) => {
      const cell = cellOf(utterance);
      if (cell !== undefined) {
        addTo(sums, at + cell[0] * classes + cell[1], 1);
      }
    },
    finish: (sums) => {
      for (const [label, row] of confusion.entries()) {
        for (let decision = 0; decision < classes; decision += 1) {
          row[decision] = sums[label * classes + decision] as number;
        }
      }
      return score(confusion);
    },
  };
}

function addTo(sums: Float64Array, at: number, value: number): void {
  sums[at] = (sums[at] as number) + value;
}
