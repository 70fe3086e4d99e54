// Sending stored studies, against a small MLflow in memory; the real one is asked in test/mlflow-sync.test.ts.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { experimentFolder, TRIAL_FILES } from "../src/store/experiment-store.ts";
import { takeLock } from "../src/study/lock.ts";
import { readRejected } from "../src/tracking/rejected.ts";
import { createSyncer, type SyncerOptions } from "../src/tracking/syncer.ts";
import { type StoredRun, startTrackingServer, type TrackingServer } from "./tracking-server.ts";
import { createTrial, type Trial, temporaryFolder, trialSpec, writeStudyFile } from "./tracking-study.ts";

const T0 = 1_700_000_000_000;
const STUDY = "one-protocol";

async function prepare() {
  const server = await startTrackingServer();
  onTestFinished(() => server.stop());
  const runsFolder = temporaryFolder();
  const syncer = (change: Partial<SyncerOptions> = {}) =>
    createSyncer({
      runsFolder,
      uri: server.uri,
      tables: async () => [{ name: "main", markdown: "| a |\n", csv: "a\n", json: "{}\n" }],
      signal: new AbortController().signal,
      patience: 5_000,
      env: {},
      ...change,
    });
  const trials: Trial[] = [];
  /** A trial of a planned study, with its first epochs journalled. */
  const begin = async (seed: number, epochs: number): Promise<Trial> => {
    const trial = await createTrial(runsFolder, trialSpec(seed));
    trials.push(trial);
    await writeStudyFile(runsFolder, { trials: trials.map(({ spec }) => spec) });
    trial.begin(1, T0);
    for (let epoch = 1; epoch <= epochs; epoch++) {
      trial.epoch(epoch);
    }
    await trial.run();
    return trial;
  };
  const finish = async (seed: number): Promise<Trial> => {
    const trial = await begin(seed, 3);
    await trial.finish(3);
    return trial;
  };
  return { server, runsFolder, syncer, begin, finish };
}

const named = (server: TrackingServer, name: string): StoredRun => {
  const found = server.runs.filter((run) => run.name === name && run.tags.has("exp.run_key"));
  expect(found, name).toHaveLength(1);
  return found[0] as StoredRun;
};

const pointNames = (run: StoredRun) => [...run.points.values()].map(({ key, step }) => `${key}@${step}`).sort();

