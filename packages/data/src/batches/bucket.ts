// Sizes of batches rounded up, so that an engine that compiles per shape meets few of them. Nothing that is trained
// depends on them: padding is masked, and random bits keep their places (fillDropoutMask).
import { type Bucket, type Dialogue, foldKey, groupTimes, keyFromSeed } from "@merclab/core";
import { epochBatches } from "./order.ts";

/** What decides the cost of a batch. */
interface Sizes {
  readonly batch: number;
  readonly tokens: number;
  readonly time: number;
  readonly shortTime: number;
}

/** Rounds batches up to few buckets. */
export interface Buckets {
  readonly buckets: readonly Required<Bucket>[];
  /** The cheapest bucket that holds the dialogues; a bucket of their own where none does. */
  of(dialogues: readonly Dialogue[]): Bucket;
}

/** Random epochs, and how many of their full batches, after which buckets for training are chosen. */
const EPOCHS = 60;
const SAMPLES = 400;

/**
 * Buckets for batches of `batchSize` dialogues drawn at random: `count` for full batches, two for the rest of an epoch,
 * and the largest that can occur of both, which are hardly ever needed.
 */
export function bucketsOfTraining(dialogues: readonly Dialogue[], batchSize: number, count = 8): Buckets {
  const full: Sizes[] = [];
  const rest: Sizes[] = [];
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (const batch of epochBatches(dialogues, batchSize, foldKey(keyFromSeed(0), "buckets", epoch))) {
      (batch.length === batchSize ? full : rest).push(sizesOf(lengthsOf(batch)));
    }
  }
  const longest = lengthsOf(dialogues).sort((a, b) => b - a);
  const largest = [full[0]?.batch ?? 0, rest[0]?.batch ?? 0]
    .filter((batch) => batch > 0)
    .map((batch) => sizesOf(longest.slice(0, batch)));
  return bucketsFor([...largest, ...chooseBuckets(full.slice(0, SAMPLES), count), ...chooseBuckets(rest, 2)]);
}

/** Buckets for batches that are known. */
export function bucketsOfBatches(batches: readonly (readonly Dialogue[])[], count = 3): Buckets {
  return bucketsFor(
    chooseBuckets(
      batches.map((dialogues) => sizesOf(lengthsOf(dialogues))),
      count,
    ),
  );
}

function lengthsOf(dialogues: readonly Dialogue[]): number[] {
  return dialogues.map(({ speakers }) => speakers.length);
}

function sizesOf(lengths: readonly number[]): Sizes {
  return { batch: lengths.length, tokens: lengths.reduce((sum, length) => sum + length, 0), ...groupTimes(lengths) };
}

function bucketsFor(chosen: readonly Sizes[]): Buckets {
  return {
    buckets: chosen.map(({ tokens, time, shortTime }) => ({ tokens, time, shortTime })),
    of: (dialogues) => {
      const { tokens, time, shortTime } = cheapest(sizesOf(lengthsOf(dialogues)), chosen);
      return { tokens, time, shortTime };
    },
  };
}

/** The bucket that costs a batch least; its own sizes where it fits none. */
function cheapest(sizes: Sizes, buckets: readonly Sizes[]): Sizes {
  let best = sizes;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const bucket of buckets) {
    if (fits(sizes, bucket) && costOf(bucket) < bestCost) {
      best = bucket;
      bestCost = costOf(bucket);
    }
  }
  return best;
}

function fits(sizes: Sizes, bucket: Sizes): boolean {
  return (
    sizes.batch === bucket.batch &&
    sizes.tokens <= bucket.tokens &&
    sizes.time <= bucket.time &&
    sizes.shortTime <= bucket.shortTime
  );
}

/**
 * Relative cost of a step: linear layers work on every token, attention on time² per dialogue, which for 100 utterances
 * takes about a third of a step of SDT at width 256.
 */
function costOf({ batch, tokens, time, shortTime }: Sizes): number {
  return tokens + (batch * (time ** 2 + shortTime ** 2)) / 2 / 200;
}

/**
 * Few buckets that hold all samples: one per number of dialogues that holds all of those, then more where they save most,
 * until there are `count` or none saves anything.
 */
function chooseBuckets(samples: readonly Sizes[], count: number): Sizes[] {
  const numbers = [...new Set(samples.map(({ batch }) => batch))];
  const chosen = numbers.map((batch) => covering(samples.filter((sizes) => sizes.batch === batch)));
  const tried = numbers.flatMap((batch) => candidates(samples.filter((sizes) => sizes.batch === batch)));
  let costs = samples.map((sizes) => costOf(cheapest(sizes, chosen)));
  while (chosen.length < count) {
    const saved = tried.map((bucket) => savedBy(bucket, samples, costs));
    const most = Math.max(0, ...saved);
    const bucket = tried[saved.indexOf(most)];
    if (most === 0 || bucket === undefined) {
      break;
    }
    chosen.push(bucket);
    costs = costs.map((cost, i) => (fits(samples[i] as Sizes, bucket) ? Math.min(cost, costOf(bucket)) : cost));
  }
  return chosen;
}

function savedBy(bucket: Sizes, samples: readonly Sizes[], costs: readonly number[]): number {
  const cost = costOf(bucket);
  return samples.reduce((sum, sizes, i) => sum + (fits(sizes, bucket) ? Math.max((costs[i] ?? 0) - cost, 0) : 0), 0);
}

/** The least sizes that hold all samples. */
function covering(samples: readonly Sizes[]): Sizes {
  return {
    batch: samples[0]?.batch ?? 0,
    tokens: Math.max(...samples.map(({ tokens }) => tokens)),
    time: Math.max(...samples.map(({ time }) => time)),
    shortTime: Math.max(...samples.map(({ shortTime }) => shortTime)),
  };
}

/** Buckets worth trying for batches of one number of dialogues: quantiles of each size, combined. */
function candidates(samples: readonly Sizes[]): Sizes[] {
  const levels = (of: (sizes: Sizes) => number, steps: number): number[] => {
    const sorted = samples.map(of).sort((a, b) => a - b);
    const picked = Array.from(
      { length: steps },
      (_, i) => sorted[Math.ceil(((i + 1) / steps) * sorted.length) - 1] ?? 0,
    );
    return [...new Set(picked)];
  };
  const batch = samples[0]?.batch ?? 0;
  const times = levels(({ time }) => time, 5);
  const shortTimes = levels(({ shortTime }) => shortTime, 5);
  return levels(({ tokens }) => tokens, 16).flatMap((tokens) =>
    times.flatMap((time) => shortTimes.map((shortTime) => ({ batch, tokens, time, shortTime }))),
  );
}
