// Metrics of regression, among them those of sentiment from −3 to 3 as MMSA and MulT compute them.
import { accuracy, confusionMatrix, weightedF1 } from "./classification.ts";
import { sampleWeights, weightedMean } from "./samples.ts";

/** Under their names in YAML and tables. */
export interface RegressionMetrics {
  readonly mae: number;
  readonly "pearson-r": number;
  readonly "acc-7": number;
  readonly "acc-5": number;
  readonly "binary-accuracy-with-zero": number;
  readonly "binary-f1-with-zero": number;
  readonly "binary-accuracy-without-zero": number;
  readonly "binary-f1-without-zero": number;
}

/**
 * The whole set at once.
 *
 * @param targets `[samples]`
 * @param predictions `[samples]`
 * @param weights `[samples]`, e.g. a mask; samples of weight 0 are never looked at
 * @throws RangeError for lengths that differ, numbers that are not finite, or no samples
 */
export function regressionMetrics(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): RegressionMetrics {
  const withZero = binaryWithZero(targets, predictions, weights);
  const withoutZero = binaryWithoutZero(targets, predictions, weights);
  return {
    mae: meanAbsoluteError(targets, predictions, weights),
    "pearson-r": pearsonR(targets, predictions, weights),
    "acc-7": roundedAccuracy(targets, predictions, 3, weights),
    "acc-5": roundedAccuracy(targets, predictions, 2, weights),
    "binary-accuracy-with-zero": withZero.accuracy,
    "binary-f1-with-zero": withZero.f1,
    "binary-accuracy-without-zero": withoutZero.accuracy,
    "binary-f1-without-zero": withoutZero.f1,
  };
}

/** Σ w·|prediction − target| / Σ w. */
export function meanAbsoluteError(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  const used = finiteSamples("mae", targets, predictions, weights);
  return weightedMean(used, (i) => Math.abs(at(predictions, i) - at(targets, i)));
}

/** Pearson's correlation, with weighted means and moments; 0 where a side is constant and it is not defined. */
export function pearsonR(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  const used = finiteSamples("pearson-r", targets, predictions, weights);
  if (isConstant(targets, used) || isConstant(predictions, used)) {
    return 0;
  }
  const meanX = weightedMean(used, (i) => at(targets, i));
  const meanY = weightedMean(used, (i) => at(predictions, i));
  const xy = weightedMean(used, (i) => (at(targets, i) - meanX) * (at(predictions, i) - meanY));
  const xx = weightedMean(used, (i) => (at(targets, i) - meanX) ** 2);
  const yy = weightedMean(used, (i) => (at(predictions, i) - meanY) ** 2);
  return Math.max(-1, Math.min(1, xy / (Math.sqrt(xx) * Math.sqrt(yy))));
}

/**
 * Share of samples whose target and prediction, both clipped to ±bound, round to the same whole number: Acc-7 with 3,
 * Acc-5 with 2. Halves go to the even number, as in NumPy.
 */
export function roundedAccuracy(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  bound: number,
  weights?: ArrayLike<number>,
): number {
  const used = finiteSamples("rounded accuracy", targets, predictions, weights);
  const rounded = (value: number): number => roundHalfToEven(Math.max(-bound, Math.min(bound, value)));
  return weightedMean(used, (i) => (rounded(at(targets, i)) === rounded(at(predictions, i)) ? 1 : 0));
}

/** Halves go to the even number, as in NumPy; never −0. */
export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const isHalf = value - below === 0.5;
  return (isHalf ? below + Math.abs(below % 2) : Math.round(value)) + 0;
}

/** Accuracy and support-weighted F1 of a decision between two sides. */
export interface BinaryScores {
  readonly accuracy: number;
  readonly f1: number;
}

/** MOSI's negative against non-negative: all samples count, 0 is non-negative on both sides. */
export function binaryWithZero(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): BinaryScores {
  const used = finiteSamples("acc-2 with 0", targets, predictions, weights);
  return binaryScores(targets, predictions, (value) => value >= 0, used);
}

/**
 * MOSI's negative against positive: samples whose target is 0 do not count, a prediction of 0 is negative. 0 when no
 * sample is left.
 */
export function binaryWithoutZero(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): BinaryScores {
  const used = finiteSamples("acc-2 without 0", targets, predictions, weights);
  const nonZero = used.map((weight, i) => (at(targets, i) === 0 ? 0 : weight));
  if (!nonZero.some((weight) => weight > 0)) {
    return { accuracy: 0, f1: 0 };
  }
  return binaryScores(targets, predictions, (value) => value > 0, nonZero);
}

function binaryScores(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  isPositive: (value: number) => boolean,
  weights: Float64Array,
): BinaryScores {
  const sides = (values: ArrayLike<number>) => Array.from(values, (value) => (isPositive(value) ? 1 : 0));
  const confusion = confusionMatrix(sides(targets), sides(predictions), 2, weights);
  return { accuracy: accuracy(confusion), f1: weightedF1(confusion) };
}

function finiteSamples(
  metric: string,
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): Float64Array {
  const used = sampleWeights(metric, targets.length, predictions.length, weights);
  used.forEach((weight, i) => {
    if (weight > 0 && !(Number.isFinite(at(targets, i)) && Number.isFinite(at(predictions, i)))) {
      throw new RangeError(`${metric}: sample ${i} has target ${targets[i]} and prediction ${predictions[i]}`);
    }
  });
  return used;
}

/** Compared by value: rounding may leave a constant column with a tiny variance. */
function isConstant(values: ArrayLike<number>, weights: Float64Array): boolean {
  const first = at(
    values,
    weights.findIndex((weight) => weight > 0),
  );
  return weights.every((weight, i) => weight === 0 || at(values, i) === first);
}

function at(values: ArrayLike<number>, i: number): number {
  return values[i] as number;
}