describe("a pass", () => {
  test("sends finished, failed and running trials, and says where the study stands", async () => {
    const { server, runsFolder, syncer, begin, finish } = await prepare();
    await finish(0);
    const failed = await begin(1, 2);
    await failed.fail("out of memory");
    const running = await begin(2, 1);
    const sync = syncer();
    const unlock = takeLock(join(experimentFolder(runsFolder, STUDY), "run.lock"));
    expect(await sync.pass(STUDY)).toMatchObject({ runs: 4, planned: 0, rejected: 0, refused: [], ended: undefined });
    expect(named(server, "SDT, one protocol").status).toBe("RUNNING");
    expect(named(server, "iemocap sdt seed 0").status).toBe("FINISHED");
    expect(named(server, "iemocap sdt seed 1").status).toBe("FAILED");
    expect(named(server, "iemocap sdt seed 2")).toMatchObject({ status: "RUNNING", endTime: undefined });

    running.epoch(2);
    running.epoch(3);
    await running.finish(3);
    unlock();
    expect(await sync.pass(STUDY)).toMatchObject({ ended: "FAILED" });
    expect(pointNames(named(server, "iemocap sdt seed 2"))).toContain("valid/weighted-f1@3");
    const parent = named(server, "SDT, one protocol");
    expect(parent).toMatchObject({ status: "FAILED", startTime: T0 });
    expect([...parent.artifacts.keys()]).toContain("tables/main.md");
    expect(Object.fromEntries(parent.tags)).toMatchObject({
      "merclab.command": "exp run one-protocol",
      "mlflow.source.git.commit": "abc",
      "mlflow.source.git.dirty": "true",
      "merclab.git.commit": "def",
    });

    server.requests.length = 0;
    expect(await sync.pass(STUDY)).toMatchObject({ points: 0, ended: "FAILED" });
    expect(server.requests).toEqual([]);
  });

  test("sends everything again to a server that lost its store, and to another one", async () => {
    const { server, syncer, finish } = await prepare();
    await finish(0);
    await syncer().pass(STUDY);
    const before = pointNames(named(server, "iemocap sdt seed 0"));
    (server.runs as StoredRun[]).length = 0;
    await syncer().pass(STUDY);
    expect(pointNames(named(server, "iemocap sdt seed 0"))).toEqual(before);
    const other = await startTrackingServer();
    onTestFinished(() => other.stop());
    await syncer({ uri: other.uri }).pass(STUDY);
    expect(pointNames(named(other, "iemocap sdt seed 0"))).toEqual(before);
    server.requests.length = 0;
    await syncer().pass(STUDY); // the other one's notes are not taken for this one's
    expect(server.requests.filter((path) => path.endsWith("log-batch"))).toEqual([]);
  });

  test("twice at once, and beside others, puts nothing there twice", async () => {
    const { server, syncer, finish } = await prepare();
    await Promise.all([finish(0), finish(1), finish(2)]);
    const passes = await Promise.all([syncer(), syncer(), syncer()].map((each) => each.pass(STUDY)));
    expect(passes.every(({ ended }) => ended === "FINISHED")).toBe(true);
    expect(server.runs).toHaveLength(4);
    for (const seed of [0, 1, 2]) {
      const names = pointNames(named(server, `iemocap sdt seed ${seed}`));
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test("sends system metrics, numbered over attempts", async () => {
    const { server, syncer, finish } = await prepare();
    const { folder } = await finish(0);
    const sample = (s: number) => `${JSON.stringify({ t: "m", s, ts: T0 + s, v: { "system/cpu": s } })}\n`;
    writeFileSync(join(folder, TRIAL_FILES.system), sample(0) + sample(1));
    await syncer().pass(STUDY);
    expect(pointNames(named(server, "iemocap sdt seed 0"))).toEqual(
      expect.arrayContaining(["system/cpu@0", "system/cpu@1"]),
    );
  });

  test("that is denied says so at once", async () => {
    const { server, syncer, finish } = await prepare();
    await finish(0);
    server.fault = () => ({ status: 401, body: "no" });
    const pass = syncer({ env: { MLFLOW_TRACKING_TOKEN: "very-secret" } }).pass(STUDY);
    await expect(pass).rejects.toMatchObject({ httpStatus: 401, message: expect.not.stringContaining("very-secret") });
    expect(server.requests).toHaveLength(1);
  });

  test("gives up on a server that does not answer when its patience is over, and goes on with the next", async () => {
    const { server, syncer, finish } = await prepare();
    await finish(0);
    await server.stop();
    await expect(syncer({ patience: 50 }).pass(STUDY)).rejects.toMatchObject({ kind: "network" });
    await server.start();
    expect(await syncer().pass(STUDY)).toMatchObject({ ended: "FINISHED" });
  });

  test("survives a proxy that answers 502 half of the time, also after the work was done", async () => {
    const { server, syncer, finish } = await prepare();
    await finish(0);
    let state = 7;
    server.fault = () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return ([undefined, { status: 502 }, undefined, "lost"] as const)[(state >> 16) & 3];
    };
    expect(await syncer({ patience: 60_000 }).pass(STUDY)).toMatchObject({ ended: "FINISHED", rejected: 0 });
    const names = pointNames(named(server, "iemocap sdt seed 0"));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("what cannot be sent", () => {
  test("is halved down to the record, kept with the reason, and keeps back nothing else", async () => {
    const { server, syncer, begin } = await prepare();
    const trial = await begin(0, 2);
    appendFileSync(join(trial.folder, TRIAL_FILES.journal), '{"t":"m","s":2.5,"ts":5,"v":{"train/loss":1}}\n');
    trial.epoch(3);
    await trial.finish(3);
    server.refusal = ({ key, step }) => (key === "train/loss" && step === 1 ? "poison" : undefined);
    const sync = syncer();
    expect(await sync.pass(STUDY)).toMatchObject({ rejected: 2, refused: [], ended: "FINISHED" });
    const rejected = readRejected(trial.folder, { trackingUri: server.uri, experiment: STUDY });
    expect(rejected).toMatchObject([
      { kind: "metric", record: { key: "train/loss", step: 1 }, message: expect.stringContaining("poison") },
      { kind: "metric", record: { key: "train/loss", step: 2.5 }, message: expect.stringContaining("integer") },
    ]);
    const names = pointNames(named(server, "iemocap sdt seed 0"));
    expect(names).not.toContain("train/loss@1");
    expect(names).toEqual(expect.arrayContaining(["train/loss@2", "train/loss@3", "valid/weighted-f1@1"]));
    // Again from nothing: the same two, once.
    rmSync(join(trial.folder, "tracking"), { recursive: true });
    expect(await syncer().pass(STUDY)).toMatchObject({ rejected: 2 });
    expect((await sync.verify(STUDY)).differences).toEqual([]);
  });

  test("garbled lines are kept, a torn last line is waited for", async () => {
    const { server, syncer, begin } = await prepare();
    const trial = await begin(0, 1);
    const journal = join(trial.folder, TRIAL_FILES.journal);
    appendFileSync(
      journal,
      '{"t":"m","s":2,"ts":7,"v":{"tra\0\0\n[1]\n{"t":"m","s":2,"ts":7,"v":{"train/loss":"x"}}\n',
    );
    trial.epoch(2);
    appendFileSync(journal, '{"t":"m","s":3,"ts":');
    const sync = syncer();
    expect(await sync.pass(STUDY)).toMatchObject({ rejected: 3 });
    expect(
      readRejected(trial.folder, { trackingUri: server.uri, experiment: STUDY }).map(({ message }) => message),
    ).toEqual([3, 4, 5].map((line) => `line ${line} is no record`));
    const epochs = () => pointNames(named(server, "iemocap sdt seed 0")).filter((name) => name.startsWith("train/"));
    expect(epochs()).toEqual(["train/loss@1", "train/loss@2"]);
    appendFileSync(journal, '9,"v":{"train/loss":0.5}}\n');
    await sync.pass(STUDY);
    expect(epochs()).toEqual(["train/loss@1", "train/loss@2", "train/loss@3"]);
  });

  test("a journal whose first line is garbled is sent all the same", async () => {
    const { server, syncer, finish } = await prepare();
    const trial = await finish(0);
    const journal = join(trial.folder, TRIAL_FILES.journal);
    writeFileSync(journal, readFileSync(journal, "utf8").replace(/^.*\n/, "garbled\n"));
    expect(await syncer().pass(STUDY)).toMatchObject({ rejected: 1, ended: "FINISHED" });
    expect(pointNames(named(server, "iemocap sdt seed 0"))).toContain("train/loss@3");
  });

  test("a param that has another value already becomes a tag", async () => {
    const { server, syncer, finish } = await prepare();
    const trial = await finish(0);
    const sync = syncer();
    await sync.pass(STUDY);
    const run = named(server, "iemocap sdt seed 0");
    run.params.set("encoder.dim", "7");
    rmSync(join(trial.folder, "tracking"), { recursive: true });
    expect(await syncer().pass(STUDY)).toMatchObject({ rejected: 0, ended: "FINISHED" });
    expect(run.params.get("encoder.dim")).toBe("7");
    expect(run.tags.get("param.encoder.dim.attempt1")).toBe("8");
  });

  test("because the run was deleted is no fault of its records", async () => {
    const { server, syncer, begin } = await prepare();
    const trial = await begin(0, 1);
    const sync = syncer();
    await sync.pass(STUDY);
    named(server, "iemocap sdt seed 0").lifecycle = "deleted";
    server.refusal = ({ step }) => (step === 2 ? "the run must be active" : undefined);
    trial.epoch(2);
    const { rejected, refused } = await sync.pass(STUDY);
    expect(rejected).toBe(0);
    expect(refused).toEqual([expect.stringMatching(/deleted on the server/)]);
  });
});

test("verification finds what is missing, different and doubled", async () => {
  const { server, syncer, finish } = await prepare();
  const { spec } = await finish(0);
  const sync = syncer();
  await sync.pass(STUDY);
  expect((await sync.verify(STUDY)).differences).toEqual([]);
  const run = named(server, "iemocap sdt seed 0");
  for (const [name, point] of [...run.points]) {
    if (point.key === "train/loss" && point.step === 1) {
      run.points.delete(name);
    }
    if (point.key === "valid/weighted-f1" && point.step === 2) {
      run.points.set(`${name} again`, { ...point, timestamp: point.timestamp + 1 });
    }
    if (point.key === "seconds") {
      run.points.set(name, { ...point, value: 13 });
    }
  }
  const trial = spec.id;
  expect((await sync.verify(STUDY)).differences).toEqual([
    { trial, metric: "train/loss", stored: 3, onServer: 2, missing: 1, doubled: 0 },
    { trial, metric: "valid/weighted-f1", stored: 3, onServer: 4, missing: 0, doubled: 1 },
    { trial, metric: "seconds", stored: 1, onServer: 1, missing: 1, doubled: 0 },
  ]);
});
