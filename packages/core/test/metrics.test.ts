import { readFileSync } from "node:fs";
import {
  accuracy,
  argMaxRows,
  classificationMetrics,
  classMetrics,
  confusionMatrix,
  expectedCalibrationError,
  METRICS,
  macroF1,
  metricDescriptor,
  metricsOfTask,
  multiLabelMetrics,
  negativeLogLikelihood,
  outputDim,
  pearsonR,
  regressionMetrics,
  roundHalfToEven,
  SELECTION_METRIC,
  taskScores,
  usualMetrics,
  weightedF1,
} from "@merclab/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface ClassificationCase {
  name: string;
  numClasses: number;
  labels: number[];
  probabilities: number[];
  predictions: number[];
  weights: number[] | null;
  expected: Record<"accuracy" | "weighted-f1" | "macro-f1" | "ece" | "nll", number> &
    Record<"precision" | "recall" | "f1" | "support", number[]> & { confusion: number[][] };
}

interface RegressionCase {
  name: string;
  targets: number[];
  predictions: number[];
  weights: number[] | null;
  expected: Record<string, number>;
}

interface MultiLabelCase {
  name: string;
  numLabels: number;
  threshold: number;
  held: number[];
  probabilities: number[];
  weights: number[] | null;
  expected: Record<"micro-f1" | "macro-f1" | "weighted-f1" | "subset-accuracy" | "hamming-loss", number> &
    Record<"precision" | "recall" | "f1" | "support", number[]>;
}

// Written by fixtures/metrics.py with scikit-learn, SciPy and NumPy.
const fixture = JSON.parse(readFileSync(new URL("./fixtures/metrics.json", import.meta.url), "utf8")) as {
  classification: ClassificationCase[];
  regression: RegressionCase[];
  multiLabel: MultiLabelCase[];
};

const close = (actual: number, expected: number): void =>
  expect(Math.abs(actual - expected), `${actual} against ${expected}`).toBeLessThanOrEqual(1e-12);

describe("classification metrics equal scikit-learn's", () => {
  it.each(fixture.classification)("$name", ({ labels, probabilities, predictions, numClasses, weights, expected }) => {
    const metrics = classificationMetrics(labels, { probabilities }, numClasses, weights ?? undefined);
    for (const name of ["accuracy", "weighted-f1", "macro-f1", "ece", "nll"] as const) {
      close(metrics[name], expected[name]);
    }
    expect(metrics.perClass).toHaveLength(numClasses);
    metrics.perClass.forEach((of, index) => {
      for (const name of ["precision", "recall", "f1", "support"] as const) {
        close(of[name], expected[name][index] ?? Number.NaN);
      }
    });
    metrics.confusion.flat().forEach((value, i) => {
      close(value, expected.confusion.flat()[i] ?? Number.NaN);
    });
    expect([...argMaxRows(probabilities, numClasses)]).toEqual(predictions);
  });

  it.each(fixture.classification)("from predictions alone: $name", (example) => {
    const { labels, predictions, numClasses, expected } = example;
    const metrics = classificationMetrics(labels, { predictions }, numClasses, example.weights ?? undefined);
    close(metrics["weighted-f1"], expected["weighted-f1"]);
    close(metrics["macro-f1"], expected["macro-f1"]);
    expect(metrics).not.toHaveProperty("ece");
    expect(metrics).not.toHaveProperty("nll");
  });
});

describe("regression metrics equal SciPy's and scikit-learn's", () => {
  it.each(fixture.regression)("$name", ({ targets, predictions, weights, expected }) => {
    const metrics = regressionMetrics(targets, predictions, weights ?? undefined);
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, value] of Object.entries(metrics)) {
      close(value / Math.max(1, Math.abs(value)), (expected[name] ?? Number.NaN) / Math.max(1, Math.abs(value)));
    }
  });
});

