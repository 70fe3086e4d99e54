// Ships one trial: reads its folder, sends what the server lacks, notes what it acknowledged. Any step may be repeated.
// An attempt that starts over journals the values of the one before again, at other times, which the server would
// keep as second points. So the run found is asked for the largest step of each metric, and nothing is sent up to it:
// trials are deterministic, and steps are sent in order. What the server refuses is set aside by itself, in
// `journal.rejected.jsonl`, and keeps back nothing else.
import { join } from "node:path";
import {
  type Metric,
  type MlflowApiError,
  MlflowDeletedError,
  type MlflowLimitError,
  type Run,
  sanitizeKey,
} from "mlflow-js-client";
import stringify from "safe-stable-stringify";
import { readEnvironment, readTrial, type StoredTrial, TRIAL_FILES } from "../store/experiment-store.ts";
import { readTexts, shipTexts } from "./artifacts.ts";
import { datasetInput, ERROR_TAG, trialEnding, trialTags, unixTime } from "./description.ts";
import { RUN_KEY, type StudySite, trialKey } from "./destination.ts";
import { mayPass } from "./failures.ts";
import { shortHash } from "./hashes.ts";
import { type JournalLines, readJournalLines } from "./journal-lines.ts";
import { flattenConfig, trialName } from "./names.ts";
import { keepRejected, type Rejected } from "./rejected.ts";
import { sendEach } from "./send-each.ts";
import { shippingAlone } from "./shipping-lock.ts";
import { readTracking, type TrackingFile, writeTracking } from "./tracking-file.ts";
import { recordPoints, resultPoints } from "./trial-points.ts";

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
  /** What the tracking file says. */
  noted: TrackingFile;
}

/** A param or a tag. */
interface Entry {
  readonly kind: "param" | "tag";
  readonly key: string;
  readonly value: string;
}

/** Files of a trial that go with its run. */
export const TRIAL_ARTIFACTS = [TRIAL_FILES.predictions, TRIAL_FILES.result, TRIAL_FILES.spec, TRIAL_FILES.environment];

/** As many as the server takes in one request. */
const POINTS_AT_ONCE = 1000;

