// Ships the end of a study to its own run: tables as files, mean and spread over seeds as metrics, the status.
import { readTrial, type StoredTrial } from "../store/experiment-store.ts";
import { type Acknowledged, shipTexts } from "./artifacts.ts";
import { unixTime } from "./description.ts";
import type { StudySite } from "./destination.ts";
import { sha256 } from "./hashes.ts";
import { shippingAlone } from "./shipping-lock.ts";
import { type FinishedTrial, spreadMetrics } from "./spread.ts";
import { type EndStatus, readTracking, type StudyTrackingFile, writeTracking } from "./tracking-file.ts";

/** A compiled table in the formats that are kept with the study. */
export interface StudyTable {
  readonly name: string;
  readonly markdown: string;
  readonly csv: string;
  readonly json: string;
}

export interface StudyEnd {
  readonly tables: readonly StudyTable[];
  readonly status: EndStatus;
  /** Of all trials that were found or ran. */
  readonly trialFolders: readonly string[];
}

/** Does nothing when the same end was told before and no trial has been sent since. */
export async function shipStudyEnd(site: StudySite, folder: string, end: StudyEnd): Promise<void> {
  const trials = await Promise.all(end.trialFolders.map(readTrial));
  const metrics = spreadMetrics(finishedTrials(trials));
  const texts = tableFiles(end.tables);
  const told = sha256(JSON.stringify([end.status, metrics, [...texts]]));
  const noted = readTracking<StudyTrackingFile>(folder, site);
  if (noted?.ended === told && !site.parentIsOpen()) {
    return;
  }
  const { client, call } = site;
  const { experimentId, runId } = await site.parent();
  await shippingAlone(folder, site, call.signal, async () => {
    const { trackingUri, experiment } = site;
    const place = { schema: 2, trackingUri, experiment, experimentId, runId } as const;
    let there: Acknowledged = noted?.runId === runId ? noted.artifacts : {};
    if (metrics.length > 0) {
      await client.logBatch(runId, { metrics }, call);
      site.onPoints(metrics.length);
    }
    // The run ends even where files cannot be kept; that they are missing is told after it.
    const files = await settled(
      shipTexts(site, runId, texts, there, async (artifacts) => {
        there = artifacts;
        await writeTracking(folder, { ...place, artifacts });
      }),
    );
    await client.setTerminated(runId, end.status, lastEnd(trials), call);
    if ("error" in files) {
      throw files.error;
    }
    await writeTracking(folder, { ...place, artifacts: there, ended: told });
  });
  site.parentEnded();
}

export function finishedTrials(trials: readonly StoredTrial[]): FinishedTrial[] {
  return trials.flatMap(({ spec, result }) => (result === undefined ? [] : [{ spec, result }]));
}

/** Unix ms at which the last trial of a study ended. */
export function lastEnd(trials: readonly StoredTrial[]): number {
  const ends = trials.flatMap(({ status }) => unixTime(status?.endedAt) ?? []);
  return ends.length === 0 ? Date.now() : Math.max(...ends);
}

export function tableFiles(tables: readonly StudyTable[]): Map<string, string> {
  return new Map(
    tables.flatMap(({ name, markdown, csv, json }): [string, string][] => [
      [`tables/${name}.md`, markdown],
      [`tables/${name}.csv`, csv],
      [`tables/${name}.json`, json],
    ]),
  );
}

async function settled(work: Promise<void>): Promise<{ error: unknown } | { done: true }> {
  try {
    await work;
    return { done: true };
  } catch (error) {
    return { error };
  }
}
