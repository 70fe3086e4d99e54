// Two methods on the same data, seed by seed: what differs in their configs, their scores, and their flips. Of single
// runs this is about these two runs; of several it is about the methods.
import {
  classificationMetrics,
  foldKey,
  keyFromSeed,
  type MetricName,
  metricDescriptor,
  metricsOfTask,
  outputNames,
  type Task,
} from "@merclab/core";
import {
  drawDialogues,
  type PairedBootstrap,
  type PairedTest,
  pairedBootstrap,
  pairedTTest,
} from "@merclab/statistics";
import { describeValues, type Statistics } from "../aggregate/statistics.ts";
import type { Method, StudyTrial } from "../study/study-material.ts";
import { printedPerStored } from "../tables/comparisons.ts";
import { type ConfigDifference, configDifferences } from "../tables/config-hash.ts";
import { compareRuns, type Flips, type RunPair, type Speakers } from "./flips.ts";
import { type PredictedUtterance, readPredictions } from "./predictions-file.ts";

/** In the unit that is printed: per cent where a metric is a share. */
export interface ScoreComparison {
  readonly metric: MetricName;
  readonly first: Statistics;
  readonly second: Statistics;
  /** First minus second, mean over the seeds of both. */
  readonly difference?: number;
  /** Over seeds on this test part, not corrected for other comparisons; of two pairs or more. */
  readonly overSeeds?: PairedTest;
}

export interface MethodComparison {
  readonly dataset: string;
  readonly names: readonly [string, string];
  /** Ids of the trials, seed by seed. */
  readonly pairs: readonly { readonly seeds: readonly [number, number]; readonly trials: readonly [string, string] }[];
  readonly config: readonly ConfigDifference[];
  readonly scores: readonly ScoreComparison[];
  /** Absent in regression, where nothing is right or wrong, and where no predictions are stored. */
  readonly flips?: Flips;
  /** Over dialogues and seeds, in the unit that is printed; of two seeds or more. */
  readonly overDialogues?: PairedBootstrap & { readonly metric: MetricName };
}

export interface Contest {
  readonly dataset: string;
  readonly task: Task;
  readonly names: readonly [string, string];
  /** Runs with a result, paired. */
  readonly pairs: readonly (readonly [StudyTrial, StudyTrial])[];
  readonly speakers?: Speakers | undefined;
}

/** Runs of two methods with the same seed that both have a result. */
export function pairBySeed(first: Method, second: Method): [StudyTrial, StudyTrial][] {
  return first.trials.flatMap((one): [StudyTrial, StudyTrial][] => {
    const other = second.trials.find(({ spec }) => spec.seed === one.spec.seed);
    return other?.result === undefined || one.result === undefined ? [] : [[one, other]];
  });
}

/** @throws MerclabError `data` for runs on different data, `storage` for damaged predictions */
export function compareMethods({ dataset, task, names, pairs, speakers }: Contest): MethodComparison {
  const runs = pairs.flatMap(([first, second]): RunPair[] => {
    const [one, other] = [readRun(first, task), readRun(second, task)];
    return one === undefined || other === undefined ? [] : [{ first: one, second: other }];
  });
  const isComparable = task.type !== "regression" && runs.length === pairs.length && runs.length > 0;
  const overDialogues = isComparable ? bootstrap(runs, task) : undefined;
  const [pair] = pairs;
  return {
    dataset,
    names,
    pairs: pairs.map(([first, second]) => ({
      seeds: [first.spec.seed, second.spec.seed],
      trials: [first.spec.id, second.spec.id],
    })),
    config: pair === undefined ? [] : configDifferences(pair[0].spec.config, pair[1].spec.config),
    scores: metricsOfTask(task).map((metric) => compareScores(metric, pairs)),
    ...(isComparable ? { flips: compareRuns(runs, outputNames(task), speakers) } : {}),
    ...(overDialogues === undefined ? {} : { overDialogues }),
  };
}

function readRun({ folder }: StudyTrial, task: Task): PredictedUtterance[] | undefined {
  return folder === undefined ? undefined : readPredictions(folder, task);
}

function compareScores(metric: MetricName, pairs: Contest["pairs"]): ScoreComparison {
  const unit = printedPerStored(metric);
  const score = ({ result }: StudyTrial) => (result?.test.validSelected.metrics[metric] ?? Number.NaN) * unit;
  const scored = pairs.map(([a, b]) => [score(a), score(b)] as const).filter((each) => each.every(Number.isFinite));
  const [first, second] = [scored.map(([a]) => a), scored.map(([, b]) => b)];
  const difference = scored.reduce((sum, [a, b]) => sum + a - b, 0) / scored.length;
  return {
    metric,
    first: describeValues(first),
    second: describeValues(second),
    ...(scored.length === 0 ? {} : { difference }),
    ...(scored.length < 2 ? {} : { overSeeds: pairedTTest(first, second) }),
  };
}

/** The usual metric of single-label studies; the bootstrap is over what each dialogue adds to it. */
const BOOTSTRAPPED = "weighted-f1" satisfies MetricName;

function bootstrap(runs: readonly RunPair[], task: Task): MethodComparison["overDialogues"] {
  const truth = runs[0]?.first ?? [];
  const dialogues = [...new Set(truth.map(({ dialogue }) => dialogue))];
  if (task.type !== "single-label" || runs.length < 2 || dialogues.length < 2) {
    return undefined;
  }
  const { classes } = task;
  const index = new Map(dialogues.map((dialogue, place) => [dialogue, place]));
  const placeOf = truth.map(({ dialogue }) => index.get(dialogue) ?? 0);
  const labels = truth.map(({ label }) => classes.indexOf(label));
  const predicted = runs.map(({ first, second }) =>
    [first, second].map((run) => run.map((each) => classes.indexOf(each.predicted))),
  );
  const unit = printedPerStored(BOOTSTRAPPED);
  const scoreOf = (predictions: readonly number[], weights: readonly number[]) =>
    unit * classificationMetrics(labels, { predictions }, classes.length, weights)[BOOTSTRAPPED];
  const key = keyFromSeed(0);
  const once = new Float64Array(dialogues.length).fill(1);
  const draws = drawDialogues(foldKey(key, "dialogues"), dialogues.length);
  const differences = predicted.map(([first = [], second = []]) => (drawn: Float64Array) => {
    const weights = placeOf.map((place) => drawn[place] ?? 0);
    return scoreOf(first, weights) - scoreOf(second, weights);
  });
  const observed = differences.map((difference) => difference(once));
  const drawn = differences.map((difference) => draws.map(difference));
  return { metric: BOOTSTRAPPED, ...pairedBootstrap(observed, drawn, foldKey(key, "seeds")) };
}

/** "Weighted F1 (%)" */
export function scoreHead(metric: MetricName): string {
  const { label, unit } = metricDescriptor(metric);
  return unit === "share" ? `${label} (%)` : label;
}
