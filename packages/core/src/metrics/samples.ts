// What every metric asks of its samples: equal lengths, sane weights, and at least one sample that counts.

/**
 * One weight per sample, 1 for each when none are given. Samples of weight 0 are never looked at, so a mask hides
 * whatever lies on padding.
 *
 * @throws RangeError when lengths differ, a weight is negative or not finite, or nothing counts
 */
export function sampleWeights(
  metric: string,
  count: number,
  outputs: number,
  weights?: ArrayLike<number>,
): Float64Array {
  if (outputs !== count) {
    throw new RangeError(`${metric}: expected outputs for ${count} samples, got ${outputs}`);
  }
  if (weights !== undefined && weights.length !== count) {
    throw new RangeError(`${metric}: expected ${count} weights, got ${weights.length}`);
  }
  const used = weights === undefined ? new Float64Array(count).fill(1) : Float64Array.from(weights);
  const wrong = used.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (wrong >= 0) {
    throw new RangeError(`${metric}: weight ${used[wrong]} of sample ${wrong} is negative or not finite`);
  }
  if (!used.some((weight) => weight > 0)) {
    throw new RangeError(`${metric}: no sample counts (${count} samples, no positive weight)`);
  }
  return used;
}

/** Σ w·value(i) / Σ w over the samples that count. */
export function weightedMean(weights: Float64Array, value: (sample: number) => number): number {
  let total = 0;
  let weightSum = 0;
  weights.forEach((weight, i) => {
    if (weight > 0) {
      total += weight * value(i);
      weightSum += weight;
    }
  });
  return total / weightSum;
}

/** Zero where scikit-learn's `zero_division=0` gives zero. */
export function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}
