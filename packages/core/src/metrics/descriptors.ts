// What tables and pickers of the best epoch must know about a metric.
import type { Task, TaskType } from "../contracts/task.ts";
import { MerclabError, suggestName } from "../errors.ts";

export interface MetricDescriptor {
  /** Column head in tables. */
  readonly label: string;
  readonly higherIsBetter: boolean;
  /** `share`: in [0, 1], shown as per cent; `target`: in the unit of the regression targets. */
  readonly unit: "share" | "nats" | "correlation" | "target";
  /** The tasks that it is scored for. */
  readonly tasks: readonly TaskType[];
  /** Scores on which it is defined: those with both signs, or those from −3 to 3. All where absent. */
  readonly scale?: "signed" | "sentiment";
}

const CLASSES = { higherIsBetter: true, unit: "share", tasks: ["single-label"] } as const;
const DECISIONS = { higherIsBetter: true, unit: "share", tasks: ["single-label", "multi-label"] } as const;
const LABELS = { higherIsBetter: true, unit: "share", tasks: ["multi-label"] } as const;
const SCORES = { higherIsBetter: true, unit: "share", tasks: ["regression"] } as const;

/** Every scalar metric by its name in YAML and stored results. */
export const METRICS = {
  accuracy: { ...CLASSES, label: "Accuracy" },
  "weighted-f1": { ...DECISIONS, label: "Weighted F1" },
  "macro-f1": { ...DECISIONS, label: "Macro F1" },
  ece: { ...CLASSES, label: "ECE", higherIsBetter: false },
  nll: { ...CLASSES, label: "NLL", higherIsBetter: false, unit: "nats" },
  "micro-f1": { ...LABELS, label: "Micro F1" },
  "subset-accuracy": { ...LABELS, label: "Subset accuracy" },
  "hamming-loss": { ...LABELS, label: "Hamming loss", higherIsBetter: false },
  mae: { ...SCORES, label: "MAE", higherIsBetter: false, unit: "target" },
  "pearson-r": { ...SCORES, label: "Pearson r", unit: "correlation" },
  "acc-7": { ...SCORES, label: "Acc-7", scale: "sentiment" },
  "acc-5": { ...SCORES, label: "Acc-5", scale: "sentiment" },
  "binary-accuracy-with-zero": { ...SCORES, label: "Acc-2 (with 0)", scale: "signed" },
  "binary-f1-with-zero": { ...SCORES, label: "F1-2 (with 0)", scale: "signed" },
  "binary-accuracy-without-zero": { ...SCORES, label: "Acc-2 (without 0)", scale: "signed" },
  "binary-f1-without-zero": { ...SCORES, label: "F1-2 (without 0)", scale: "signed" },
} as const satisfies Readonly<Record<string, MetricDescriptor>>;

export type MetricName = keyof typeof METRICS;

/** @throws MerclabError `config` with the nearest known name */
export function metricDescriptor(name: string): MetricDescriptor {
  if (!Object.hasOwn(METRICS, name)) {
    throw new MerclabError("config", `unknown metric "${name}"`, { hint: suggestName(name, Object.keys(METRICS)) });
  }
  return METRICS[name as MetricName];
}

/** The metrics that predictions of a task are scored by. */
export function metricsOfTask(task: Task): MetricName[] {
  return (Object.keys(METRICS) as MetricName[]).filter((name) => {
    const { tasks, scale } = metricDescriptor(name);
    return tasks.includes(task.type) && (task.type !== "regression" || fitsScale(task.range, scale));
  });
}

/** The metric that chooses the epoch where nobody names one. */
export const SELECTION_METRIC: Readonly<Record<TaskType, MetricName>> = {
  "single-label": "weighted-f1",
  "multi-label": "macro-f1",
  regression: "mae",
};

/** What tables show where nobody names metrics, the most usual first. */
const USUAL_METRICS: Readonly<Record<TaskType, readonly MetricName[]>> = {
  "single-label": ["weighted-f1", "accuracy"],
  "multi-label": ["macro-f1", "micro-f1", "subset-accuracy", "hamming-loss"],
  regression: ["mae", "pearson-r", "acc-7", "binary-accuracy-with-zero", "binary-accuracy-without-zero"],
};

/** The metrics that papers print for a task. */
export function usualMetrics(task: Task): MetricName[] {
  const scored = metricsOfTask(task);
  return USUAL_METRICS[task.type].filter((name) => scored.includes(name));
}

function fitsScale([low, high]: readonly [number, number], scale: MetricDescriptor["scale"]): boolean {
  switch (scale) {
    case undefined:
      return true;
    case "signed":
      return low < 0 && high > 0;
    case "sentiment":
      return low === -3 && high === 3;
  }
}
