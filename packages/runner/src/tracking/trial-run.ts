// Ships one trial: reads its folder, sends what the server lacks, notes what it acknowledged. Any step may be repeated.
// An attempt that starts over journals the values of the one before again, at other times, which the server would
// keep as second points. So the run found is asked for the largest step of each metric, and nothing is sent up to it:
// trials are deterministic, and steps are sent in order.
import { join } from "node:path";
import { type Metric, type Run, sanitizeKey } from "mlflow-js-client";
import { readTrial, type StoredTrial, TRIAL_FILES } from "../store/experiment-store.ts";
import { type JournalRecord, readJournal } from "../store/journal.ts";
import { readTexts, shipTexts } from "./artifacts.ts";
import { datasetInput, ERROR_TAG, trialEnding, trialTags, unixTime } from "./description.ts";
import { RUN_KEY, type StudySite } from "./destination.ts";
import { mayPass } from "./failures.ts";
import { shortHash } from "./hashes.ts";
import { flattenConfig, resultMetrics, trialName } from "./names.ts";
import { readTracking, type TrackingFile, writeTracking } from "./tracking-file.ts";

export interface TrialRun {
  /** Whether the run is on the server, as far as this process knows. */
  isOpen(): boolean;
  /** Sends what there is, and with `ended` closes the run. Rejects when something could not be sent. */
  ship(ended: boolean): Promise<void>;
}

interface Session {
  readonly trial: StoredTrial;
  /** Which attempt the journal is of. */
  readonly attempt: string;
  readonly runId: string;
  /** Largest step by metric that the run held when this attempt came to it. */
  readonly held: ReadonlyMap<string, number>;
  /** What `tracking.json` says. */
  noted: TrackingFile;
}

const ARTIFACTS = [TRIAL_FILES.predictions, TRIAL_FILES.result, TRIAL_FILES.spec];
const RECORDS_AT_ONCE = 100;

