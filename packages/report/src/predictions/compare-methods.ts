// Two methods on the same data, seed by seed: what differs in their configs, their scores, and their flips. Of single
// runs this is about these two runs; of several it is about the methods.
import {
  keyFromSeed,
  type MetricName,
  metricDescriptor,
  metricsOfTask,
  outputNames,
  type Task,
  usualMetrics,
} from "@merclab/core";
import { readTestPredictions, type TestPredictions } from "@merclab/runner";
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
import { type ConfigDifference, configDifferences } from "../tables/config-differences.ts";
import { dialogueScores } from "../tables/dialogue-scores.ts";
import { compareRuns, type Flips, type RunPair, type Speakers } from "./flips.ts";
import { compareErrors, type Nearness } from "./nearness.ts";
import { predictedUtterances } from "./predicted-utterances.ts";
import { hasSides, SIDES, sidesOf } from "./sides.ts";

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
  /**
   * Of scores, by their sides: the sign is right or wrong. Absent where no predictions are stored, and for scores that
   * have no sides.
   */
  readonly flips?: Flips;
  /** Of scores alone. */
  readonly nearness?: Nearness;
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
export async function compareMethods({ dataset, task, names, pairs, speakers }: Contest): Promise<MethodComparison> {
  const stored: StoredPair[] = [];
  for (const [first, second] of pairs) {
    const [one, other] = [await readRun(first, task), await readRun(second, task)];
    if (one !== undefined && other !== undefined) {
      stored.push([one, other]);
    }
  }
  const isStored = stored.length === pairs.length && stored.length > 0;
  const runs = stored.map(
    ([one, other]): RunPair => ({ first: predictedUtterances(one, task), second: predictedUtterances(other, task) }),
  );
  const flips = isStored ? flipsOf(runs, task, speakers) : undefined;
  const isScored = isStored && task.type === "regression";
  const nearness = isScored ? compareErrors(runs, hasSides(task), speakers) : undefined;
  const overDialogues = isStored ? bootstrap(stored, task) : undefined;
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
    ...(flips === undefined ? {} : { flips }),
    ...(nearness === undefined ? {} : { nearness }),
    ...(overDialogues === undefined ? {} : { overDialogues }),
  };
}

function flipsOf(runs: readonly RunPair[], task: Task, speakers: Speakers | undefined): Flips | undefined {
  if (task.type !== "regression") {
    return compareRuns(runs, outputNames(task), speakers);
  }
  const sides = runs.map(({ first, second }): RunPair => ({ first: sidesOf(first), second: sidesOf(second) }));
  return hasSides(task) ? compareRuns(sides, SIDES, speakers) : undefined;
}

type StoredPair = readonly [TestPredictions, TestPredictions];

async function readRun({ folder }: StudyTrial, task: Task): Promise<TestPredictions | undefined> {
  return folder === undefined ? undefined : readTestPredictions(folder, task);
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

/** In the first of the task's usual metrics. */
function bootstrap(pairs: readonly StoredPair[], task: Task): MethodComparison["overDialogues"] {
  const metric = usualMetrics(task)[0] as MetricName;
  const scores = pairs.map((pair) => pair.map((run) => dialogueScores(metric, task, run)));
  const dialogues = scores[0]?.[0]?.dialogues.length ?? 0;
  const isSame = scores.every(([first, second]) => first?.utterances === second?.utterances);
  if (pairs.length < 2 || dialogues < 2 || !isSame) {
    return undefined;
  }
  const key = keyFromSeed(0);
  const unit = printedPerStored(metric);
  const once = new Float64Array(dialogues).fill(1);
  const draws = drawDialogues(key, dialogues);
  const differences = scores.map(([first, second]) => (weights: Float64Array) => {
    return unit * ((first?.score(weights) ?? Number.NaN) - (second?.score(weights) ?? Number.NaN));
  });
  const drawn = differences.map((difference) => draws.map(difference));
  return {
    metric,
    ...pairedBootstrap(
      differences.map((difference) => difference(once)),
      drawn,
      key,
    ),
  };
}

/** "Weighted F1 (%)" */
export function scoreHead(metric: MetricName): string {
  const { label, unit } = metricDescriptor(metric);
  return unit === "share" ? `${label} (%)` : label;
}
