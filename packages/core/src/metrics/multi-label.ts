// Metrics of multi-label classification, equal to scikit-learn's on indicator matrices with `zero_division=0`.
import type { ClassMetrics } from "./classification.ts";
import { rowCount } from "./probabilities.ts";
import { ratio, sampleWeights, weightedMean } from "./samples.ts";

/** Under their names in YAML and tables. */
export interface MultiLabelMetrics {
  /** Over all decisions of all labels together. */
  readonly "micro-f1": number;
  readonly "macro-f1": number;
  readonly "weighted-f1": number;
  /** Share of samples with every label right. */
  readonly "subset-accuracy": number;
  /** Share of wrong decisions. */
  readonly "hamming-loss": number;
  /** One entry per label. */
  readonly perLabel: readonly ClassMetrics[];
}

/**
 * The whole set at once.
 *
 * @param held 0 and 1, row-major `[samples, labels]`
 * @param probabilities row-major `[samples, labels]`; a label is predicted where it reaches `threshold`
 * @param weights `[samples]`, e.g. a mask; samples of weight 0 are never looked at
 * @throws RangeError for lengths that differ, a label that is neither 0 nor 1, numbers that are no probabilities, or no
 *   samples
 */
export function multiLabelMetrics(
  held: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  numLabels: number,
  threshold: number,
  weights?: ArrayLike<number>,
): MultiLabelMetrics {
  const samples = rowCount(held, numLabels);
  const used = sampleWeights("multi-label metrics", samples, rowCount(probabilities, numLabels), weights);
  const counts = Array.from({ length: numLabels }, () => ({ right: 0, held: 0, predicted: 0 }));
  const errors = new Float64Array(samples);
  used.forEach((weight, i) => {
    if (weight === 0) {
      return;
    }
    for (const [label, count] of counts.entries()) {
      const truth = held[i * numLabels + label] as number;
      const probability = probabilities[i * numLabels + label] as number;
      if ((truth !== 0 && truth !== 1) || !(probability >= 0 && probability <= 1)) {
        throw new RangeError(
          `multi-label metrics: sample ${i} has ${truth} for label ${label} and the probability ${probability}`,
        );
      }
      const predicted = probability >= threshold ? 1 : 0;
      count.held += weight * truth;
      count.predicted += weight * predicted;
      count.right += weight * truth * predicted;
      errors[i] = (errors[i] as number) + (truth === predicted ? 0 : 1);
    }
  });
  const perLabel = counts.map(
    (count): ClassMetrics => ({
      precision: ratio(count.right, count.predicted),
      recall: ratio(count.right, count.held),
      f1: ratio(2 * count.right, count.held + count.predicted),
      support: count.held,
    }),
  );
  const sum = (value: (label: number) => number): number => counts.reduce((total, _, label) => total + value(label), 0);
  const count = (name: "right" | "held" | "predicted") => sum((label) => counts[label]?.[name] ?? 0);
  return {
    "micro-f1": ratio(2 * count("right"), count("held") + count("predicted")),
    "macro-f1": sum((label) => perLabel[label]?.f1 ?? 0) / numLabels,
    "weighted-f1": ratio(
      sum((label) => (perLabel[label]?.f1 ?? 0) * (perLabel[label]?.support ?? 0)),
      count("held"),
    ),
    "subset-accuracy": weightedMean(used, (i) => (errors[i] === 0 ? 1 : 0)),
    "hamming-loss": weightedMean(used, (i) => (errors[i] as number) / numLabels),
    perLabel,
  };
}
