// Trial folders for tests of tracking, written the way a worker writes them; numbers depend on seed and epoch only.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Origin } from "../src/origin/origin.ts";
import { createTrialFolder, experimentFolder, TRIAL_FILES, writeJson } from "../src/store/experiment-store.ts";
import { type AttemptJournal, attemptJournal } from "../src/store/journal.ts";
import type { TrialResult, TrialSpec, TrialStatus } from "../src/store/trial-files.ts";
import type { StudyFile } from "../src/study/study-file.ts";

export const FINGERPRINT = "0123456789abcdef0123456789abcdef0123456789abcdef";

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tracking-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function trialSpec(seed: number, change: Partial<TrialSpec> = {}): TrialSpec {
  const part = (name: string, options = {}) => ({ name, options });
  return {
    schema: 1,
    id: `trial-${seed}`,
    experiment: "one-protocol",
    title: "SDT, one protocol",
    cell: { fusion: "sdt" },
    config: {
      dataset: part("iemocap", { validation: 0.1 }),
      encoder: part("transformer", { dim: 8, dropout: { text: 0.5, audio: null } }),
      fusion: part("sdt", { modalities: ["text", "audio"] }),
      objective: part("cross-entropy"),
      balancer: part("none"),
      optimizer: part("adam", { learningRate: 1e-4 }),
      trainer: part("standard", { epochs: 3, selectBy: "weighted-f1" }),
      engine: part("eager"),
    },
    seed,
    data: { fingerprint: FINGERPRINT, source: "synthetic" },
    parameters: { total: 1000, trainable: 900 },
    ...change,
  };
}

export const ORIGIN: Origin = {
  git: { commit: "abc", branch: "main", dirty: true },
  merclab: { version: "0.1.0", git: { commit: "def", dirty: false } },
  machine: { host: "h", user: "u", system: "linux 6 x64", cpu: "c", cores: 2, memory: 2 ** 33 },
};

/** Writes `study.json` as a run of the study does. */
export async function writeStudyFile(runsFolder: string, change: Partial<StudyFile> = {}): Promise<void> {
  const study: StudyFile = {
    schema: 1,
    experiment: "one-protocol",
    title: "SDT, one protocol",
    command: "exp run one-protocol",
    notices: [],
    tables: [],
    trials: [],
    startedAt: new Date(1_700_000_000_000).toISOString(),
    origin: ORIGIN,
    data: [{ fingerprint: FINGERPRINT, folder: "/data/iemocap", dialogues: { train: 108, valid: 12, test: 31 } }],
    ...change,
  };
  await writeJson(join(experimentFolder(runsFolder, study.experiment), "study.json"), study);
}

export const loss = (seed: number, epoch: number) => 1 / (seed + epoch);
export const f1 = (seed: number, epoch: number) => (seed + epoch) / 100;

export interface Trial {
  readonly folder: string;
  readonly spec: TrialSpec;
  /** Starts the journal of an attempt. */
  begin(attempt: number, ts: number): void;
  /** An epoch's record, at `ts` of the attempt plus the epoch. */
  epoch(epoch: number): void;
  /** Writes that it runs. */
  run(): Promise<void>;
  /** Writes the result and the end of the journal. */
  finish(epochs: number): Promise<void>;
  fail(error: string): Promise<void>;
}

export async function createTrial(runsFolder: string, spec: TrialSpec): Promise<Trial> {
  const folder = await createTrialFolder(runsFolder, spec);
  const { seed } = spec;
  let journal: AttemptJournal | undefined;
  let startedAt = 0;
  let attempt = 0;
  const status = (state: TrialStatus["state"], more: Partial<TrialStatus> = {}) =>
    writeJson(join(folder, TRIAL_FILES.status), {
      state,
      attempt,
      pid: 1,
      startedAt: new Date(startedAt).toISOString(),
      ...more,
    });
  return {
    folder,
    spec,
    begin(number, ts) {
      attempt = number;
      startedAt = ts;
      journal = attemptJournal(join(folder, TRIAL_FILES.journal), {
        t: "open",
        format: 1,
        runKey: spec.id,
        attempt,
        ts,
      });
    },
    epoch(epoch) {
      const v = { "train/loss": loss(seed, epoch), "valid/weighted-f1": f1(seed, epoch) };
      journal?.append({ t: "m", s: epoch, ts: startedAt + epoch, v });
    },
    run: () => status("running", { pid: process.pid }),
    async finish(epochs) {
      const openedAt = startedAt + 500;
      await writeJson(join(folder, TRIAL_FILES.result), trialResult(spec, epochs, openedAt));
      writeFileSync(join(folder, TRIAL_FILES.predictions), "utterance,label,prediction\nä,0,1\n");
      journal?.append({ t: "end", status: "FINISHED", ts: openedAt });
      await status("done", { endedAt: new Date(openedAt).toISOString() });
    },
    async fail(error) {
      appendFileSync(join(folder, TRIAL_FILES.journal), '{"t":"m","s":9'); // torn by the kill
      await status("failed", { endedAt: new Date(startedAt + 700).toISOString(), error });
    },
  };
}

function trialResult(spec: TrialSpec, epochs: number, openedAt: number): TrialResult {
  const { seed } = spec;
  const score = (epoch: number, value: number) => ({
    epoch,
    metrics: { "weighted-f1": value, ece: 0.25 },
    perClass: [],
    confusion: [],
  });
  return {
    schema: 1,
    id: spec.id,
    seed,
    dataset: spec.config.dataset.name,
    classes: ["happy", "sad"],
    epochs,
    selection: { metric: "weighted-f1", epoch: epochs, valid: { "weighted-f1": f1(seed, epochs) } },
    test: { validSelected: score(epochs, 0.5 + seed / 10), maxTest: score(1, 0.75 + seed / 10) },
    seal: { openedAt: new Date(openedAt).toISOString(), reason: "trained" },
    seconds: 12,
    threads: 1,
    parameters: spec.parameters,
    versions: {},
  };
}
