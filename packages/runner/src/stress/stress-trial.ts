// The stress test of one trial: its trained model predicts the test part under each condition; then, with all
// predictions made, the seal is opened and they are scored.
import { join } from "node:path";
import { foldKey, keyFromSeed, metricDescriptor, taskScores, usualMetrics } from "@merclab/core";
import { mean, sampleStandardDeviation } from "simple-statistics";
import { TRIAL_FILES, writeJson } from "../store/experiment-store.ts";
import type { Scores } from "../store/trial-files.ts";
import { openStoredModel, type StoredModel, type StoredModelSite } from "../stored-model/open-stored-model.ts";
import { type StressOptions, stressConditions } from "./conditions.ts";
import { type Condition, featureDeviations, isRandom, perturb } from "./perturb.ts";
import { readStress, type StressedScores, type StressFile, type StressSummary } from "./stress-file.ts";
import { areaUnderLine, constantPrediction, ROBUSTNESS, robustness } from "./summary.ts";

export interface StressSite extends StoredModelSite {
  /** Told after each prediction of the whole test part. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** A condition, and the scores of each of its draws. */
interface Drawn {
  readonly condition: Condition;
  readonly draws: readonly Scores[];
}

/**
 * Stresses a trial and stores `stress.json` in its folder.
 *
 * @throws MerclabError as `openStoredModel`
 */
export async function stressTrial(folder: string, options: StressOptions, site: StressSite): Promise<StressFile> {
  const model = await openStoredModel(folder, site);
  try {
    const { spec, result } = model.trial;
    const { dataset, seal } = model.loaded;
    const earlier = await readStress(folder);
    const predictions = await predictAll(model, options, site.onProgress);
    const reason = `stress test of the trained model, weights of epoch ${result?.selection.epoch}`;
    const labels = seal.open(reason).flatMap((each) => Array.from(each));
    const openedAt = new Date().toISOString();
    const scoresOf = (outputs: Float32Array): Scores => taskScores(dataset.task, labels, outputs).metrics;
    const drawn = predictions.map(({ condition, draws }) => ({ condition, draws: draws.map(scoresOf) }));
    const [metric = ""] = usualMetrics(dataset.task);
    const utterances = dataset.splits.test.reduce((sum, { speakers }) => sum + speakers.length, 0);
    const floor = scoresOf(constantPrediction(dataset, utterances))[metric] ?? Number.NaN;
    const file: StressFile = {
      schema: 1,
      id: spec.id,
      seed: spec.seed,
      epoch: result?.selection.epoch ?? 0,
      modalities: dataset.modalities.map(({ name }) => name),
      metric,
      engine: (site.engine ?? spec.config.engine).name,
      options,
      conditions: drawn.map(describeDraws),
      summary: summarize(drawn, metric, floor, options),
      seal: [...(earlier?.seal ?? []), { openedAt, reason }],
    };
    await writeJson(join(folder, TRIAL_FILES.stress), file);
    return file;
  } finally {
    await model.dispose();
  }
}

async function predictAll(
  { predict, loaded: { dataset } }: StoredModel,
  options: StressOptions,
  onProgress: StressSite["onProgress"],
) {
  const { modalities, splits } = dataset;
  const conditions = stressConditions(
    modalities.map(({ name }) => name),
    options,
  );
  const drawsOf = (condition: Condition): number => (isRandom(condition) ? options.draws : 1);
  const total = conditions.reduce((sum, condition) => sum + drawsOf(condition), 0);
  const about = { modalities, deviations: featureDeviations(splits.train, modalities) };
  const key = foldKey(keyFromSeed(options.seed), "stress");
  const predictions: { condition: Condition; draws: Float32Array[] }[] = [];
  let done = 0;
  for (const condition of conditions) {
    const draws: Float32Array[] = [];
    for (let draw = 0; draw < drawsOf(condition); draw++) {
      draws.push(await predict(perturb(condition, splits.test, about, foldKey(key, draw))));
      onProgress?.(++done, total);
    }
    predictions.push({ condition, draws });
  }
  return predictions;
}

/** Metrics that are not defined for some draw (a correlation with constant predictions) are left out. */
function describeDraws({ condition, draws }: Drawn): StressedScores {
  const names = Object.keys(draws[0] ?? {}).filter((name) => draws.every((scores) => Number.isFinite(scores[name])));
  const values = (name: string): number[] => draws.map((scores) => scores[name] ?? Number.NaN);
  const each = (of: (values: number[]) => number): Scores =>
    Object.fromEntries(names.map((name) => [name, of(values(name))]));
  return {
    ...condition,
    n: draws.length,
    mean: each(mean),
    ...(draws.length > 1 ? { sd: each(sampleStandardDeviation) } : {}),
  };
}

function summarize(drawn: readonly Drawn[], metric: string, floor: number, { draws }: StressOptions): StressSummary {
  const curve = drawn.flatMap(({ condition, draws: scores }) =>
    condition.kind === "missing" ? [{ rate: condition.rate, scores: scores.map((each) => each[metric] ?? 0) }] : [],
  );
  const areas = Array.from({ length: draws }, (_, draw) =>
    // What is not drawn counts for every draw.
    areaUnderLine(curve.map(({ rate, scores }) => ({ rate, score: scores[draw] ?? scores[0] ?? 0 }))),
  );
  const clean = curve[0]?.scores[0] ?? Number.NaN;
  const { higherIsBetter } = metricDescriptor(metric);
  const kept = areas.flatMap((area) => robustness(area, clean, floor, higherIsBetter) ?? []);
  return {
    name: "robustness",
    value: kept.length === 0 ? null : mean(kept),
    sd: kept.length < 2 ? null : sampleStandardDeviation(kept),
    auilc: mean(areas),
    clean,
    floor,
    definition: ROBUSTNESS,
  };
}