describe("multi-label metrics equal scikit-learn's", () => {
  it.each(fixture.multiLabel)("$name", ({ held, probabilities, numLabels, threshold, weights, expected }) => {
    const metrics = multiLabelMetrics(held, probabilities, numLabels, threshold, weights ?? undefined);
    for (const name of ["micro-f1", "macro-f1", "weighted-f1", "subset-accuracy", "hamming-loss"] as const) {
      close(metrics[name], expected[name]);
    }
    expect(metrics.perLabel).toHaveLength(numLabels);
    metrics.perLabel.forEach((of, label) => {
      for (const name of ["precision", "recall", "f1", "support"] as const) {
        close(of[name], expected[name][label] ?? Number.NaN);
      }
    });
  });

  it("refuse what is no label or no probability", () => {
    expect(() => multiLabelMetrics([2], [0.5], 1, 0.5)).toThrow(/has 2 for label 0/);
    expect(() => multiLabelMetrics([1], [1.5], 1, 0.5)).toThrow(/probability 1.5/);
    expect(() => multiLabelMetrics([1], [Number.NaN], 1, 0.5)).toThrow(/probability NaN/);
    expect(() => multiLabelMetrics([1, 0, 1], [1, 0, 1], 2, 0.5)).toThrow(/rows of 2/);
    expect(multiLabelMetrics([1, 2], [1, Number.NaN], 1, 0.5, [1, 0])["subset-accuracy"]).toBe(1);
  });
});

describe("scores of a task", () => {
  const six = { type: "regression", range: [-3, 3] } as const;

  it("are those that its metrics are", () => {
    const sets = { type: "multi-label", labels: ["a", "b"], threshold: 0.5 } as const;
    const classes = { type: "single-label", classes: ["a", "b"] } as const;
    for (const task of [six, sets, classes, { type: "regression", range: [1, 5] } as const]) {
      const width = outputDim(task);
      const { metrics } = taskScores(task, task === sets ? [1, 0] : [1], width === 1 ? [0.5] : [0.5, 0.5]);
      expect(Object.keys(metrics).sort()).toEqual(metricsOfTask(task).sort());
      expect(metricsOfTask(task)).toEqual(expect.arrayContaining(usualMetrics(task)));
      expect(metricsOfTask(task)).toContain(SELECTION_METRIC[task.type]);
    }
  });

  it("have sentiment classes only from -3 to 3, and two sides only where scores have both signs", () => {
    expect(metricsOfTask(six)).toContain("acc-7");
    expect(metricsOfTask({ type: "regression", range: [-1, 1] })).toEqual(
      expect.arrayContaining(["binary-accuracy-with-zero"]),
    );
    expect(metricsOfTask({ type: "regression", range: [-1, 1] })).not.toContain("acc-7");
    expect(metricsOfTask({ type: "regression", range: [0, 5] })).toEqual(["mae", "pearson-r"]);
  });
});

