// What runs in a worker process: a trial from its folder. Training first, from its checkpoint where it has one; the seal
// of the test set is opened when it has ended; `result.json` comes last. Every trial has an engine of its own, which is
// disposed with it.
import { appendFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ErrorCode, outputNames } from "@merclab/core";
import { type Course, selectionMetric, trainTrial, tryModelCost } from "@merclab/trainer";
import { memory } from "@tensorflow/tfjs-core";
import { readOrigin } from "../origin/origin.ts";
import {
  graphsFolder,
  readTrial,
  removeUnfinished,
  storeResult,
  TRIAL_FILES,
  writeJson,
  writeStatus,
} from "../store/experiment-store.ts";
import { type AttemptJournal, attemptJournal } from "../store/journal.ts";
import type { TrialEnvironment, TrialResult, TrialSpec, TrialStatus } from "../store/trial-files.ts";
import { storeWeights } from "../stored-model/weights-file.ts";
import { samplingFrom, startSampling } from "../system-metrics/sampler.ts";
import { trialMemory } from "./schedule.ts";
import { scoreTrial } from "./score.ts";
import { encodeTestPredictions } from "./test-predictions.ts";
import { epochRecord, trialCheckpoints } from "./trial-checkpoints.ts";
import { createTrial, loadPlannedData, type PartsSite, refuseChangedCode, startEngine } from "./trial-parts.ts";

/** What a runner tells its worker. */
export type RunnerMessage =
  | {
      readonly type: "run";
      /** Of the trial. */
      readonly folder: string;
    }
  /** Finish the epoch, keep a checkpoint, and end the trial. */
  | { readonly type: "pause" }
  | { readonly type: "end" };

/** What a worker tells its runner. */
export type WorkerMessage =
  | {
      readonly type: "epoch";
      readonly epoch: number;
      readonly epochs: number;
      readonly seconds: number;
      readonly loss: number;
      /** The metric that chooses the epoch, on the validation part. */
      readonly valid: number;
    }
  /** Something about the trial that a user should know. */
  | { readonly type: "note"; readonly text: string }
  | {
      readonly type: "failed";
      readonly message: string;
      /** Of a MerclabError. */
      readonly code?: ErrorCode | undefined;
      readonly where?: string | undefined;
      readonly hint?: string | undefined;
    }
  | {
      /** The trial is done, or paused. */
      readonly type: "ended";
      /** False where the trial left tensors or too much memory behind: the next one needs a fresh process. */
      readonly isReusable: boolean;
    };

export interface WorkerSite extends PartsSite {
  readonly versions: Readonly<Record<string, string>>;
  readonly report: (message: WorkerMessage) => void;
  /** How checkpoints are timed, and when trials pause; a checkpoint after every epoch when absent. */
  readonly course?: Pick<Course, "checkpointSeconds" | "isPausing">;
  /** Whether the weights of the selected epoch are stored; they are when absent. */
  readonly keepWeights?: boolean;
}

export interface TrialEnd {
  /** None, unless a plugin keeps some. */
  readonly leftTensors: number;
  /** Whether the process holds more memory now than a trial like this is planned with: allocators give little back. */
  readonly holdsTooMuch: boolean;
  readonly isPaused: boolean;
}

/**
 * Runs the trial of a folder; returns at once when it is done already.
 *
 * @returns what it left in this process, and whether it was paused
 */
export async function runTrialFolder(folder: string, site: WorkerSite): Promise<TrialEnd> {
  const { spec, status, result } = await readTrial(folder);
  if (result !== undefined) {
    return { leftTensors: 0, holdsTooMuch: false, isPaused: false };
  }
  await removeUnfinished(folder);
  const running: TrialStatus = {
    state: "running",
    attempt: (status?.attempt ?? 0) + 1,
    pid: process.pid,
    startedAt: new Date().toISOString(),
  };
  await writeStatus(folder, running);
  const file = (name: keyof typeof TRIAL_FILES) => join(folder, TRIAL_FILES[name]);
  const journal = attemptJournal(file("journal"), {
    t: "open",
    format: 1,
    runKey: spec.id,
    attempt: running.attempt,
    ts: Date.now(),
  });
  const endSampling = startSampling(file("system"), samplingFrom(process.env));
  try {
    const { trialResult, files, leftTensors } = await trainAndScore(spec, site, journal, file).finally(endSampling);
    if (trialResult === undefined) {
      journal.append({ t: "end", status: "KILLED", ts: Date.now(), reason: "paused" });
      await writeStatus(folder, { ...running, state: "cancelled", endedAt: new Date().toISOString() });
      return { leftTensors, holdsTooMuch: holdsTooMuch(spec, site), isPaused: true };
    }
    journal.append({ t: "end", status: "FINISHED", ts: Date.now() });
    const peakBytes = 1024 * process.resourceUsage().maxRSS;
    await storeResult(folder, files, trialResult);
    await Promise.all([
      writeStatus(folder, { ...running, state: "done", endedAt: new Date().toISOString(), peakBytes }),
      rm(file("checkpoint"), { force: true }),
    ]);
    return { leftTensors, holdsTooMuch: holdsTooMuch(spec, site), isPaused: false };
  } catch (error) {
    await recordFailure(error, running, journal, file).catch(() => undefined); // the error itself says more
    throw error;
  } finally {
    journal.close();
  }
}

