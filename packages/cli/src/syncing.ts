// Sending stored studies to a server, as commands do it: progress on a line, errors that say what to do.
import { setTimeout as sleep } from "node:timers/promises";
import { MerclabError } from "@merclab/core";
import { createSyncer, readExperimentNames, type SyncedStudy, type Syncer } from "@merclab/runner";
import { MlflowConfigError, MlflowError } from "mlflow-js-client";
import { printError } from "./output.ts";
import { compileTables } from "./tables.ts";
import { trackedTables } from "./tracking.ts";

/** One after another; a study that appears meanwhile comes with the next call. */
export async function syncAll(syncer: Syncer, experiment: string | undefined, runs: string): Promise<SyncedStudy[]> {
  const studies: SyncedStudy[] = [];
  for (const name of experiment === undefined ? await readExperimentNames(runs) : [experiment]) {
    studies.push(await syncer.pass(name));
  }
  return studies;
}

export interface SyncerSite {
  readonly runs: string;
  readonly uri: string;
  readonly stop: AbortSignal;
  /** Milliseconds. */
  readonly patience: number;
  readonly progress: SyncProgressLine;
  /** Instead of the caller's, for credentials. */
  readonly env?: Readonly<Record<string, string>>;
}

/** @throws MerclabError `config` when the address is none that can be used */
export function openSyncer({ runs, uri, stop, patience, progress, env }: SyncerSite): Syncer {
  try {
    return createSyncer({
      runsFolder: runs,
      uri,
      signal: stop,
      patience,
      tables: async (name) => trackedTables(name, await compileTables(runs, name)),
      onProgress: progress.show,
      ...(env && { env }),
    });
  } catch (error) {
    if (error instanceof MlflowConfigError) {
      throw new MerclabError("config", error.message, { cause: error });
    }
    throw error;
  }
}

export interface SyncProgressLine {
  show(progress: { experiment: string; runs: number; ofRuns: number; points: number }): void;
  end(): void;
}

/** One line that is written over, in a terminal only. */
export function createSyncProgress(): SyncProgressLine {
  const { stderr } = process;
  let isShown = false;
  return {
    show({ experiment, runs, ofRuns, points }) {
      if (stderr.isTTY) {
        const line = `${experiment}: ${runs} of ${ofRuns} runs, ${points.toLocaleString("en-US")} points sent`;
        stderr.write(`\r\u001b[K${line.slice(0, stderr.columns - 1)}`);
        isShown = true;
      }
    },
    end() {
      if (isShown) {
        stderr.write("\r\u001b[K");
        isShown = false;
      }
    },
  };
}

/** Between two looks at the folders. */
const WATCH_MS = 3_000;

/** Sends what is new until the signal; a server that is away is told once, and waited for. */
export async function watch(send: () => Promise<unknown>, stop: AbortSignal, uri: string): Promise<void> {
  let isTold = false;
  while (!stop.aborted) {
    try {
      await sleep(WATCH_MS, undefined, { signal: stop });
      await send();
      isTold = false;
    } catch (error) {
      const known = serverError(error, uri);
      if (stop.aborted) {
        return;
      }
      if (!(known instanceof MerclabError)) {
        throw error;
      }
      if (!isTold) {
        printError(known, false);
        isTold = true;
      }
    }
  }
}

/** What a user can do about a server that does not take what is sent. */
export function serverError(error: unknown, uri: string): unknown {
  if (!(error instanceof MlflowError)) {
    return error;
  }
  const [detail = ""] = error.message.split("\n");
  const status = "httpStatus" in error ? error.httpStatus : undefined;
  const isDenied = status === 401 || status === 403;
  const [what, hint] = isDenied
    ? [
        "the MLflow server does not accept the credentials",
        "Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
      ]
    : ["the MLflow server cannot be used", "The same command goes on where this one stopped."];
  return new MerclabError("tracking", `${what}: ${detail}`, { where: withoutCredentials(uri), hint, cause: error });
}

function withoutCredentials(uri: string): string {
  return uri.replace(/\/\/[^@/]*@/, "//");
}

/** One row a study. */
export function syncedRows(studies: readonly SyncedStudy[]): string[][] {
  return studies.map(({ experiment, runs, planned, points, rejected, refused, ended }) => [
    experiment,
    `${runs} runs`,
    `${points.toLocaleString("en-US")} points sent`,
    `${rejected} rejected`,
    [ended ?? "goes on", ...(planned === 0 ? [] : [`${planned} not started`]), ...refused].join("; "),
  ]);
}
