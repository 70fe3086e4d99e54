// One number for how much a model keeps when modalities go missing: the area under the score over the missing rate
// (AUILC, area under indicators line chart: Yuan et al., TFR-Net, ACM Multimedia 2021), put on a scale on which 1 is the
// score on undisturbed data and 0 what a constant prediction scores.
import { type Dataset, type Labels, outputDim, type Task, visibleLabels } from "@merclab/core";
import { median } from "simple-statistics";

export const ROBUSTNESS =
  "robustness = (AUILC - floor) / (clean - floor): the share of the score above a constant prediction that is kept on " +
  "average over missing rates 0 to 1. AUILC is the area under the score over the missing rate by the trapezoidal rule " +
  "(Yuan et al., TFR-Net, ACM Multimedia 2021), each modality of each utterance missing independently; clean is the " +
  "score at rate 0; floor is that of predicting the class frequencies of the training part (in regression its median) " +
  "for every utterance. Scores that fell to the floor in proportion to the rate would give 0.5.";

/** @param points with ascending rates */
export function areaUnderLine(points: readonly { readonly rate: number; readonly score: number }[]): number {
  return points.slice(1).reduce((area, { rate, score }, i) => {
    const before = points[i] ?? { rate, score };
    return area + ((before.score + score) / 2) * (rate - before.rate);
  }, 0);
}

/** @returns undefined where the model is no better than a constant: there is nothing to keep */
export function robustness(area: number, clean: number, floor: number, higherIsBetter: boolean): number | undefined {
  const sign = higherIsBetter ? 1 : -1;
  return sign * (clean - floor) > 0 ? (area - floor) / (clean - floor) : undefined;
}

/** What a model that saw no features would best say of each utterance, `[utterances, outputDim]`. */
export function constantPrediction({ task, splits }: Dataset, utterances: number): Float32Array {
  const row = constantRow(
    task,
    splits.train.map((dialogue) => visibleLabels(dialogue)),
  );
  return Float32Array.from({ length: utterances * row.length }, (_, at) => row[at % row.length] ?? 0);
}

function constantRow(task: Task, parts: readonly Labels[]): number[] {
  const labels = parts.flatMap((part) => Array.from(part));
  const width = outputDim(task);
  switch (task.type) {
    case "single-label":
      return task.classes.map((_, c) => labels.filter((label) => label === c).length / labels.length);
    case "multi-label":
      return task.labels.map(
        (_, l) => (width * labels.filter((held, at) => at % width === l && held === 1).length) / labels.length,
      );
    case "regression":
      return [median(labels)];
  }
}
