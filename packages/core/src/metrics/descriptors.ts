// What tables and pickers of the best epoch must know about a metric.
import { MerclabError, suggestName } from "../errors.ts";

export interface MetricDescriptor {
  /** Column head in tables. */
  readonly label: string;
  readonly higherIsBetter: boolean;
  /** `share`: in [0, 1], shown as per cent; `target`: in the unit of the regression targets. */
  readonly unit: "share" | "nats" | "correlation" | "target";
}

/** Every scalar metric by its name in YAML and stored results. */
export const METRICS = {
  accuracy: { label: "Accuracy", higherIsBetter: true, unit: "share" },
  "weighted-f1": { label: "Weighted F1", higherIsBetter: true, unit: "share" },
  "macro-f1": { label: "Macro F1", higherIsBetter: true, unit: "share" },
  ece: { label: "ECE", higherIsBetter: false, unit: "share" },
  nll: { label: "NLL", higherIsBetter: false, unit: "nats" },
  mae: { label: "MAE", higherIsBetter: false, unit: "target" },
  "pearson-r": { label: "Pearson r", higherIsBetter: true, unit: "correlation" },
  "binary-accuracy-with-zero": { label: "Acc-2 (with 0)", higherIsBetter: true, unit: "share" },
  "binary-accuracy-without-zero": { label: "Acc-2 (without 0)", higherIsBetter: true, unit: "share" },
} as const satisfies Readonly<Record<string, MetricDescriptor>>;

export type MetricName = keyof typeof METRICS;

/** @throws MerclabError `config` with the nearest known name */
export function metricDescriptor(name: string): MetricDescriptor {
  if (!Object.hasOwn(METRICS, name)) {
    throw new MerclabError("config", `unknown metric "${name}"`, { hint: suggestName(name, Object.keys(METRICS)) });
  }
  return METRICS[name as MetricName];
}
