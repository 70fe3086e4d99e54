// What the sections ask of a block: its metric, the score of a method, and which methods have room for pictures.
import { METRICS, type MetricName, metricDescriptor, metricsOfTask, usualMetrics } from "@merclab/core";
import { describeValues, type Statistics } from "../aggregate/statistics.ts";
import type { Block, Method } from "../study/study-material.ts";
import { printedPerStored } from "../tables/comparisons.ts";
import type { Table } from "../tables/table.ts";

/** Per data set. More are in the tables alone: their pictures would be neither read nor small. */
export const MOST_METHODS = 24;

export interface ShownBlock extends Block {
  /** Of the pictures: the first of the tables that the task is scored by. */
  readonly metric: MetricName;
  /** "Weighted F1 (%)" */
  readonly metricLabel: string;
  readonly higherIsBetter: boolean;
  /** Methods with pictures, in the order of the tables. */
  readonly shown: readonly Method[];
  /** Methods with results, the one with the best mean first. */
  readonly ranked: readonly Method[];
}

export function shownBlock(block: Block, tables: readonly Table[]): ShownBlock {
  const scored = metricsOfTask(block.task);
  const wanted = tables.flatMap(({ columns }) => columns.flatMap(({ metric }) => metric ?? []));
  const metric = wanted.find((each) => scored.includes(each)) ?? (usualMetrics(block.task)[0] as MetricName);
  const { higherIsBetter, label, unit } = metricDescriptor(metric);
  const sign = METRICS[metric].higherIsBetter ? 1 : -1;
  const ranked = block.methods
    .map((method) => ({ method, mean: methodScore(method, metric).mean }))
    .flatMap(({ method, mean }) => (mean === undefined ? [] : [{ method, mean }]))
    .sort((a, b) => sign * (b.mean - a.mean))
    .map(({ method }) => method);
  const kept = new Set(ranked.slice(0, MOST_METHODS));
  const shown = block.methods.length <= MOST_METHODS ? block.methods : block.methods.filter((each) => kept.has(each));
  const metricLabel = unit === "share" ? `${label} (%)` : label;
  return { ...block, metric, metricLabel, higherIsBetter, shown, ranked };
}

/** The result over seeds, in the unit that is printed. */
export function methodScore({ trials }: Method, metric: MetricName): Statistics {
  const unit = printedPerStored(metric);
  return describeValues(
    trials
      .flatMap(({ result }) => result?.test.validSelected.metrics[metric] ?? [])
      .filter(Number.isFinite)
      .map((value) => value * unit),
  );
}
