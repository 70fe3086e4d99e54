// How many seeds the tests of a table need to find a difference, given how far scores vary over the seeds that ran.
import { METRICS, type MetricName } from "@merclab/core";
import type { TableSpec } from "@merclab/runner";
import { detectableDifference, pairedTTest, seedsNeeded } from "@merclab/statistics";
import { sampleVariance } from "simple-statistics";
import {
  comparableFamilies,
  countComparisons,
  type Family,
  LEVEL,
  printedPerStored,
  testablePairs,
} from "./comparisons.ts";
import { layOutTable } from "./layout.ts";
import type { Planned } from "./table.ts";

/** Chance of finding a difference that is there. */
export const POWER = 0.8;

/** Standard deviation of a share over the seeds of one method where nothing has run: one point. */
const ASSUMED_SD = 0.01;

/** Rows of a table on one data set, and the metric that the table shows first. Numbers are in printed units. */
export interface SeedPlan {
  readonly dataset: string;
  readonly metric: MetricName;
  /** Number of tests of the whole table, which are corrected together. */
  readonly comparisons: number;
  readonly difference: number;
  /** Absent where nothing has run and nothing sensible can be assumed. */
  readonly spread?: {
    /** Standard deviation over seeds of the difference between two methods. */
    readonly sd: number;
    /** `differences` of stored pairs; `scores` of single methods, as if these were independent; `assumed`. */
    readonly source: "differences" | "scores" | "assumed";
    /** Number of stored runs that it was read from. */
    readonly runs: number;
  };
  /** Per method; absent without a spread, and where no study could have as many. */
  readonly needed?: number;
  /** Of the method that has fewest. */
  readonly planned: number;
  /** What that many find; absent for one seed or without a spread. */
  readonly detectable?: number;
}

/**
 * @param planned every trial of the plan, with the results that are stored
 * @param difference in printed units: points for what is printed in per cent; without it 1 point, or 0.01
 */
export function planSeeds(spec: TableSpec, planned: readonly Planned[], difference?: number): SeedPlan[] {
  const { columns, cells, metrics } = layOutTable(spec, planned);
  const all = comparableFamilies(columns, cells);
  const comparisons = countComparisons(all);
  return all
    .filter(({ metric, members }) => metric === metrics[0] && members.length > 1)
    .map((family): SeedPlan => {
      const { metric, column, members } = family;
      const unit = printedPerStored(metric);
      const wanted = difference ?? (METRICS[metric].unit === "share" ? 1 : 0.01);
      const trials = members.map(({ row }) => cells[row]?.[column] ?? []);
      const seeds = Math.min(...trials.map((group) => group.length));
      const spread = spreadOf(family);
      const design = { alpha: LEVEL / comparisons, power: POWER };
      const needed = spread === undefined ? undefined : seedsNeeded(wanted / unit, spread.sd, design);
      const dataset = trials[0]?.[0]?.spec.config.dataset.name ?? "";
      return {
        dataset,
        metric,
        comparisons,
        difference: wanted,
        ...(spread === undefined ? {} : { spread: { ...spread, sd: spread.sd * unit } }),
        ...(needed === undefined || !Number.isFinite(needed) ? {} : { needed }),
        planned: seeds,
        ...(spread === undefined || seeds < 2
          ? {}
          : { detectable: detectableDifference(seeds, spread.sd, design) * unit }),
      };
    });
}

/** Pooled by degrees of freedom, in the unit of stored scores. */
function spreadOf(family: Family): SeedPlan["spread"] {
  const runs = family.members.reduce((sum, { values }) => sum + values.size, 0);
  const pairs = testablePairs([family]).map(({ shared }) => pairedTTest(...shared));
  const ofPairs = pooled(pairs.map(({ sd, n }) => ({ variance: sd ** 2, degrees: n - 1 })));
  if (ofPairs > 0) {
    return { sd: Math.sqrt(ofPairs), source: "differences", runs };
  }
  const repeated = family.members.map(({ values }) => [...values.values()]).filter((values) => values.length > 1);
  const ofScores = pooled(repeated.map((values) => ({ variance: sampleVariance(values), degrees: values.length - 1 })));
  if (ofScores > 0) {
    return { sd: Math.sqrt(2 * ofScores), source: "scores", runs };
  }
  return METRICS[family.metric].unit === "share"
    ? { sd: Math.SQRT2 * ASSUMED_SD, source: "assumed", runs: 0 }
    : undefined;
}

function pooled(parts: readonly { readonly variance: number; readonly degrees: number }[]): number {
  const degrees = parts.reduce((sum, part) => sum + part.degrees, 0);
  return degrees === 0 ? 0 : parts.reduce((sum, part) => sum + part.degrees * part.variance, 0) / degrees;
}
