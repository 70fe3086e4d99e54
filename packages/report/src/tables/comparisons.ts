// Which cells of a column can be told apart. Every two rows on the same data are tested, over the seeds that both have,
// and all tests of a table are corrected together: picking the best row first and testing only that one would find
// winners among equals.
import { METRICS, type MetricName } from "@merclab/core";
import type { TableSpec } from "@merclab/runner";
import { holmCorrection } from "@merclab/statistics";
import { columnValue } from "./columns.ts";
import { groupBy } from "./group-by.ts";
import { type PairOutcome, type PairTest, pairTest, STOCHASTIC_BOUND, STOCHASTIC_SEEDS } from "./pair-tests.ts";
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
  /** Those of `values`. */
  readonly trials: ReadonlyMap<number, Planned>;
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

/** Every two rows that share two seeds or more; for a test on single runs, every two rows with one seed each. */
export function testablePairs(families: readonly Family[], seeds: PairTest["seeds"] = 2): Pair[] {
  const pairs: Pair[] = [];
  for (const family of families) {
    const listed = family.members
      .filter(({ values }) => (seeds === 1 ? values.size === 1 : values.size >= seeds))
      .map((member) => ({ member, seeds: [...member.values.keys()], scores: [...member.values.values()] }));
    for (const [index, first] of listed.entries()) {
      for (const second of listed.slice(index + 1)) {
        const shared = sharedScores(first, second);
        if (seeds === 1 || shared[0].length >= seeds) {
          pairs.push({ family, first: first.member, second: second.member, shared });
        }
      }
    }
  }
  return pairs;
}

/** The values of a member side by side with their seeds: a table has thousands of pairs, and most share all seeds. */
interface ListedMember {
  readonly member: Member;
  readonly seeds: readonly number[];
  readonly scores: readonly number[];
}

function sharedScores(first: ListedMember, second: ListedMember): Pair["shared"] {
  if (first.seeds.length === second.seeds.length && first.seeds.every((seed, place) => seed === second.seeds[place])) {
    return [first.scores, second.scores];
  }
  const common = first.seeds.filter((seed) => second.member.values.has(seed));
  const values = ({ member }: ListedMember) => common.map((seed) => member.values.get(seed) as number);
  return [values(first), values(second)];
}

export interface Comparisons {
  readonly test: PairTest;
  /** Number of tests that were corrected together. */
  readonly tests: number;
  /** Number of pairs that have seeds enough and yet nothing that the test can use. */
  readonly untested: number;
  /** How the cell of a row and a column stands. */
  at(row: number, column: number): Comparison | undefined;
}

/** A pair with what its test says once the whole table is known. */
interface Settled {
  readonly pair: Pair;
  readonly outcome: PairOutcome;
  /** After Holm's correction; absent for a test without p. */
  readonly corrected: number | undefined;
  readonly isEquivalent: boolean;
}

/** The margins, and the test that is run, are those of the spec. */
export function compareFamilies(families: readonly Family[], spec: TableSpec): Comparisons {
  const margins = marginsOf(spec);
  const test = pairTest(spec);
  const bestOfFamily = new Map(families.map((family) => [family, bestOf(family, test.seeds)]));
  const candidates = testablePairs(families, test.seeds);
  const open = openPairs(candidates, test, margins, bestOfFamily);
  const settled = settlePairs(open, candidates.length, test, margins);
  const pairs = new Map<Family, Settled[]>(families.map((family) => [family, []]));
  for (const each of settled) {
    pairs.get(each.pair.family)?.push(each);
  }
  const standings = new Map<string, Comparison>();
  for (const family of families) {
    const own = pairs.get(family) ?? [];
    const best = bestOfFamily.get(family);
    const others = family.members.filter((member) => member !== best && member.scored > 0);
    const rivals = own.flatMap((each) => {
      const { first, second } = each.pair;
      const isFirst = second === best;
      // Over the seeds that both have, a row may be ahead of the one with the best mean over all of its own.
      return first === best || isFirst
        ? [{ ...each, rival: isFirst ? first : second, isFirst, isBehind: isBehind(each, isFirst) }]
        : [];
    });
    if (best === undefined || rivals.length === 0) {
      continue;
    }
    const isTold = rivals.length === others.length && rivals.every((each) => each.isBehind);
    standings.set(cellKey(best.row, family.column), { standing: isTold ? "winner" : "tied" });
    for (const each of rivals) {
      standings.set(cellKey(each.rival.row, family.column), {
        standing: each.isBehind ? "behind" : each.isEquivalent ? "equivalent" : "tied",
        toBest: toBest(each, each.isFirst),
      });
    }
  }
  return {
    test,
    tests: candidates.length - open.length + settled.length,
    untested: open.length - settled.length,
    at: (row, column) => standings.get(cellKey(row, column)),
  };
}

/**
 * All pairs but those without the best row of their family whose p, corrected, is 1 and changes no other: these count
 * among the tests, and nothing else of them is ever asked. With n tests, of which half or more have a p above 4 / n, each
 * of that half is multiplied by their number at least.
 */
