// Metrics of regression onto a signed scale, such as sentiment from −3 to 3.
import { sampleWeights, weightedMean } from "./samples.ts";

/** Under their names in YAML and tables. */
export interface RegressionMetrics {
  readonly mae: number;
  readonly "pearson-r": number;
  readonly "binary-accuracy-with-zero": number;
  readonly "binary-accuracy-without-zero": number;
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
  return {
    mae: meanAbsoluteError(targets, predictions, weights),
    "pearson-r": pearsonR(targets, predictions, weights),
    "binary-accuracy-with-zero": binaryAccuracyWithZero(targets, predictions, weights),
    "binary-accuracy-without-zero": binaryAccuracyWithoutZero(targets, predictions, weights),
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

/** MOSI's negative against non-negative: all samples count, 0 is non-negative on both sides. */
export function binaryAccuracyWithZero(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  const used = finiteSamples("binary-accuracy-with-zero", targets, predictions, weights);
  return weightedMean(used, (i) => (at(targets, i) >= 0 === at(predictions, i) >= 0 ? 1 : 0));
}

/**
 * MOSI's negative against positive: samples whose target is 0 do not count, a prediction of 0 is negative. 0 when no
 * sample is left.
 */
export function binaryAccuracyWithoutZero(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  const used = finiteSamples("binary-accuracy-without-zero", targets, predictions, weights);
  const nonZero = used.map((weight, i) => (at(targets, i) === 0 ? 0 : weight));
  if (!nonZero.some((weight) => weight > 0)) {
    return 0;
  }
  return weightedMean(nonZero, (i) => (at(targets, i) > 0 === at(predictions, i) > 0 ? 1 : 0));
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
