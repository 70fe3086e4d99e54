// Sends stored studies to a server: finished, unfinished and running ones, by the code that ships a study while it
// runs. A pass sends what the server lacks and can be repeated, interrupted or run twice at once: nothing ends up there
// a second time.
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { MlflowApiError } from "mlflow-js-client";
import pLimit from "p-limit";
import { experimentFolder, readTrials, type StoredTrial } from "../store/experiment-store.ts";
import { isExperimentRunning } from "../study/lock.ts";
import { plannedTrials } from "../study/study-file.ts";
import { createSite } from "./destination.ts";
import { failureKind, mayPass } from "./failures.ts";
import { readRejected } from "./rejected.ts";
import { type StudyTable, shipStudyEnd } from "./study-run.ts";
import { type EndStatus, readTracking, type TrackingFile, trackingFile } from "./tracking-file.ts";
import { createTrialRun, type TrialRun } from "./trial-run.ts";
import { hasEnded, stateOf, studyEnding } from "./trial-state.ts";
import { type Verification, verifyStudy } from "./verify.ts";

export interface SyncerOptions {
  readonly runsFolder: string;
  readonly uri: string;
  /** Tables that are kept with the run of a study. */
  readonly tables: (experiment: string) => Promise<readonly StudyTable[]>;
  readonly signal: AbortSignal;
  /** Given up after so long without an answer, in milliseconds. */
  readonly patience?: number;
  /** Told after each run that was looked at, and after points were stored. */
  readonly onProgress?: (progress: SyncProgress) => void;
  readonly fetch?: typeof globalThis.fetch;
  /** Instead of `process.env`, for credentials. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface SyncProgress {
  readonly experiment: string;
  readonly runs: number;
  readonly ofRuns: number;
  readonly points: number;
}

/** What a pass did, and where the study stands on the server. */
export interface SyncedStudy {
  readonly experiment: string;
  /** Runs of the study that are on the server, its own among them. */
  readonly runs: number;
  /** Trials that have not started have none. */
  readonly planned: number;
  /** Points sent in this pass. */
  readonly points: number;
  /** Records that were refused, in this pass or before. */
  readonly rejected: number;
  /** What the server refused as a whole, such as files where it keeps none: one message each. */
  readonly refused: readonly string[];
  /** Undefined while it goes on. */
  readonly ended: EndStatus | undefined;
}

export interface Syncer {
  /** Without credentials. */
  readonly trackingUri: string;
  /** Sends what the server lacks of an experiment. Rejects when the server cannot be reached, or lets nobody in. */
  pass(experiment: string): Promise<SyncedStudy>;
  /** Compares what was sent with what the server holds. */
  verify(experiment: string): Promise<Verification>;
}

/** Runs sent at once: more only wait for each other on the server. */
const AT_ONCE = 4;
const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 10_000;
/** @throws MlflowConfigError when the address is none that can be used */
export function createSyncer(options: SyncerOptions): Syncer {
  const studies = new Map<string, ReturnType<typeof createStudySync>>();
  const study = (experiment: string) => {
    const known = studies.get(experiment) ?? createStudySync(experiment, options);
    studies.set(experiment, known);
    return known;
  };
  const { trackingUri } = study("").site;
  studies.clear();
  return {
    trackingUri,
    pass: (experiment) => study(experiment).pass(),
    verify: (experiment) => study(experiment).verify(),
  };
}

function createStudySync(experiment: string, options: SyncerOptions) {
  const { runsFolder, uri, signal, patience = 600_000, onProgress, fetch, env } = options;
  const folder = experimentFolder(runsFolder, experiment);
  let points = 0;
  let runs = 0;
  let ofRuns = 0;
  const tell = () => onProgress?.({ experiment, runs, ofRuns, points });
  const site = createSite({
    experiment,
    folder,
    call: { signal },
    onPoints: (count) => {
      points += count;
      tell();
    },
    client: {
      trackingUri: uri,
      retry: { attempts: 5, baseMs: 100, capMs: 2_000, maxElapsedMs: patience },
      ...(fetch && { fetch }),
      ...(env && { env }),
    },
  });
  const trialRuns = new Map<string, TrialRun>();
  /** What of a trial was sent completely, by the state of its files. */
  const sent = new Map<string, string>();

  let aliveAt = Date.now();

  /** Again and again while waiting may help, until nothing has succeeded for as long as patience lasts. */
  async function persist<T>(work: () => Promise<T>): Promise<T> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
      try {
        const done = await work();
        aliveAt = Date.now();
        return done;
      } catch (error) {
        const isHopeless = !mayPass(error) || failureKind(error) === "unauthorized";
        if (signal.aborted || isHopeless || Date.now() + pause - aliveAt > patience) {
          throw error;
        }
      }
      await sleep(pause, undefined, { signal });
    }
  }

  async function shipTrial(trial: StoredTrial, isRunning: boolean): Promise<void> {
    const run = trialRuns.get(trial.folder) ?? createTrialRun(site, trial.folder);
    trialRuns.set(trial.folder, run);
    await persist(() => run.ship(hasEnded(trial, isRunning)));
  }

  /** A server whose store was emptied, or another one at the same address, has nothing of what was noted. */
  async function forgetLostServer(folders: readonly string[]): Promise<void> {
    const noted = folders.flatMap((each) => readTracking<TrackingFile>(each, site) ?? []).at(0);
    if (noted === undefined) {
      return;
    }
    try {
      await site.client.getRun(noted.runId, site.call);
    } catch (error) {
      if (!(error instanceof MlflowApiError) || error.errorCode !== "RESOURCE_DOES_NOT_EXIST") {
        throw error;
      }
      await Promise.all(folders.map((each) => rm(trackingFile(each, site), { force: true })));
    }
  }

  let isKnown = false;

  async function pass(): Promise<SyncedStudy> {
    points = 0;
    runs = 0;
    aliveAt = Date.now();
    const refused = new Set<string>();
    const failures: unknown[] = [];
    const isRunning = isExperimentRunning(folder);
    const trials = await readTrials(runsFolder, experiment);
    const begun = trials.filter(({ status, result }) => status !== undefined || result !== undefined);
    ofRuns = begun.length + 1;
    if (!isKnown) {
      await persist(() => forgetLostServer([folder, ...begun.map((trial) => trial.folder)]));
      isKnown = true;
    }
    const limit = pLimit(AT_ONCE);
    const work = begun.map((trial) =>
      limit(async () => {
        const state = `${stateOf(trial)} ${hasEnded(trial, isRunning)}`;
        if (failures.length > 0 || sent.get(trial.folder) === state) {
          return;
        }
        try {
          await shipTrial(trial, isRunning);
          sent.set(trial.folder, state);
          runs += 1;
          tell();
        } catch (error) {
          if (signal.aborted || mayPass(error) || failureKind(error) === "internal") {
            failures.push(error);
          } else {
            refused.add(firstLine(error));
          }
        }
      }),
    );
    await Promise.all(work);
    signal.throwIfAborted();
    if (failures.length > 0) {
      throw failures[0];
    }
    const ended =
      begun.some((trial) => !hasEnded(trial, isRunning)) || isRunning
        ? undefined
        : studyEnding(await plannedTrials(folder, trials));
    if (ended !== undefined && begun.length > 0) {
      try {
        const tables = await options.tables(experiment);
        const planned = await plannedTrials(folder, trials);
        const trialFolders = planned.map((trial) => trial.folder);
        await persist(() => shipStudyEnd(site, folder, { tables, status: ended, trialFolders }));
      } catch (error) {
        if (signal.aborted || mayPass(error) || failureKind(error) === "internal") {
          throw error;
        }
        refused.add(firstLine(error));
      }
    }
    return {
      experiment,
      runs: begun.filter((trial) => readTracking<TrackingFile>(trial.folder, site) !== undefined).length + 1,
      planned: trials.length - begun.length,
      points,
      rejected: begun.reduce((sum, trial) => sum + readRejected(trial.folder, site).length, 0),
      refused: [...refused],
      ended,
    };
  }

  return { site, pass, verify: () => verifyStudy(site, runsFolder, persist) };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