const holdsTooMuch = (spec: TrialSpec, { registry }: WorkerSite): boolean =>
  process.memoryUsage.rss() > trialMemory(spec, registry);

async function recordFailure(
  error: unknown,
  running: TrialStatus,
  journal: AttemptJournal,
  file: (name: keyof typeof TRIAL_FILES) => string,
): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  journal.append({ t: "end", status: "FAILED", ts: Date.now(), reason: message });
  await writeStatus(dirname(file("spec")), {
    ...running,
    state: "failed",
    endedAt: new Date().toISOString(),
    error: message,
  });
  appendFileSync(file("log"), `${error instanceof Error ? error.stack : message}\n`);
}

async function trainAndScore(
  spec: TrialSpec,
  site: WorkerSite,
  journal: AttemptJournal,
  file: (name: keyof typeof TRIAL_FILES) => string,
): Promise<{
  trialResult: TrialResult | undefined;
  /** What is stored beside it, by name. */
  files: Record<string, string | Uint8Array>;
  leftTensors: number;
}> {
  const { registry } = site;
  refuseChangedCode(spec.config, registry);
  const loaded = await loadPlannedData(spec, site);
  const { dataset } = loaded;
  const started = await startEngine(spec.config.engine, site, graphsFolder(dirname(file("spec"))));
  const { engine, threads } = started;
  const tensorsBefore = memory().numTensors;
  const trial = createTrial(spec, dataset, engine, registry);
  const { model, options } = trial;
  const metric = selectionMetric(options, dataset.task);
  const cost = tryModelCost(model, dataset.modalities);
  const used = { ...site.versions, ...(await started.plugin.probe()).versions };
  await writeJson(file("environment"), {
    schema: 1,
    engine: started.plugin.name,
    threads,
    versions: used,
    origin: await readOrigin(),
  } satisfies TrialEnvironment);
  const note = (text: string) => {
    appendFileSync(file("log"), `${text}\n`);
    site.report({ type: "note", text });
  };
  const checkpoints = trialCheckpoints(dirname(file("spec")), spec.id, used, journal, note);
  const outcome = await trainTrial(
    trial,
    (report) => {
      const { epoch, train, valid, seconds } = report;
      journal.append(epochRecord(report));
      site.report({
        type: "epoch",
        epoch,
        epochs: options.epochs,
        seconds,
        loss: train.total ?? Number.NaN,
        valid: valid[metric] ?? Number.NaN,
      });
    },
    { ...site.course, checkpoints, keepWeights: site.keepWeights ?? true },
  ).finally(() => engine.dispose());
  const leftTensors = memory().numTensors - tensorsBefore;
  if (outcome === undefined) {
    return { trialResult: undefined, files: {}, leftTensors };
  }
  if (outcome.weights !== undefined) {
    await storeWeights(file("weights"), outcome.weights, spec, loaded);
  }
  const scored = scoreTrial(loaded, outcome, metric);
  const files = {
    [TRIAL_FILES.testProbabilities]: encodeTestPredictions(dataset.task, outcome.testProbabilities),
    [TRIAL_FILES.predictions]: scored.predictionsCsv,
  };
  const selected = outcome.epochs[outcome.selectedEpoch - 1];
  const trialResult: TrialResult = {
    schema: 1,
    id: spec.id,
    seed: spec.seed,
    dataset: dataset.name,
    classes: dataset.task.type === "regression" ? [] : outputNames(dataset.task),
    epochs: outcome.epochs.length,
    selection: { metric, epoch: outcome.selectedEpoch, valid: selected?.valid ?? {} },
    test: scored.test,
    seal: scored.seal,
    seconds: outcome.seconds,
    threads,
    parameters: model.count,
    cost,
    versions: used,
  };
  return { trialResult, files, leftTensors };
}