export function createTrialRun(site: StudySite, folder: string): TrialRun {
  const { client, call } = site;
  let session: Session | undefined;
  const readLines = (file: "journal" | "system") => readJournalLines(join(folder, TRIAL_FILES[file]));

  async function ship(ended: boolean): Promise<void> {
    const journal = readLines("journal");
    if (journal.count === 0 && !ended) {
      return; // it has not begun
    }
    const noted = readTracking<TrackingFile>(folder, site);
    if (ended && noted?.ended !== undefined && noted.journal.attempt === journal.attempt) {
      return;
    }
    await site.parent(); // before its child, and before the child's lock
    await shippingAlone(folder, site, call.signal, () => shipNow(ended));
  }

  async function shipNow(ended: boolean): Promise<void> {
    const journal = readLines("journal");
    const noted = readTracking<TrackingFile>(folder, site);
    if (session === undefined || session.attempt !== journal.attempt) {
      session = await openRun(journal, noted);
    } else if (noted?.runId === session.runId && noted.journal.attempt === session.attempt) {
      session.noted = noted; // another process may have sent something
    }
    const refusals = await shipParts(session, journal, ended);
    if (refusals.length > 0) {
      session = undefined; // the run may be gone: look for it the next time
      throw refusals[0];
    }
  }

  /** Finds or creates the run and sets it to RUNNING; what was noted of another run is forgotten. */
  async function openRun({ attempt, open }: JournalLines, noted: TrackingFile | undefined): Promise<Session> {
    const trial = await readTrial(folder);
    const parent = await site.parent();
    const run = await client.createRun(parent.experimentId, {
      ...call,
      runName: trialName(trial.spec),
      startTime: open?.ts ?? unixTime(trial.status?.startedAt) ?? Date.now(),
      tags: { "mlflow.parentRunId": parent.runId },
      uniqueTag: { key: RUN_KEY, value: trialKey(site.experiment, trial.spec.id) },
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
        schema: 2,
        trackingUri: site.trackingUri,
        experiment: site.experiment,
        experimentId: parent.experimentId,
        runId,
        described: known?.described ?? "",
        journal: { attempt, lines: known?.journal.attempt === attempt ? known.journal.lines : 0 },
        systemLines: known?.systemLines ?? 0,
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

  /** What waiting does not cure is left out, so that it does not keep back the rest; the refusals. */
  async function shipParts(session: Session, journal: JournalLines, ended: boolean): Promise<unknown[]> {
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
    await part(() =>
      shipLines(session, journal, session.noted.journal.lines, (lines) =>
        note(session, { journal: { attempt: session.attempt, lines } }),
      ),
    );
    await part(() =>
      shipLines(session, readLines("system"), session.noted.systemLines, (systemLines) =>
        note(session, { systemLines }),
      ),
    );
    if (ended) {
      const trial = await readTrial(folder);
      const { status, at, error } = trialEnding(trial, journal);
      await part(() => shipScores(session, trial));
      await part(async () => {
        const texts = await readTexts(folder, TRIAL_ARTIFACTS);
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

  /** Again when there is more to say: what a trial runs on is known once it trains. */
  async function shipDescription(session: Session): Promise<void> {
    const { spec } = session.trial;
    const { sharedTags, data } = await site.describe();
    const params = flattenConfig(spec.config, spec.seed);
    const tags = { ...sharedTags, ...trialTags(spec, await readEnvironment(folder)) };
    const input = datasetInput(spec, data);
    const described = shortHash(stringify([params, tags, input]) ?? "");
    if (session.noted.described === described) {
      return;
    }
    const { runId } = session;
    const refuse = refuser(session);
    await sendEach(
      [...entries("param", params), ...entries("tag", tags)],
      async (some) => {
        const of = (kind: Entry["kind"]) => some.filter((each) => each.kind === kind);
        await client.logBatch(runId, { params: of("param"), tags: of("tag") }, call);
      },
      async ({ kind, ...entry }, reason) => {
        if (kind === "param" && (await setInstead(session, entry))) {
          return;
        }
        await refuse(kind, entry, reason);
      },
    );
    await sendEach(
      [input],
      (inputs) => client.logInputs(runId, inputs, call),
      (refused, reason) => refuse("dataset", refused, reason),
    );
    await note(session, { described });
  }

  /** Params are write-once: another value than that of an earlier attempt is kept as a tag. */
  async function setInstead(session: Session, { key, value }: Omit<Entry, "kind">): Promise<boolean> {
    const { data } = await client.getRun(session.runId, call);
    const stored = data.params.get(key);
    if (stored === undefined || stored === value) {
      return false;
    }
    const attempt = session.attempt.split("@")[0];
    await client.setTag(session.runId, sanitizeKey(`param.${key}.attempt${attempt}`), value, call);
    return true;
  }

  async function shipLines(
    session: Session,
    lines: JournalLines,
    from: number,
    acknowledge: (lines: number) => Promise<void>,
  ): Promise<void> {
    let points: Metric[] = [];
    let upTo = from;
    const send = async () => {
      await shipPoints(session, points);
      points = [];
      await acknowledge(upTo);
    };
    for (const { line, text, record } of lines.after(from)) {
      if (record === undefined) {
        keepRejected(folder, site, { kind: "line", record: text, message: `line ${line} is no record` });
      } else {
        const more = recordPoints(record).filter((point) => isNew(session, point));
        if (points.length > 0 && points.length + more.length > POINTS_AT_ONCE) {
          await send();
        }
        points.push(...more);
      }
      upTo = line;
    }
    if (upTo > from) {
      await send();
    }
  }

  async function shipScores(session: Session, { result }: StoredTrial): Promise<void> {
    if (session.noted.scored || result === undefined) {
      return;
    }
    await shipPoints(
      session,
      resultPoints(result).filter((point) => isNew(session, point)),
    );
    await note(session, { scored: true });
  }

  async function shipPoints(session: Session, points: readonly Metric[]): Promise<void> {
    const refuse = refuser(session);
    let refused = 0;
    await sendEach(
      points,
      async (metrics) => {
        await client.logBatch(session.runId, { metrics }, call);
      },
      async (point, reason) => {
        await refuse("metric", point, reason);
        refused += 1;
      },
    );
    site.onPoints(points.length - refused);
  }

  /** Sets a record aside, after a look whether it is not rather the run that the server refuses. */
  function refuser({ runId }: Session) {
    let isChecked = false;
    return async (kind: Rejected["kind"], record: unknown, { message }: MlflowApiError | MlflowLimitError) => {
      if (!isChecked) {
        const { info } = await client.getRun(runId, call);
        if (info.lifecycleStage === "deleted") {
          throw new MlflowDeletedError("run", runId, `run ${runId} was deleted on the server; restore it to go on`);
        }
        isChecked = true;
      }
      keepRejected(folder, site, { kind, record, message });
    };
  }

  async function note(session: Session, change: Partial<TrackingFile>): Promise<void> {
    session.noted = { ...session.noted, ...change };
    await writeTracking(folder, session.noted);
  }

  return { isOpen: () => session !== undefined, ship };
}

function isNew({ held }: Session, { key, step }: Metric): boolean {
  // Not the other way round: a step that is none must reach what refuses it.
  return !(step <= (held.get(key) ?? Number.NEGATIVE_INFINITY));
}

/** Names that the server would not take are made fit. */
function entries(kind: Entry["kind"], values: Readonly<Record<string, string>>): Entry[] {
  return Object.entries(values).map(([key, value]) => ({ kind, key: sanitizeKey(key), value }));
}