describe("classification metrics", () => {
  it("agree with an example worked by hand", () => {
    // labels a a b c, predictions a b b b
    const confusion = confusionMatrix([0, 0, 1, 2], [0, 1, 1, 1], 3);
    expect(confusion).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [0, 1, 0],
    ]);
    expect(classMetrics(confusion)).toEqual([
      { precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
      { precision: 1 / 3, recall: 1, f1: 0.5, support: 1 },
      { precision: 0, recall: 0, f1: 0, support: 1 },
    ]);
    expect(accuracy(confusion)).toBe(0.5);
    close(weightedF1(confusion), (4 / 3 + 0.5) / 4);
    close(macroF1(confusion), (2 / 3 + 0.5) / 3);
  });

  it("count an absent class as zero in the macro mean", () => {
    expect(macroF1(confusionMatrix([0, 1], [0, 1], 4))).toBe(0.5);
  });

  it("put a confidence on a bin's edge into the lower bin", () => {
    // 0.6 = 9/15 shares the bin (8/15, 9/15] with 0.55: |(1 + 0) − (0.6 + 0.55)| / 2. Two bins would give 0.475.
    close(expectedCalibrationError([0, 1], [0.6, 0.4, 0.55, 0.45], 2), 0.075);
  });

  it("bound the likelihood of an impossible label as scikit-learn does", () => {
    close(negativeLogLikelihood([1], [1, 0], 2), -Math.log(2 ** -52));
  });

  it("never look at samples of weight 0", () => {
    fc.assert(
      fc.property(caseArbitrary(), ({ labels, probabilities, numClasses }) => {
        const clean = classificationMetrics(labels, { probabilities }, numClasses);
        const padded = classificationMetrics(
          [...labels, 0, 99],
          {
            probabilities: [
              ...probabilities,
              ...new Array(numClasses).fill(Number.NaN),
              ...new Array(numClasses).fill(7),
            ],
          },
          numClasses,
          [...labels.map(() => 1), 0, 0],
        );
        expect(padded).toEqual(clean);
      }),
    );
  });

  it("take a weight of two for a sample that is there twice", () => {
    fc.assert(
      fc.property(caseArbitrary(), ({ labels, probabilities, numClasses }) => {
        const weights = labels.map((_, i) => 1 + (i % 2));
        const twice = labels.flatMap((_, i) => (i % 2 === 0 ? [i] : [i, i]));
        const weighted = classificationMetrics(labels, { probabilities }, numClasses, weights);
        const repeated = classificationMetrics(
          twice.map((i) => labels[i] ?? 0),
          { probabilities: twice.flatMap((i) => probabilities.slice(i * numClasses, (i + 1) * numClasses)) },
          numClasses,
        );
        for (const name of ["accuracy", "weighted-f1", "macro-f1", "ece", "nll"] as const) {
          close(weighted[name], repeated[name]);
        }
      }),
    );
  });

  it("do not depend on the order of samples", () => {
    fc.assert(
      fc.property(caseArbitrary(), ({ labels, probabilities, numClasses }) => {
        const rows = labels.map((label, i) => ({
          label,
          row: probabilities.slice(i * numClasses, (i + 1) * numClasses),
        }));
        rows.reverse();
        const forward = classificationMetrics(labels, { probabilities }, numClasses);
        const backward = classificationMetrics(
          rows.map(({ label }) => label),
          { probabilities: rows.flatMap(({ row }) => row) },
          numClasses,
        );
        expect(backward.confusion).toEqual(forward.confusion);
        close(backward.ece, forward.ece);
        close(backward.nll, forward.nll);
      }),
    );
  });

  it("refuse what would give a wrong number", () => {
    expect(() => classificationMetrics([0], { predictions: [0, 1] }, 2)).toThrow(/1 samples, got 2/);
    expect(() => classificationMetrics([2], { predictions: [0] }, 2)).toThrow(/label 2/);
    expect(() => classificationMetrics([0], { predictions: [-1] }, 2)).toThrow(/prediction -1/);
    expect(() => classificationMetrics([0], { predictions: [0.5] }, 2)).toThrow(/prediction 0.5/);
    expect(() => classificationMetrics([], { predictions: [] }, 2)).toThrow(/no sample counts/);
    expect(() => classificationMetrics([0], { predictions: [0] }, 2, [0])).toThrow(/no sample counts/);
    expect(() => classificationMetrics([0], { predictions: [0] }, 2, [-1])).toThrow(/negative/);
    expect(() => classificationMetrics([0], { predictions: [0] }, 2, [1, 1])).toThrow(/expected 1 weights, got 2/);
    expect(() => classificationMetrics([0], { probabilities: [0.2, 0.3, 0.5] }, 2)).toThrow(/rows of 2/);
    expect(() => classificationMetrics([0], { probabilities: [Number.NaN, 0.5] }, 2)).toThrow(/NaN for class 0/);
    expect(() => classificationMetrics([0], { probabilities: [-0.5, 1.5] }, 2)).toThrow(/logits/);
    expect(() => classificationMetrics([0], { probabilities: [2, 3] }, 2)).toThrow(/sum to 5/);
    expect(() => classificationMetrics([5], { probabilities: [0.5, 0.5] }, 2)).toThrow(/label 5/);
  });
});