function openPairs(
  candidates: readonly Pair[],
  test: PairTest,
  margins: Margins,
  bestOfFamily: ReadonlyMap<Family, Member | undefined>,
): readonly Pair[] {
  const bound = 4 / candidates.length;
  const { isAbove } = test;
  if (isAbove === undefined || bound >= 1) {
    return candidates;
  }
  const open = candidates.filter((pair) => {
    const { family, first, second } = pair;
    const best = bestOfFamily.get(family);
    return first === best || second === best || margins[family.metric] !== undefined || !isAbove(bound, pair);
  });
  return 2 * open.length > candidates.length ? candidates : open;
}

/** @param tests number of pairs, those included that are settled without: their p, corrected, is 1 */
function settlePairs(pairs: readonly Pair[], tests: number, test: PairTest, margins: Margins): Settled[] {
  const tested = pairs.flatMap((pair) => {
    const outcome = test.run(pair, tests, margins[pair.family.metric]);
    return outcome === undefined ? [] : [{ pair, outcome }];
  });
  const differs = correctedPlaces(
    tested.map(({ outcome }) => outcome.p),
    tests - pairs.length,
  );
  const equals = correctedPlaces(tested.map(({ outcome }) => outcome.equivalence));
  return tested.map(({ pair, outcome }, place) => ({
    pair,
    outcome,
    corrected: differs[place],
    isEquivalent: (equals[place] ?? 1) <= LEVEL,
  }));
}

/** Holm's correction over those that have a p, each in its place, and over `others` that are corrected to 1. */
function correctedPlaces(pValues: readonly (number | undefined)[], others = 0): (number | undefined)[] {
  const known = pValues.filter((p) => p !== undefined);
  const corrected = holmCorrection(known, known.length + others).values();
  return pValues.map((p) => (p === undefined ? undefined : corrected.next().value));
}

/** @param isFirst whether the rival is the first of its pair, and the best row the second */
function isBehind({ pair, outcome, corrected }: Settled, isFirst: boolean): boolean {
  const better = METRICS[pair.family.metric].higherIsBetter ? 1 : -1;
  const violation = violationOfBest(pair, outcome, isFirst);
  if (violation !== undefined) {
    return violation < STOCHASTIC_BOUND && outcome.seeds >= STOCHASTIC_SEEDS;
  }
  return corrected !== undefined && corrected <= LEVEL && better * (isFirst ? 1 : -1) * outcome.difference < 0;
}

/** Scores are ordered upwards: where less is better, the best row is the one with the lower quantiles. */
function violationOfBest(pair: Pair, { violation }: PairOutcome, isFirst: boolean): number | undefined {
  return violation?.[isFirst === METRICS[pair.family.metric].higherIsBetter ? 1 : 0];
}

function toBest({ pair, outcome, corrected }: Settled, isFirst: boolean): NonNullable<Comparison["toBest"]> {
  const { difference, interval, seeds, p, effect } = outcome;
  const violation = violationOfBest(pair, outcome, isFirst);
  const sign = isFirst ? 1 : -1;
  const ends = interval === undefined ? [] : [sign * interval.low, sign * interval.high].sort((a, b) => a - b);
  return {
    difference: sign * difference,
    ...(interval === undefined ? {} : { interval: { low: ends[0] as number, high: ends[1] as number } }),
    seeds,
    ...(p === undefined ? {} : { p }),
    ...(corrected === undefined ? {} : { corrected }),
    ...(effect === undefined ? {} : { effect: sign * effect }),
    ...(violation === undefined ? {} : { violation }),
  };
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
  const read = trials.flatMap((trial): { seed: number; value: number; trial: Planned }[] => {
    const value = columnValue(column, trial);
    return value === undefined ? [] : [{ seed: trial.spec.seed, value, trial }];
  });
  const isUsable =
    new Set(read.map(({ seed }) => seed)).size === read.length && read.every(({ value }) => Number.isFinite(value));
  const used = isUsable ? read : [];
  return {
    row,
    values: new Map(used.map(({ seed, value }) => [seed, value])),
    trials: new Map(used.map(({ seed, trial }) => [seed, trial])),
    mean: used.reduce((sum, { value }) => sum + value, 0) / used.length,
    scored: read.length,
  };
}

/** Among those with seeds enough; the first of equals. */
function bestOf({ metric, members }: Family, seeds: PairTest["seeds"]): Member | undefined {
  const sign = METRICS[metric].higherIsBetter ? 1 : -1;
  const [first, ...others] = members.filter(({ values }) => values.size >= seeds);
  return others.reduce<Member | undefined>(
    (best, member) => (best === undefined || sign * member.mean > sign * best.mean ? member : best),
    first,
  );
}

function dataKey({ spec }: Planned): string {
  return `${spec.data.source} ${spec.data.fingerprint} ${spec.config.dataset.name}`;
}

function cellKey(row: number, column: number): string {
  return `${row}:${column}`;
}
