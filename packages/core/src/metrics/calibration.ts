// How far probabilities can be believed.
import { argMaxRows, checkRow, rowCount } from "./probabilities.ts";
import { ratio, sampleWeights, weightedMean } from "./samples.ts";

export const CALIBRATION_BINS = 15;
const BIN_EDGES = Array.from({ length: CALIBRATION_BINS }, (_, i) => (i + 1) / CALIBRATION_BINS);

/** The bin of a confidence, (b/15, (b+1)/15]; float32 softmax may exceed 1 by an ulp. */
export function calibrationBin(confidence: number): number {
  const bin = BIN_EDGES.findIndex((edge) => confidence <= edge);
  return bin < 0 ? CALIBRATION_BINS - 1 : bin;
}

/** Probabilities below it count as it, as in scikit-learn's `log_loss` on float64. */
const SMALLEST_PROBABILITY = Number.EPSILON;

/**
 * Expected calibration error (Guo et al. 2017, equation 3): samples fall into 15 equal bins (b/15, (b+1)/15] by their
 * confidence, the largest probability; ECE = Σ_b weight_b/weight · |accuracy_b − mean confidence_b|.
 *
 * @param labels `[samples]` class indices
 * @param probabilities `[samples, classes]`, row-major
 */
export function expectedCalibrationError(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  numClasses: number,
  weights?: ArrayLike<number>,
): number {
  const used = checkedWeights("ece", labels, probabilities, numClasses, weights);
  const predictions = argMaxRows(probabilities, numClasses);
  const surplus = new Float64Array(CALIBRATION_BINS); // Σ w·(right − confidence)
  let total = 0;
  used.forEach((weight, i) => {
    if (weight > 0) {
      const prediction = predictions[i] as number;
      const confidence = probabilities[i * numClasses + prediction] as number;
      const right = prediction === labels[i] ? 1 : 0;
      const at = calibrationBin(confidence);
      surplus[at] = (surplus[at] as number) + weight * (right - confidence);
      total += weight;
    }
  });
  return ratio(
    surplus.reduce((sum, value) => sum + Math.abs(value), 0),
    total,
  );
}

/**
 * Negative log likelihood −Σ w·log p[y] / Σ w, in nats.
 *
 * @param labels `[samples]` class indices
 * @param probabilities `[samples, classes]`, row-major
 */
export function negativeLogLikelihood(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  numClasses: number,
  weights?: ArrayLike<number>,
): number {
  const used = checkedWeights("nll", labels, probabilities, numClasses, weights);
  return weightedMean(used, (i) => {
    const likelihood = probabilities[i * numClasses + (labels[i] as number)] as number;
    return -Math.log(Math.max(likelihood, SMALLEST_PROBABILITY));
  });
}

function checkedWeights(
  metric: string,
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  numClasses: number,
  weights?: ArrayLike<number>,
): Float64Array {
  const used = sampleWeights(metric, labels.length, rowCount(probabilities, numClasses), weights);
  used.forEach((weight, i) => {
    if (weight > 0) {
      const label = labels[i] as number;
      if (!Number.isInteger(label) || label < 0 || label >= numClasses) {
        throw new RangeError(`${metric}: label ${label} of sample ${i} is none of ${numClasses} classes`);
      }
      checkRow(probabilities, numClasses, i);
    }
  });
  return used;
}