describe("regression metrics", () => {
  it("call a prediction of zero non-negative with zero and negative without it", () => {
    const metrics = regressionMetrics([0, 1, -1, 2], [0, 0, 0, 1]);
    expect(metrics["binary-accuracy-with-zero"]).toBe(3 / 4);
    expect(metrics["binary-accuracy-without-zero"]).toBe(2 / 3);
  });

  it("round halves to the even number, and never to -0", () => {
    const halves = [-2.5, -1.5, -0.5, -0.3, 0.5, 1.5, 2.5, 2.51];
    expect(halves.map(roundHalfToEven)).toEqual([-2, -2, 0, 0, 0, 2, 2, 3]);
  });

  it("give 0 where a correlation or a binary accuracy is not defined", () => {
    expect(pearsonR([1, 2, 3], [0.1, 0.1, 0.1])).toBe(0);
    expect(regressionMetrics([0, 0], [1, -1])["binary-accuracy-without-zero"]).toBe(0);
  });

  it("give ±1 for linear relations, whatever scale and shift", () => {
    const number = fc.integer({ min: -1000, max: 1000 });
    fc.assert(
      fc.property(
        fc.uniqueArray(number, { minLength: 2, maxLength: 20 }),
        fc.integer({ min: 1, max: 9 }),
        number,
        (xs, a, b) => {
          const ys = xs.map((x) => a * x + b);
          close(pearsonR(xs, ys), 1);
          close(
            pearsonR(
              xs,
              ys.map((y) => -y),
            ),
            -1,
          );
        },
      ),
    );
  });

  it("refuse numbers that are not finite unless they are masked", () => {
    expect(() => regressionMetrics([1, 2], [1, Number.NaN])).toThrow(/sample 1/);
    expect(regressionMetrics([1, 2], [1.5, Number.NaN], [1, 0]).mae).toBe(0.5);
  });
});

describe("metric descriptors", () => {
  it("exist for every scalar of all sets", () => {
    const { perClass, confusion, ...scalars } = classificationMetrics(
      [0, 1],
      { probabilities: [0.6, 0.4, 0.1, 0.9] },
      2,
    );
    expect(perClass).toHaveLength(confusion.length);
    const { perLabel, ...sets } = multiLabelMetrics([1], [1], 1, 0.5);
    expect(perLabel).toHaveLength(1);
    const names = [scalars, regressionMetrics([1], [1]), sets].flatMap((each) => Object.keys(each));
    expect([...new Set(names)].sort()).toEqual(Object.keys(METRICS).sort());
  });

  it("know which way is better", () => {
    const lowerIsBetter = Object.keys(METRICS).filter((name) => !metricDescriptor(name).higherIsBetter);
    expect(lowerIsBetter).toEqual(["ece", "nll", "hamming-loss", "mae"]);
  });

  it("suggest the nearest name for an unknown one", () => {
    expect(() => metricDescriptor("weighted_f1")).toThrow(
      expect.objectContaining({ code: "config", hint: expect.stringContaining('Did you mean "weighted-f1"?') }),
    );
    expect(() => metricDescriptor("toString")).toThrow(/unknown metric/);
  });
});

function caseArbitrary(): fc.Arbitrary<{ numClasses: number; labels: number[]; probabilities: number[] }> {
  return fc
    .record({ numClasses: fc.integer({ min: 2, max: 5 }), samples: fc.integer({ min: 1, max: 12 }) })
    .chain(({ numClasses, samples }) =>
      fc.record({
        numClasses: fc.constant(numClasses),
        labels: fc.array(fc.nat(numClasses - 1), { minLength: samples, maxLength: samples }),
        probabilities: fc
          .array(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: numClasses, maxLength: numClasses }), {
            minLength: samples,
            maxLength: samples,
          })
          .map((rows) => rows.flatMap((row) => row.map((value) => value / row.reduce((a, b) => a + b, 0)))),
      }),
    );
}