export function createTrialRun(site: StudySite, folder: string): TrialRun {
  const { client, call } = site;
  let session: Session | undefined;

  async function ship(ended: boolean): Promise<void> {
    const journal = readJournal(join(folder, TRIAL_FILES.journal));
    const open = journal.find((record) => record.t === "open");
    if (open === undefined && !ended) {
      return; // it has not begun
    }
    const attempt = open === undefined ? "none" : `${open.attempt}@${open.ts}`;
    const noted = await readTracking<TrackingFile>(folder, site);
    if (ended && noted?.ended !== undefined && noted.journal.attempt === attempt) {
      return;
    }
    if (session?.attempt !== attempt) {
      session = await openRun(attempt, open, noted);
    }
    const refusals = await shipParts(session, journal, ended);
    if (refusals.length > 0) {
      session = undefined; // the run may be gone: look for it the next time
      throw refusals[0];
    }
  }

  /** Finds or creates the run and sets it to RUNNING; what was noted of another run is forgotten. */
  async function openRun(
    attempt: string,
    open: Extract<JournalRecord, { t: "open" }> | undefined,
    noted: TrackingFile | undefined,
  ): Promise<Session> {
    const trial = await readTrial(folder);
    const parent = await site.parent();
    const run = await client.createRun(parent.experimentId, {
      ...call,
      runName: trialName(trial.spec),
      startTime: open?.ts ?? unixTime(trial.status?.startedAt) ?? Date.now(),
      tags: { "mlflow.parentRunId": parent.runId },
      uniqueTag: { key: RUN_KEY, value: shortHash(`trial\n${site.experiment}\n${trial.spec.id}`) },
    });
    await resume(run, open?.attempt ?? 1);
    const { runId } = run.info;
    const known = noted?.runId === runId ? noted : undefined;
    const session: Session = {
      trial,
      attempt,
      runId,
      held: new Map([...run.data.metrics.values()].map(({ key, step }) => [key, step])),
      noted: {
        schema: 1,
        trackingUri: site.trackingUri,
        experiment: site.experiment,
        experimentId: parent.experimentId,
        runId,
        described: known?.described ?? false,
        journal: { attempt, lines: known?.journal.attempt === attempt ? known.journal.lines : 0 },
        scored: known?.scored ?? false,
        artifacts: known?.artifacts ?? {},
      },
    };
    await note(session, {});
    return session;
  }

  async function resume({ info, data }: Run, attempt: number): Promise<void> {
    if (info.status !== "RUNNING") {
      await client.updateRun(info.runId, { ...call, status: "RUNNING" });
    }
    if (data.tags.has(ERROR_TAG)) {
      await client.deleteTag(info.runId, ERROR_TAG, call);
    }
    if (attempt > 1) {
      await client.setTag(info.runId, "exp.attempt", String(attempt), call);
    }
  }

  /** What the server refuses is left out, so that it does not keep back the rest; the refusals. */
  async function shipParts(session: Session, journal: readonly JournalRecord[], ended: boolean): Promise<unknown[]> {
    const refusals: unknown[] = [];
    const part = async (send: () => Promise<void>) => {
      try {
        await send();
      } catch (error) {
        if (mayPass(error) || call.signal.aborted) {
          throw error;
        }
        refusals.push(error);
      }
    };
    await part(() => shipDescription(session));
    await part(() => shipPoints(session, journal));
    if (ended) {
      const trial = await readTrial(folder);
      const { status, at, error } = trialEnding(trial, journal);
      await part(() => shipScores(session, trial));
      await part(async () => {
        const texts = await readTexts(folder, ARTIFACTS);
        await shipTexts(site, session.runId, texts, session.noted.artifacts, (artifacts) =>
          note(session, { artifacts }),
        );
      });
      await part(async () => {
        if (error !== undefined) {
          await client.setTag(session.runId, ERROR_TAG, error, call);
        }
        await client.setTerminated(session.runId, status, at, call);
      });
      if (refusals.length === 0) {
        await note(session, { ended: status });
      }
    }
    return refusals;
  }

  async function shipDescription(session: Session): Promise<void> {
    if (session.noted.described) {
      return;
    }
    const { spec } = session.trial;
    const params = { ...flattenConfig(spec.config, spec.seed) };
    const tags = { ...site.tags, ...trialTags(spec) };
    await client.logBatch(session.runId, { params: entries(params), tags: entries(tags) }, call);
    await client.logInputs(session.runId, [datasetInput(spec, site.sources[spec.config.dataset.name])], call);
    await note(session, { described: true });
  }

  async function shipPoints(session: Session, journal: readonly JournalRecord[]): Promise<void> {
    for (let from = session.noted.journal.lines; from < journal.length; from += RECORDS_AT_ONCE) {
      const records = journal.slice(from, from + RECORDS_AT_ONCE);
      const metrics = records.flatMap(recordPoints).filter((point) => isNew(session, point));
      if (metrics.length > 0) {
        await client.logBatch(session.runId, { metrics }, call);
      }
      await note(session, { journal: { attempt: session.attempt, lines: from + records.length } });
    }
  }

  async function shipScores(session: Session, { result }: StoredTrial): Promise<void> {
    if (session.noted.scored || result === undefined) {
      return;
    }
    const timestamp = unixTime(result.seal.openedAt) ?? Date.now();
    const metrics = resultMetrics(result).map((metric) => ({ ...metric, key: sanitizeKey(metric.key), timestamp }));
    await client.logBatch(session.runId, { metrics: metrics.filter((point) => isNew(session, point)) }, call);
    await note(session, { scored: true });
  }

  async function note(session: Session, change: Partial<TrackingFile>): Promise<void> {
    session.noted = { ...session.noted, ...change };
    await writeTracking(folder, session.noted);
  }

  return { isOpen: () => session !== undefined, ship };
}

function recordPoints(record: JournalRecord): Metric[] {
  if (record.t !== "m") {
    return [];
  }
  return Object.entries(record.v).map(([name, value]) => ({
    key: sanitizeKey(name),
    value: Number(value), // NaN and the infinities are journalled by name
    step: record.s,
    timestamp: record.ts,
  }));
}

function isNew({ held }: Session, { key, step }: Metric): boolean {
  return step > (held.get(key) ?? Number.NEGATIVE_INFINITY);
}

/** Params and tags; names that the server would not take are made fit. */
function entries(values: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(values).map(([key, value]) => ({ key: sanitizeKey(key), value }));
}
