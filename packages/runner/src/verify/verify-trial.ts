// Trains a stored trial again, from its spec alone, and compares every step and epoch with what it left. Nothing is
// written in its folder, and test labels stay sealed: predictions are compared, not scores.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { decodeNpz, encodeNpz } from "@merclab/data";
import { type EpochReport, readWeights, type SelectedWeights, trainTrial } from "@merclab/trainer";
import { graphsFolder, readTrial, type StoredTrial, TRIAL_FILES } from "../store/experiment-store.ts";
import type { ResolvedPart } from "../store/trial-files.ts";
import { epochRecord } from "../study/trial-checkpoints.ts";
import { changedCode, createTrial, loadData, type PartsSite, startEngine } from "../study/trial-parts.ts";
import { type Comparer, type Comparison, createComparer } from "./compare.ts";
import { readStoredEpochs, type StoredEpochs, withoutTimes } from "./stored-epochs.ts";

/** The distance between numbers of float16 just below 1: two that are almost equal may be rounded this far apart. */
const HALF_ROUNDING = 2 ** -11;

export interface VerifyOptions {
  /** Epochs that are trained again; undefined: all. */
  readonly epochs?: number | undefined;
  /** Up to which differences are forgiven: relative where numbers are larger than 1, else absolute. */
  readonly tolerance: number;
}

export interface VerifySite extends PartsSite {
  /** In the place of the engine that trained the trial. */
  readonly engine?: ResolvedPart;
  readonly versions: Readonly<Record<string, string>>;
  /** Told before training what is not as it was. */
  readonly onChanges?: (changes: readonly string[]) => void;
  readonly onEpoch?: (epoch: number, of: number) => void;
}

export type Verdict = "bitwise equal" | "within tolerance" | "diverged";

export interface Verification extends Comparison {
  readonly id: string;
  readonly verdict: Verdict;
  /** Epochs that were trained again, out of those of the trial. */
  readonly epochs: number;
  readonly of: number;
  readonly tolerance: number;
  readonly engines: { readonly stored: string; readonly repeated: string };
  /** Data, code and versions that are not what they were. */
  readonly changes: readonly string[];
}

/** @throws MerclabError `storage` when the trial is not done; what training throws */
export async function verifyTrial(folder: string, options: VerifyOptions, site: VerifySite): Promise<Verification> {
  const stored = await readTrial(folder);
  const { spec } = stored;
  const storedEpochs = await readStoredEpochs(stored);
  const { loaded } = await loadData(spec.config, site);
  const enginePart = site.engine ?? spec.config.engine;
  const enginePlugin = site.registry.get("engine", enginePart.name);
  const versions = { ...site.versions, ...(await enginePlugin.probe()).versions };
  const changes = [
    ...changedCode(spec.config, site.registry).map(
      (kind) => `the code of ${kind} ${spec.config[kind].name} is not what it was`,
    ),
    ...(loaded.dataset.fingerprint === spec.data.fingerprint
      ? []
      : [`the data are not what they were: fingerprint ${loaded.dataset.fingerprint}, then ${spec.data.fingerprint}`]),
    ...changedVersions(stored.result?.versions ?? {}, versions),
  ];
  site.onChanges?.(changes);

  const { engine } = await startEngine(enginePart, site, graphsFolder(folder));
  try {
    const trial = createTrial(spec, loaded.dataset, engine, site.registry);
    const epochs = Math.min(options.epochs ?? trial.options.epochs, trial.options.epochs);
    const comparer = createComparer(options.tolerance);
    let trained = 0;
    const outcome = await trainTrial(
      trial,
      (report) => {
        trained = report.epoch;
        compareEpoch(report, storedEpochs, comparer);
        site.onEpoch?.(trained, epochs);
      },
      {
        checkpoints: {
          load: async () => undefined,
          // Called after every epoch but the last.
          save: async ({ testProbabilities }) => comparePredictions(trained, testProbabilities, storedEpochs, comparer),
        },
        isPausing: () => trained >= epochs || comparer.result.beyond !== undefined,
        keepWeights: true,
      },
    );
    if (outcome !== undefined) {
      comparePredictions(trained, outcome.testProbabilities, storedEpochs, comparer);
      await compareWeights(stored, outcome.weights, comparer);
    }
    const { first, beyond, largest } = comparer.result;
    return {
      id: spec.id,
      verdict: first === undefined ? "bitwise equal" : beyond === undefined ? "within tolerance" : "diverged",
      epochs: trained,
      of: trial.options.epochs,
      tolerance: options.tolerance,
      engines: { stored: spec.config.engine.name, repeated: enginePart.name },
      changes,
      first,
      beyond,
      largest,
    };
  } finally {
    await engine.dispose();
  }
}

function compareEpoch(report: EpochReport, { epochs }: StoredEpochs, comparer: Comparer): void {
  const { epoch } = report;
  const stored = epochs[epoch - 1];
  if (stored?.stepLosses !== undefined) {
    eachPair(stored.stepLosses, Float32Array.from(report.stepLosses), (loss, repeated, i) =>
      comparer.compare({ what: "loss", epoch, step: i + 1 }, loss, repeated),
    );
  }
  const repeated = withoutTimes(epochRecord(report).v);
  for (const [name, value] of Object.entries(stored?.values ?? {})) {
    comparer.compare({ what: "scores", epoch, name }, value, repeated[name] ?? Number.NaN);
  }
}

function comparePredictions(
  epoch: number,
  predictions: readonly Float32Array[],
  { epochs, isHalf }: StoredEpochs,
  comparer: Comparer,
): void {
  const stored = epochs[epoch - 1]?.testPredictions ?? new Float32Array();
  const repeated = predictions[epoch - 1] ?? new Float32Array();
  const kept = isHalf ? throughHalf(repeated) : repeated;
  eachPair(stored, kept, (value, other) =>
    comparer.compare({ what: "test predictions", epoch }, value, other, isHalf ? HALF_ROUNDING : 0),
  );
}

/** What one of them lacks is NaN. */
function eachPair(
  stored: Float32Array,
  repeated: Float32Array,
  visit: (stored: number, repeated: number, at: number) => void,
): void {
  for (let at = 0; at < Math.max(stored.length, repeated.length); at++) {
    visit(stored[at] ?? Number.NaN, repeated[at] ?? Number.NaN, at);
  }
}

/** Rounded as the stored ones are. */
function throughHalf(data: Float32Array): Float32Array {
  const { half } = decodeNpz(encodeNpz({ half: { shape: [data.length], data, dtype: "f2" } }));
  return Float32Array.from(half?.data ?? []);
}

async function compareWeights(
  { folder }: StoredTrial,
  repeated: SelectedWeights | undefined,
  comparer: Comparer,
): Promise<void> {
  const file = join(folder, TRIAL_FILES.weights);
  if (repeated === undefined || !existsSync(file)) {
    return;
  }
  for (const [name, { data }] of await readWeights(file)) {
    const values = repeated.tensors.get(name)?.data ?? new Float32Array();
    eachPair(data, values, (value, other) =>
      comparer.compare({ what: "weights", epoch: repeated.epoch, name }, value, other),
    );
  }
}

function changedVersions(then: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string[] {
  return Object.entries(then)
    .filter(([name, version]) => now[name] !== undefined && now[name] !== version)
    .map(([name, version]) => `${name} ${now[name]}, then ${version}`);
}
