// Which cells of a column can be told apart. Every two rows on the same data are tested, over the seeds that both have,
// and all tests of a table are corrected together: picking the best row first and testing only that one would find
// winners among equals.
import { METRICS, type MetricName } from "@merclab/core";
import type { TableSpec } from "@merclab/runner";
import { holmCorrection, pairedEquivalence, pairedTTest } from "@merclab/statistics";
import { columnValue } from "./columns.ts";
import { groupBy } from "./group-by.ts";
import type { Comparison, Planned, TableColumn } from "./table.ts";

/** Two-sided, after correction. */
export const LEVEL = 0.05;

/** Cells of one column that were planned on the same data: rows that may be compared. */
export interface Family {
  readonly column: number;
  readonly metric: MetricName;
  readonly members: readonly Member[];
}

export interface Member {
  readonly row: number;
  /** By seed; only finite ones, and none where a seed is there twice. */
  readonly values: ReadonlyMap<number, number>;
  readonly mean: number;
  /** Number of trials with a score, usable or not. */
  readonly scored: number;
}

/** One test between two rows of a family. */
export interface Pair {
  readonly family: Family;
  readonly first: Member;
  readonly second: Member;
  /** Values of the seeds that both have. */
  readonly shared: readonly [readonly number[], readonly number[]];
}

/**
 * Only results are compared, never the score of an epoch that was chosen on the test part.
 *
 * @param groups trials of each row and column, `[rows][columns]`
 */
export function comparableFamilies(
  columns: readonly TableColumn[],
  groups: readonly (readonly (readonly Planned[])[])[],
): Family[] {
  return columns.flatMap((column, place): Family[] => {
    const { metric } = column;
    if (metric === undefined || column.kind !== "valid-selected") {
      return [];
    }
    const cells = groups.flatMap((row, index) => {
      const trials = row[place] ?? [];
      const data = new Set(trials.map(dataKey));
      const [key] = data;
      return key === undefined || data.size > 1 ? [] : [{ key, member: memberOf(index, column, trials) }];
    });
    return [...groupBy(cells, ({ key }) => key).values()].map((members) => ({
      column: place,
      metric,
      members: members.map(({ member }) => member),
    }));
  });
}

/** How many tests a table of these families makes once all trials are there. */
export function countComparisons(families: readonly Family[]): number {
  return families.reduce((sum, { members }) => sum + (members.length * (members.length - 1)) / 2, 0);
}

/** Every two rows that share two seeds or more. */
export function testablePairs(families: readonly Family[]): Pair[] {
  return families.flatMap((family) => {
    const members = family.members.filter(({ values }) => values.size > 1);
    return members.flatMap((first, index) =>
      members.slice(index + 1).flatMap((second) => {
        const seeds = [...first.values.keys()].filter((seed) => second.values.has(seed));
        const values = ({ values: each }: Member) => seeds.map((seed) => each.get(seed) as number);
        return seeds.length < 2 ? [] : [{ family, first, second, shared: [values(first), values(second)] } as const];
      }),
    );
  });
}

export interface Comparisons {
  /** Number of tests that were corrected together. */
  readonly tests: number;
  /** How the cell of a row and a column stands. */
  at(row: number, column: number): Comparison | undefined;
}

