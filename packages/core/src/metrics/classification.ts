// Metrics of single-label classification, equal to scikit-learn's with `labels=range(numClasses)` and
// `zero_division=0`: a class that is absent from labels and predictions has F1 0 and counts in the macro mean.
import { expectedCalibrationError, negativeLogLikelihood } from "./calibration.ts";
import { argMaxRows } from "./probabilities.ts";
import { ratio, sampleWeights } from "./samples.ts";

export interface ClassMetrics {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Weight of the samples that carry this label: their number, without weights. */
  readonly support: number;
}

/** Entry [label][prediction] is the weight of the samples with that label and that prediction. */
export type ConfusionMatrix = readonly (readonly number[])[];

/** Metrics that need decisions only, under their names in YAML and tables. */
export interface PredictionMetrics {
  readonly accuracy: number;
  readonly "weighted-f1": number;
  readonly "macro-f1": number;
  /** One entry per class. */
  readonly perClass: readonly ClassMetrics[];
  readonly confusion: ConfusionMatrix;
}

/** Metrics that need probabilities as well. */
export interface ProbabilityMetrics extends PredictionMetrics {
  readonly ece: number;
  readonly nll: number;
}

/** Row-major `[samples, classes]`, rows that sum to 1; the decision is the arg max, the first one of equals. */
export interface Probabilities {
  readonly probabilities: ArrayLike<number>;
}

/** `[samples]` class indices. */
export interface Predictions {
  readonly predictions: ArrayLike<number>;
}

/**
 * The whole set at once; calibration (`ece`, `nll`) only where there are probabilities.
 *
 * @param labels `[samples]` class indices
 * @param weights `[samples]`, e.g. a mask; samples of weight 0 are never looked at
 * @throws RangeError for lengths that differ, indices out of range, rows that are no probabilities, or no samples
 */
export function classificationMetrics(
  labels: ArrayLike<number>,
  outputs: Probabilities,
  numClasses: number,
  weights?: ArrayLike<number>,
): ProbabilityMetrics;
export function classificationMetrics(
  labels: ArrayLike<number>,
  outputs: Predictions,
  numClasses: number,
  weights?: ArrayLike<number>,
): PredictionMetrics;
export function classificationMetrics(
  labels: ArrayLike<number>,
  outputs: Probabilities | Predictions,
  numClasses: number,
  weights?: ArrayLike<number>,
): PredictionMetrics | ProbabilityMetrics {
  if ("predictions" in outputs) {
    return predictionMetrics(confusionMatrix(labels, outputs.predictions, numClasses, weights));
  }
  const { probabilities } = outputs;
  // The calibration metrics come first: they check the rows, of which the arg max makes something in any case.
  const nll = negativeLogLikelihood(labels, probabilities, numClasses, weights);
  const ece = expectedCalibrationError(labels, probabilities, numClasses, weights);
  const confusion = confusionMatrix(labels, argMaxRows(probabilities, numClasses), numClasses, weights);
  return { ...predictionMetrics(confusion), ece, nll };
}

/** `[numClasses][numClasses]`, rows are labels, columns predictions. */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  numClasses: number,
  weights?: ArrayLike<number>,
): ConfusionMatrix {
  const used = sampleWeights("confusionMatrix", labels.length, predictions.length, weights);
  const matrix = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  used.forEach((weight, i) => {
    if (weight > 0) {
      const label = labels[i] as number;
      const prediction = predictions[i] as number;
      const row = matrix[label];
      const soFar = row?.[prediction];
      if (row === undefined || soFar === undefined) {
        throw new RangeError(
          `confusionMatrix: label ${label} or prediction ${prediction} of sample ${i} is none of ${numClasses} classes`,
        );
      }
      row[prediction] = soFar + weight;
    }
  });
  return matrix;
}

/** Share of right decisions. */
export function accuracy(confusion: ConfusionMatrix): number {
  let right = 0;
  let total = 0;
  confusion.forEach((row, label) => {
    right += row[label] ?? 0;
    total += sum(row);
  });
  return ratio(right, total);
}

/** Precision, recall, F1 = 2·tp / (2·tp + fp + fn), and support, class by class. */
export function classMetrics(confusion: ConfusionMatrix): ClassMetrics[] {
  return confusion.map((row, index) => {
    const right = row[index] ?? 0;
    const support = sum(row);
    const predicted = sum(confusion.map((other) => other[index] ?? 0));
    return {
      precision: ratio(right, predicted),
      recall: ratio(right, support),
      f1: ratio(2 * right, support + predicted),
      support,
    };
  });
}

/** Mean of F1 over classes, weighted by support. */
export function weightedF1(confusion: ConfusionMatrix): number {
  const classes = classMetrics(confusion);
  return ratio(sum(classes.map(({ f1, support }) => f1 * support)), sum(classes.map(({ support }) => support)));
}

/** Plain mean of F1 over all classes. */
export function macroF1(confusion: ConfusionMatrix): number {
  return ratio(sum(classMetrics(confusion).map(({ f1 }) => f1)), confusion.length);
}

function predictionMetrics(confusion: ConfusionMatrix): PredictionMetrics {
  return {
    accuracy: accuracy(confusion),
    "weighted-f1": weightedF1(confusion),
    "macro-f1": macroF1(confusion),
    perClass: classMetrics(confusion),
    confusion,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
