// The tests between two rows that a study can choose from. Each answers a question of its own: what other seeds would
// bring, what other dialogues and seeds would, whether one method is better at every quantile, whether two single runs
// differ on these utterances.
import { type Key, keyFromSeed, type Task } from "@merclab/core";
import type { TableSpec } from "@merclab/runner";
import {
  almostStochasticOrder,
  drawDialogues,
  type Interval,
  isPairedPAbove,
  mcnemarTest,
  pairedBootstrap,
  pairedEquivalence,
  pairedTTest,
} from "@merclab/statistics";
import type { Family, Member, Pair } from "./comparisons.ts";
import { type DialogueScores, dialogueScores } from "./dialogue-scores.ts";
import type { Planned } from "./table.ts";

/** What a test says of two rows; differences are first minus second, in the unit of stored scores. */
export interface PairOutcome {
  readonly difference: number;
  /** Number of seeds of both. */
  readonly seeds: number;
  /** Absent where the test makes none. */
  readonly interval?: Interval;
  /** Two-sided; absent where the test has none. */
  readonly p?: number;
  /** Difference in standard deviations of the differences over seeds. */
  readonly effect?: number;
  /** p of the claim that they differ by less than the margin. */
  readonly equivalence?: number;
  /** How far the first is from being better at every quantile, at most, and the second: below 0.2 counts as better. */
  readonly violation?: readonly [first: number, second: number];
}

export interface PairTest {
  /** Seeds that both rows need; 1 means exactly one. */
  readonly seeds: 1 | 2;
  readonly needsPredictions: boolean;
  /** For notes: what is compared, and how. */
  readonly label: string;
  /**
   * @param comparisons number of tests of the table
   * @returns undefined where this pair has nothing to test
   */
  run(pair: Pair, comparisons: number, margin: number | undefined): PairOutcome | undefined;
  /** Whether p is above a bound, for a test that knows this sooner than p. */
  isAbove?(bound: number, pair: Pair): boolean;
}

/** Every table draws the same: equal results give an equal table. */
const KEY: Key = keyFromSeed(0);
const RESAMPLES = 1000;
const LEVEL = 0.05;

export function pairTest({ compare }: Pick<TableSpec, "compare">): PairTest {
  const { test = "paired-t", resamples = RESAMPLES } = compare ?? {};
  switch (test) {
    case "paired-t":
      return {
        seeds: 2,
        needsPredictions: false,
        label: "paired t test over seeds, two-sided",
        run: ({ shared: [first, second] }, _, margin) => {
          const { n, difference, sd, interval, p, effect } = pairedTTest(first, second);
          return {
            difference,
            seeds: n,
            interval,
            // Differences that do not vary at all tell no error, so nothing follows from them.
            p: sd === 0 ? 1 : p,
            ...(effect === undefined ? {} : { effect }),
            ...(margin === undefined ? {} : { equivalence: pairedEquivalence(first, second, margin) }),
          };
        },
        isAbove: (bound, { shared: [first, second] }) => isPairedPAbove(bound, first, second),
      };
    case "dialogue-bootstrap":
      return dialogueBootstrap(resamples);
    case "stochastic-order":
      return {
        seeds: 2,
        needsPredictions: false,
        label: `almost stochastic order over seeds, ${resamples} resamples, violation below ${STOCHASTIC_BOUND}, ${STOCHASTIC_SEEDS} seeds or more`,
        run: ({ shared: [first, second] }, comparisons) => {
          const options = { confidence: 1 - LEVEL / comparisons, resamples };
          const violation = [
            almostStochasticOrder(first, second, KEY, options),
            almostStochasticOrder(second, first, KEY, options),
          ] as const;
          return { difference: meanOf(first) - meanOf(second), seeds: first.length, violation };
        },
      };
    case "mcnemar":
      return {
        seeds: 1,
        needsPredictions: true,
        label: "McNemar's exact test on the utterances of single runs, two-sided",
        run: ({ family, first, second }) => {
          const [a, b] = [only(first), only(second)];
          if (family.metric !== "accuracy" || a === undefined || b === undefined || !areOfTheSame(a, b)) {
            return undefined;
          }
          const { p } = mcnemarTest(rights(a), rights(b));
          return { difference: first.mean - second.mean, seeds: 1, p };
        },
      };
  }
}