/** @param margins by metric, in the unit of stored scores: what counts as no difference */
export function compareFamilies(families: readonly Family[], margins: Margins): Comparisons {
  const tested = testablePairs(families).map((pair) => {
    const margin = margins[pair.family.metric];
    const test = pairedTTest(...pair.shared);
    return {
      ...pair,
      // Differences that do not vary at all tell no error, so nothing follows from them.
      test: test.sd === 0 ? { ...test, p: 1 } : test,
      equivalence: margin === undefined ? undefined : pairedEquivalence(...pair.shared, margin),
    };
  });
  const differs = holmCorrection(tested.map(({ test }) => test.p));
  const equals = holmCorrection(tested.flatMap(({ equivalence }) => equivalence ?? []));
  let place = 0;
  const corrected = tested.map((pair, index) => ({
    ...pair,
    p: differs[index] as number,
    equivalent: pair.equivalence !== undefined && (equals[place++] as number) <= LEVEL,
  }));
  const pairs = groupBy(corrected, ({ family }) => familyKey(family));
  const standings = new Map<string, Comparison>();
  for (const family of families) {
    const best = bestOf(family);
    const others = family.members.filter((member) => member !== best && member.scored > 0);
    const better = METRICS[family.metric].higherIsBetter ? 1 : -1;
    const rivals = (pairs.get(familyKey(family)) ?? [])
      .filter(({ first, second }) => first === best || second === best)
      .map((pair) => {
        const sign = pair.second === best ? 1 : -1;
        // Over the seeds that both have, a row may be ahead of the one with the best mean over all of its own.
        return { ...pair, sign, isBehind: pair.p <= LEVEL && better * sign * pair.test.difference < 0 };
      });
    if (best === undefined || rivals.length === 0) {
      continue;
    }
    const isTold = rivals.length === others.length && rivals.every(({ isBehind }) => isBehind);
    standings.set(cellKey(best.row, family.column), { standing: isTold ? "winner" : "tied" });
    for (const { first, second, test, p, equivalent, sign, isBehind } of rivals) {
      const [low, high] = [sign * test.interval.low, sign * test.interval.high].sort((a, b) => a - b);
      standings.set(cellKey(first === best ? second.row : first.row, family.column), {
        standing: isBehind ? "behind" : equivalent ? "equivalent" : "tied",
        toBest: {
          difference: sign * test.difference,
          interval: { low: low as number, high: high as number },
          seeds: test.n,
          p: test.p,
          corrected: p,
          ...(test.effect === undefined ? {} : { effect: sign * test.effect }),
        },
      });
    }
  }
  return { tests: tested.length, at: (row, column) => standings.get(cellKey(row, column)) };
}

export type Margins = Readonly<Partial<Record<MetricName, number>>>;

/** As a study writes them, in printed units (points of per cent), in the unit of stored scores. */
export function marginsOf({ compare }: TableSpec): Margins {
  const written = Object.entries(compare?.margin ?? {}) as [MetricName, number][];
  return Object.fromEntries(written.map(([metric, margin]) => [metric, margin / printedPerStored(metric)]));
}

/** Shares are printed in per cent. */
export function printedPerStored(metric: MetricName): number {
  return METRICS[metric].unit === "share" ? 100 : 1;
}

function memberOf(row: number, column: TableColumn, trials: readonly Planned[]): Member {
  const read = trials.flatMap((trial): [number, number][] => {
    const value = columnValue(column, trial);
    return value === undefined ? [] : [[trial.spec.seed, value]];
  });
  const values = new Map(read);
  const isUsable = values.size === read.length && read.every(([, value]) => Number.isFinite(value));
  const used = isUsable ? values : new Map<number, number>();
  const mean = [...used.values()].reduce((sum, value) => sum + value, 0) / used.size;
  return { row, values: used, mean, scored: read.length };
}

/** Among those with a spread; the first of equals. */
function bestOf({ metric, members }: Family): Member | undefined {
  const sign = METRICS[metric].higherIsBetter ? 1 : -1;
  const [first, ...others] = members.filter(({ values }) => values.size > 1);
  return others.reduce<Member | undefined>(
    (best, member) => (best === undefined || sign * member.mean > sign * best.mean ? member : best),
    first,
  );
}

function dataKey({ spec }: Planned): string {
  return JSON.stringify([spec.config.dataset.name, spec.data.fingerprint, spec.data.source]);
}

function familyKey({ column, members }: Family): string {
  return `${column}:${members.map(({ row }) => row).join(",")}`;
}

function cellKey(row: number, column: number): string {
  return `${row}:${column}`;
}
