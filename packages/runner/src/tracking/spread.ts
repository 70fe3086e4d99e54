// Mean and standard deviation over seeds, the view MLflow itself lacks: metrics of the study's own run. The step is
// the number of seeds and the time that of the latest result, so telling the same results twice changes nothing.
import { type MetricInput, sanitizeKey } from "mlflow-js-client";
import stringify from "safe-stable-stringify";
import type { Scores, TrialResult, TrialSpec } from "../store/trial-files.ts";
import { shortHash } from "./hashes.ts";
import { cellKey } from "./names.ts";

export interface FinishedTrial {
  readonly spec: TrialSpec;
  readonly result: TrialResult;
}

/** `<cell>/test/<metric>/mean`, `…/std` (from two seeds) and the same of `max-test`, with `<cell>/seeds`. */
export function spreadMetrics(trials: readonly FinishedTrial[]): MetricInput[] {
  const cells = Object.entries(groupBy(trials, ({ spec }) => stringify([spec.config, spec.data]) ?? ""));
  const byName = groupBy(cells, ([, [first]]) => cellKey(first.spec));
  return Object.entries(byName).flatMap(([name, homonyms]) =>
    homonyms.flatMap(([identity, members]) => {
      // Cells may differ in what their name leaves out, for instance real and synthetic data.
      const unique = homonyms.length === 1 ? name : `${name}-${shortHash(identity).slice(0, 6)}`;
      return cellMetrics(unique, members);
    }),
  );
}

type NonEmpty<T> = [T, ...T[]];

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, NonEmpty<T>> {
  const groups: Record<string, NonEmpty<T>> = {};
  for (const item of items) {
    const key = keyOf(item);
    const group = groups[key];
    if (group === undefined) {
      groups[key] = [item];
    } else {
      group.push(item);
    }
  }
  return groups;
}

function cellMetrics(name: string, members: readonly FinishedTrial[]): MetricInput[] {
  const step = members.length;
  const timestamp = Math.max(...members.map(({ result }) => Date.parse(result.seal.openedAt)));
  const metric = (key: string, value: number) => ({ key: sanitizeKey(`${name}/${key}`), value, step, timestamp });
  const parts = [
    ["test", members.map(({ result }) => result.test.validSelected.metrics)],
    ["max-test", members.map(({ result }) => result.test.maxTest.metrics)],
  ] as const;
  return [
    metric("seeds", step),
    ...parts.flatMap(([part, scores]) =>
      sharedNames(scores).flatMap((score) => {
        const values = scores.map((each) => each[score] ?? Number.NaN);
        const mean = meanOf(values);
        const spread = step > 1 ? [metric(`${part}/${score}/std`, sampleDeviation(values, mean))] : [];
        return [metric(`${part}/${score}/mean`, mean), ...spread];
      }),
    ),
  ];
}

function sharedNames([first = {}, ...others]: readonly Scores[]): string[] {
  return Object.keys(first).filter((name) => others.every((other) => name in other));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** With n − 1 in the denominator. */
function sampleDeviation(values: readonly number[], mean: number): number {
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