/** Dror, Shlomov and Reichart (2019) advise 0.2 where few false findings are wanted. */
export const STOCHASTIC_BOUND = 0.2;

/** With fewer it tells two equal methods apart too often (12 in 100 with 5 seeds, 6 with 20), so no mark follows. */
export const STOCHASTIC_SEEDS = 20;

function dialogueBootstrap(resamples: number): PairTest {
  // Scores of a trial on every resample are needed by all of its pairs.
  const scores = new Map<string, { readonly source: DialogueScores; readonly drawn: Float64Array; once: number }>();
  // Equal texts as one string: thousands of pairs compare them, and each is as long as a test part.
  const utterances = new Map<string, string>();
  const draws = new Map<number, Float64Array[]>();
  const scoresOf = (family: Family, trial: Planned) => {
    const id = `${trial.spec.id} ${family.metric}`;
    const known = scores.get(id);
    if (known !== undefined || trial.predictions === undefined) {
      return known;
    }
    const found = dialogueScores(family.metric, taskOf(trial), trial.predictions);
    const source = { ...found, utterances: utterances.get(found.utterances) ?? found.utterances };
    utterances.set(source.utterances, source.utterances);
    const count = source.dialogues.length;
    if (count < 2) {
      return undefined;
    }
    const weights = draws.get(count) ?? drawDialogues(KEY, count, resamples);
    draws.set(count, weights);
    const own = {
      source,
      drawn: Float64Array.from(weights, (each) => source.score(each)),
      once: source.score(new Float64Array(count).fill(1)),
    };
    scores.set(id, own);
    return own;
  };
  return {
    seeds: 2,
    needsPredictions: true,
    label: `paired bootstrap over dialogues and seeds, ${resamples} resamples, two-sided`,
    run: ({ family, first, second }, _, margin) => {
      const observed: number[] = [];
      const drawn: Float64Array[] = [];
      for (const [seed, trial] of first.trials) {
        const other = second.trials.get(seed);
        if (other === undefined) {
          continue;
        }
        const [a, b] = [scoresOf(family, trial), scoresOf(family, other)];
        if (a === undefined || b === undefined || a.source.utterances !== b.source.utterances) {
          return undefined;
        }
        observed.push(a.once - b.once);
        drawn.push(differences(a.drawn, b.drawn));
      }
      const { difference, interval, p, equivalence, standardError } = pairedBootstrap(observed, drawn, KEY, { margin });
      return {
        difference,
        seeds: observed.length,
        interval,
        p: standardError === 0 ? 1 : p,
        ...(equivalence === undefined ? {} : { equivalence }),
      };
    },
  };
}

function differences(a: Float64Array, b: Float64Array): Float64Array {
  const all = new Float64Array(a.length);
  for (let i = 0; i < a.length; i += 1) {
    all[i] = (a[i] as number) - (b[i] as number);
  }
  return all;
}

function taskOf({ spec, result }: Planned): Task {
  return spec.task ?? { type: "single-label", classes: result?.classes ?? [] };
}

function only({ trials }: Member): Planned | undefined {
  return trials.size === 1 ? [...trials.values()][0] : undefined;
}

function areOfTheSame({ predictions: a }: Planned, { predictions: b }: Planned): boolean {
  return a !== undefined && b !== undefined && JSON.stringify([a.utterances]) === JSON.stringify([b.utterances]);
}

function rights({ predictions }: Planned): boolean[] {
  return Array.from(predictions?.decisions ?? [], (decision, i) => decision === predictions?.truth[i]);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
