// Ships a study to an MLflow server while it runs. Whatever happens there, trials neither wait nor fail: they write
// their folders, this reads them, and what could not be sent is sent when the same study is run again.
import { MlflowConfigError } from "mlflow-js-client";
import { createSite, type StudySite } from "./destination.ts";
import { createTeller, mayPass } from "./failures.ts";
import { createShippingQueue } from "./shipping-queue.ts";
import { type StudyTable, shipStudyEnd } from "./study-run.ts";
import type { EndStatus } from "./tracking-file.ts";
import { createTrialRun, type TrialRun } from "./trial-run.ts";

export interface TrackerOptions {
  /** MLFLOW_TRACKING_URI; undefined or empty means that nothing is tracked. */
  readonly uri: string | undefined;
  /** The experiment's name, here and on the server. */
  readonly experiment: string;
  /** The experiment's folder: what is sent about the study as a whole is read from it. */
  readonly folder: string;
  /** Given one line at a time, without secrets. */
  readonly warn: (message: string) => void;
  readonly fetch?: typeof globalThis.fetch;
  /** Instead of `process.env`, for credentials. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly timing?: TrackerTiming;
}

/** Milliseconds. */
export interface TrackerTiming {
  /** Between two shipments of a trial that runs. */
  readonly interval?: number;
  /** After a failure; doubles with each further one, up to a minute. */
  readonly pause?: number;
  /** Before a request is repeated, the first time; a few repetitions come before a failure counts as one. */
  readonly retry?: number;
  /** Between two warnings of one kind. */
  readonly warnEvery?: number;
}

/** Calls return at once and never throw; a trial is named by its folder. */
export interface Tracker {
  trialStarted(folder: string): void;
  /** After an epoch: the journal has grown. */
  trialProgressed(folder: string): void;
  /** Finished, failed or killed: status, journal and result are written. */
  trialEnded(folder: string): void;
  /** Finished in an earlier run of the study: what is unsent is sent. */
  trialFound(folder: string): void;
  studyEnded(tables: readonly StudyTable[], status: EndStatus): void;
  /** Sends what is left for at most this long; `pending` counts the runs of which something remains unsent. */
  close(timeoutMs: number): Promise<{ readonly pending: number }>;
}

/** @returns undefined when there is no server, or, after a warning, when the address cannot be used */
export function createTracker(options: TrackerOptions): Tracker | undefined {
  const { uri, timing = {} } = options;
  if (uri === undefined || uri === "") {
    return undefined;
  }
  const tell = createTeller(options.warn, timing.warnEvery ?? 60_000);
  const queue = createShippingQueue({
    judge: (error) => {
      tell(error);
      return mayPass(error) ? "later" : "aside";
    },
    ...(timing.pause !== undefined && { pauseMs: timing.pause }),
  });
  const site = openSite(uri, options, queue.signal);
  if (site === undefined) {
    return undefined;
  }
  const trials = new Map<string, { readonly run: TrialRun; ended: boolean }>();

  const trialAt = (folder: string) => {
    const trial = trials.get(folder) ?? { run: createTrialRun(site, folder), ended: false };
    trials.set(folder, trial);
    return trial;
  };
  const pushTrial = (folder: string, ended: boolean) => {
    const trial = trialAt(folder);
    trial.ended = ended;
    queue.push(folder, () => trial.run.ship(trial.ended));
  };

  return {
    trialStarted: (folder) => pushTrial(folder, false),
    trialProgressed(folder) {
      const trial = trialAt(folder);
      const delay = trial.run.isOpen() ? (timing.interval ?? 5_000) : 0;
      queue.push(folder, () => trial.run.ship(trial.ended), delay);
    },
    trialEnded: (folder) => pushTrial(folder, true),
    trialFound: (folder) => pushTrial(folder, true),
    studyEnded(tables, status) {
      const end = { tables, status, trialFolders: [...trials.keys()] };
      queue.push("the study itself", () => shipStudyEnd(site, options.folder, end));
    },
    close: async (timeoutMs) => ({ pending: await queue.close(timeoutMs) }),
  };
}

function openSite(uri: string, options: TrackerOptions, signal: AbortSignal): StudySite | undefined {
  const { experiment, folder, fetch, env, timing } = options;
  const retry = { attempts: 5, baseMs: timing?.retry ?? 100, capMs: 2_000 };
  try {
    return createSite({
      experiment,
      folder,
      call: { signal },
      client: { trackingUri: uri, retry, ...(fetch && { fetch }), ...(env && { env }) },
    });
  } catch (error) {
    if (error instanceof MlflowConfigError) {
      options.warn(`Nothing is sent to MLflow: ${error.message}`);
      return undefined;
    }
    throw error;
  }
}
