// Shipping a study, against a small MLflow in memory that stops, answers nonsense and loses answers.
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { experimentFolder, TRIAL_FILES } from "../src/store/experiment-store.ts";
import { metricsRecord } from "../src/store/journal.ts";
import { createTracker, type Tracker, type TrackerOptions } from "../src/tracking/tracker.ts";
import { readTracking, type TrackingFile } from "../src/tracking/tracking-file.ts";
import { type Fault, type StoredRun, startTrackingServer, type TrackingServer } from "./tracking-server.ts";
import {
  createTrial,
  FINGERPRINT,
  f1,
  loss,
  type Trial,
  temporaryFolder,
  trialSpec,
  writeStudyFile,
} from "./tracking-study.ts";

const T0 = 1_700_000_000_000;
const TABLE = { name: "main", markdown: "| a |\n", csv: "a\n", json: "{}\n" };
const TIMING = { interval: 5, pause: 5, warnEvery: 60_000, retry: 1 };

interface Setting {
  readonly server: TrackingServer;
  readonly runsFolder: string;
  readonly warnings: string[];
  /** A tracker as a new process would make it. */
  track(change?: Partial<TrackerOptions>): Tracker;
}

async function prepare(): Promise<Setting> {
  const server = await startTrackingServer();
  onTestFinished(() => server.stop());
  const runsFolder = temporaryFolder();
  await writeStudyFile(runsFolder);
  const warnings: string[] = [];
  const track = (change: Partial<TrackerOptions> = {}) => {
    const tracker = createTracker({
      uri: server.uri,
      experiment: "one-protocol",
      folder: experimentFolder(runsFolder, "one-protocol"),
      warn: (message) => warnings.push(message),
      env: {},
      timing: TIMING,
      ...change,
    });
    if (tracker === undefined) {
      throw new Error("no tracker");
    }
    return tracker;
  };
  return { server, runsFolder, warnings, track };
}

async function finishedTrial(runsFolder: string, seed: number, epochs = 3): Promise<Trial> {
  const trial = await createTrial(runsFolder, trialSpec(seed));
  trial.begin(1, T0);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    trial.epoch(epoch);
  }
  await trial.finish(epochs);
  return trial;
}

function runNamed(server: TrackingServer, name: string): StoredRun {
  const found = server.runs.filter((run) => run.name === name);
  expect(found, name).toHaveLength(1);
  return found[0] as StoredRun;
}

/** `key@step` of each point, sorted; a point held twice shows up twice. */
function pointNames(run: StoredRun): string[] {
  return [...run.points.values()].map(({ key, step }) => `${key}@${step}`).sort();
}

function epochPoints(epochs: number): string[] {
  const steps = Array.from({ length: epochs }, (_, index) => index + 1);
  return steps.flatMap((step) => [`train/loss@${step}`, `valid/weighted-f1@${step}`]).sort();
}

function isEpochPoint(name: string): boolean {
  return /^(train|valid)\//.test(name);
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 5_000, interval: 5 }).toBe(true);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe("a study is shipped", () => {
  test("with a parent, its children and all that they hold", async () => {
    const { server, runsFolder, track, warnings } = await prepare();
    const trials = [await finishedTrial(runsFolder, 0), await finishedTrial(runsFolder, 1)];
    const tracker = track();
    for (const trial of trials) {
      tracker.trialEnded(trial.folder);
    }
    tracker.studyEnded([TABLE], "FINISHED");
    expect(await tracker.close(5_000)).toEqual({ pending: 0 });
    expect(warnings).toEqual([]);

    const parent = runNamed(server, "SDT, one protocol");
    expect(parent.status).toBe("FINISHED");
    expect(Object.fromEntries(parent.artifacts)).toEqual({
      "tables/main.md": TABLE.markdown,
      "tables/main.csv": TABLE.csv,
      "tables/main.json": TABLE.json,
    });
    expect([...parent.points.values()].map(({ key, value, step }) => [key, value, step])).toEqual([
      ["iemocap/sdt/seeds", 2, 2],
      ["iemocap/sdt/test/weighted-f1/mean", 0.55, 2],
      ["iemocap/sdt/test/weighted-f1/std", expect.closeTo(Math.sqrt(0.005), 12), 2],
      ["iemocap/sdt/test/ece/mean", 0.25, 2],
      ["iemocap/sdt/test/ece/std", 0, 2],
      ["iemocap/sdt/max-test/weighted-f1/mean", 0.8, 2],
      ["iemocap/sdt/max-test/weighted-f1/std", expect.closeTo(Math.sqrt(0.005), 12), 2],
      ["iemocap/sdt/max-test/ece/mean", 0.25, 2],
      ["iemocap/sdt/max-test/ece/std", 0, 2],
    ]);

    const child = runNamed(server, "iemocap sdt seed 1");
    expect(child).toMatchObject({ status: "FINISHED", startTime: T0, endTime: T0 + 500 });
    expect(Object.fromEntries(child.params)).toMatchObject({
      seed: "1",
      encoder: "transformer",
      "encoder.dim": "8",
      "encoder.dropout.text": "0.5",
      "encoder.dropout.audio": "null",
      "fusion.modalities": '["text","audio"]',
      "optimizer.learningRate": "0.0001",
    });
    expect(Object.fromEntries(child.tags)).toMatchObject({
      "mlflow.parentRunId": parent.runId,
      "merclab.dataset": "iemocap",
      "merclab.data.source": "synthetic",
      "merclab.data.fingerprint": FINGERPRINT,
      "merclab.protocol": "valid-selected weighted-f1",
      "merclab.engine": "eager",
      "merclab.experiment": "one-protocol",
      "merclab.trial": "trial-1",
    });
    expect([...child.inputs.values()]).toMatchObject([
      { dataset: { name: "iemocap", digest: FINGERPRINT.slice(0, 36), source_type: "local" } },
    ]);
    const points = [...child.points.values()];
    for (const epoch of [1, 2, 3]) {
      const timestamp = T0 + epoch;
      expect(points).toContainEqual({ key: "train/loss", value: loss(1, epoch), step: epoch, timestamp });
      expect(points).toContainEqual({ key: "valid/weighted-f1", value: f1(1, epoch), step: epoch, timestamp });
    }
    expect(points).toContainEqual({ key: "best/epoch", value: 3, step: 3, timestamp: T0 + 500 });
    expect(points).toContainEqual({ key: "best/valid/weighted-f1", value: 0.04, step: 3, timestamp: T0 + 500 });
    expect(points).toContainEqual({ key: "test/weighted-f1", value: 0.6, step: 3, timestamp: T0 + 500 });
    expect(points).toContainEqual({ key: "max-test/weighted-f1", value: 0.85, step: 1, timestamp: T0 + 500 });
    expect([...child.artifacts.keys()].sort()).toEqual(["predictions.csv", "result.json", "trial.json"]);
    expect(child.artifacts.get("predictions.csv")).toContain("ä,0,1");
  });

  test("while it runs: an epoch arrives without waiting for the end", async () => {
    const { server, runsFolder, track } = await prepare();
    const trial = await createTrial(runsFolder, trialSpec(0));
    const tracker = track();
    tracker.trialStarted(trial.folder);
    trial.begin(1, T0);
    trial.epoch(1);
    tracker.trialProgressed(trial.folder);
    await until(() => server.runs.some((run) => run.points.size === 2));
    trial.epoch(2);
    tracker.trialProgressed(trial.folder);
    await until(() => server.runs.some((run) => run.points.size === 4));
    expect(runNamed(server, "iemocap sdt seed 0").status).toBe("RUNNING");
    await tracker.close(1_000);
  });

  test("with values that are no numbers", async () => {
    const { server, runsFolder, track } = await prepare();
    const trial = await createTrial(runsFolder, trialSpec(0));
    trial.begin(1, T0);
    const record = metricsRecord(1, { "train/loss": Number.NaN, "valid/nll": Number.POSITIVE_INFINITY });
    appendFileSync(join(trial.folder, TRIAL_FILES.journal), `${JSON.stringify(record)}\n`);
    const tracker = track();
    tracker.trialEnded(trial.folder);
    expect(await tracker.close(5_000)).toEqual({ pending: 0 });
    const run = runNamed(server, "iemocap sdt seed 0");
    expect([...run.points.values()].map(({ value }) => value)).toEqual(["NaN", "Infinity"]);
    expect(run.status).toBe("KILLED");
  });

  test("once: a later process that finds everything sent asks nothing", async () => {
    const { server, runsFolder, track } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    const shipAll = () => {
      const tracker = track();
      tracker.trialFound(trial.folder);
      tracker.studyEnded([TABLE], "FINISHED");
      return tracker.close(5_000);
    };
    expect(await shipAll()).toEqual({ pending: 0 });
    server.requests.length = 0;
    expect(await shipAll()).toEqual({ pending: 0 });
    expect(server.requests).toEqual([]);
  });

  test("without tracking.json again, to the same runs and without second points", async () => {
    const { server, runsFolder, track } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    for (const _ of [1, 2]) {
      rmSync(join(trial.folder, "tracking"), { recursive: true, force: true });
      const tracker = track();
      tracker.trialFound(trial.folder);
      tracker.studyEnded([TABLE], "FINISHED");
      await tracker.close(5_000);
    }
    expect(server.runs).toHaveLength(2);
    const run = runNamed(server, "iemocap sdt seed 0");
    expect(pointNames(run).filter(isEpochPoint)).toEqual(epochPoints(3));
    expect(new Set(pointNames(run)).size).toBe(run.points.size);
    expect(run.status).toBe("FINISHED");
  });
});

describe("a trial that was killed and starts over", () => {
  test("continues its run, with each point once", async () => {
    const { server, runsFolder, track } = await prepare();
    const trial = await createTrial(runsFolder, trialSpec(0));
    trial.begin(1, T0);
    trial.epoch(1);
    trial.epoch(2);
    await trial.fail("killed by SIGKILL");
    const first = track();
    first.trialEnded(trial.folder);
    await first.close(5_000);
    const run = runNamed(server, "iemocap sdt seed 0");
    expect(run).toMatchObject({ status: "FAILED", endTime: T0 + 700 });
    expect(run.tags.get("merclab.error")).toBe("killed by SIGKILL");

    const second = track();
    second.trialStarted(trial.folder);
    trial.begin(2, T0 + 10_000);
    trial.epoch(1);
    second.trialProgressed(trial.folder);
    await until(() => run.status === "RUNNING");
    trial.epoch(2);
    trial.epoch(3);
    await trial.finish(3);
    second.trialEnded(trial.folder);
    expect(await second.close(5_000)).toEqual({ pending: 0 });
    expect(pointNames(run).filter(isEpochPoint)).toEqual(epochPoints(3));
    expect(run.status).toBe("FINISHED");
    expect(run.tags.get("exp.attempt")).toBe("2");
    expect(run.tags.has("merclab.error")).toBe(false);
  });

  test("has each point once even if the last batch was stored in half and never acknowledged", async () => {
    const { server, runsFolder, track } = await prepare();
    const trial = await createTrial(runsFolder, trialSpec(0));
    trial.begin(1, T0);
    for (const epoch of [1, 2, 3]) {
      trial.epoch(epoch);
    }
    server.fault = (path) => {
      const run = server.runs.find(({ name }) => name === "iemocap sdt seed 0");
      return path.endsWith("/log-batch") && (run?.params.size ?? 0) > 0 ? "half" : undefined;
    };
    const first = track();
    first.trialStarted(trial.folder);
    await until(() => server.runs.some((run) => run.points.size === 3));
    await first.close(0);
    const noted = readTracking<TrackingFile>(trial.folder, { trackingUri: server.uri, experiment: "one-protocol" });
    expect(noted?.journal.lines).toBe(0);

    server.fault = () => undefined;
    trial.begin(2, T0 + 10_000);
    for (const epoch of [1, 2, 3, 4]) {
      trial.epoch(epoch);
    }
    await trial.finish(4);
    const second = track();
    second.trialEnded(trial.folder);
    expect(await second.close(5_000)).toEqual({ pending: 0 });
    expect(pointNames(runNamed(server, "iemocap sdt seed 0")).filter(isEpochPoint)).toEqual(epochPoints(4));
  });
});

describe("a server in trouble", () => {
  test("that is down at the start is told once, and gets everything when it comes", async () => {
    const { server, runsFolder, track, warnings } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    await server.stop();
    const tracker = track();
    tracker.trialEnded(trial.folder);
    await until(() => warnings.length > 0);
    await sleep(60);
    await server.start();
    await until(() => server.runs.some((run) => run.status === "FINISHED"));
    expect(await tracker.close(5_000)).toEqual({ pending: 0 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^The MLflow server cannot be reached; trials go on.*ECONNREFUSED/);
  });

  test("that answers 502 is told once, and the rest is sent by the next run of the study", async () => {
    const { server, runsFolder, track, warnings } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    server.fault = () => ({ status: 502 });
    const tracker = track();
    tracker.trialEnded(trial.folder);
    tracker.studyEnded([TABLE], "FINISHED");
    expect(await tracker.close(5_000)).toEqual({ pending: 2 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("502");

    server.fault = () => undefined;
    const next = track();
    next.trialFound(trial.folder);
    next.studyEnded([TABLE], "FINISHED");
    expect(await next.close(5_000)).toEqual({ pending: 0 });
    expect(server.runs.map(({ status }) => status)).toEqual(["FINISHED", "FINISHED"]);
  });

  test.each([
    ["a token", { MLFLOW_TRACKING_TOKEN: "very-secret-token" }, ""],
    ["a password", { MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "very-secret-word" }, ""],
    ["a password in the address", {}, "me:very-secret-word@"],
  ])("that does not accept %s is told once, without it", async (_, env, userInfo) => {
    const { server, runsFolder, track, warnings } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    server.fault = () => ({ status: 401, body: `no: ${JSON.stringify(env)} ${userInfo}` });
    const tracker = track({ uri: server.uri.replace("//", `//${userInfo}`), env });
    tracker.trialEnded(trial.folder);
    expect(await tracker.close(5_000)).toEqual({ pending: 1 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("does not accept the credentials");
    expect(warnings.join()).not.toContain("very-secret");

    server.fault = () => undefined;
    const next = track({ uri: server.uri.replace("//", `//${userInfo}`), env });
    next.trialFound(trial.folder);
    await next.close(5_000);
    const noted = readTracking<TrackingFile>(trial.folder, { trackingUri: server.uri, experiment: "one-protocol" });
    expect(noted).toMatchObject({ trackingUri: server.uri, ended: "FINISHED" });
  });

  test("that keeps no artifacts gets the rest, and the files stay pending", async () => {
    const { server, runsFolder, track, warnings } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    const disabled = { status: 503, body: '{"detail": "Artifact serving is disabled"}' };
    server.fault = (path) => (path.includes("mlflow-artifacts") ? disabled : undefined);
    const tracker = track();
    tracker.trialEnded(trial.folder);
    tracker.studyEnded([TABLE], "FINISHED");
    expect(await tracker.close(5_000)).toEqual({ pending: 2 });
    expect(server.runs.map(({ status }) => status)).toEqual(["FINISHED", "FINISHED"]);
    expect(pointNames(runNamed(server, "iemocap sdt seed 0"))).toContain("test/weighted-f1@3");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("refused something");
  });

  test("that always fails at one trial gets the others", async () => {
    const { server, runsFolder, track } = await prepare();
    const trials = [await finishedTrial(runsFolder, 0), await finishedTrial(runsFolder, 1)];
    let poisoned: string | undefined;
    server.fault = (path) => {
      poisoned ??= server.runs.find(({ name }) => name.endsWith("seed 0"))?.runId;
      return path.includes(`/${poisoned}/`) ? { status: 500 } : undefined;
    };
    const tracker = track();
    for (const trial of trials) {
      tracker.trialEnded(trial.folder);
    }
    await until(() => server.runs.some(({ name, status }) => name.endsWith("seed 1") && status === "FINISHED"));
    expect(await tracker.close(2_000)).toEqual({ pending: 1 });
  });

  test("that hangs does not hold up the end for longer than it may", async () => {
    const { runsFolder, track } = await prepare();
    const trial = await finishedTrial(runsFolder, 0);
    const hang: typeof fetch = (_, init) =>
      new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
    const tracker = track({ fetch: hang });
    tracker.trialEnded(trial.folder);
    const started = performance.now();
    expect(await tracker.close(100)).toEqual({ pending: 1 });
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("loses answers and breaks off at any request: still one run and each point once", async () => {
    const faults = fc.array(fc.constantFrom<Fault | "none">("none", "none", "refuse", "lost", "half"), {
      maxLength: 25,
    });
    const kill = fc.record({ epochs: fc.integer({ min: 1, max: 5 }), requests: fc.integer({ min: 0, max: 20 }) });
    const kills = fc.array(kill, { maxLength: 3 });
    const property = fc.asyncProperty(faults, kills, async (script, killed) => {
      const server = await startTrackingServer();
      const runsFolder = temporaryFolder();
      const queue = [...script];
      server.fault = () => {
        const next = queue.shift() ?? "none";
        return next === "none" ? undefined : next;
      };
      const tracker = () =>
        createTracker({
          uri: server.uri,
          experiment: "one-protocol",
          folder: experimentFolder(runsFolder, "one-protocol"),
          warn: () => {},
          env: {},
          timing: { interval: 0, pause: 1, retry: 1 },
        });
      try {
        const trial = await createTrial(runsFolder, trialSpec(0));
        for (const [index, { epochs, requests }] of [...killed, { epochs: 5, requests: 0 }].entries()) {
          const current = tracker();
          const requestsBefore = server.requests.length;
          trial.begin(index + 1, T0 + index * 10_000);
          for (let epoch = 1; epoch <= epochs; epoch++) {
            trial.epoch(epoch);
            current?.trialProgressed(trial.folder);
            await sleep(1);
          }
          if (index === killed.length) {
            await trial.finish(5);
            current?.trialEnded(trial.folder);
            await current?.close(1_000);
          } else {
            for (let wait = 0; wait < 30 && server.requests.length < requestsBefore + requests; wait++) {
              await sleep(1);
            }
            await current?.close(0);
          }
        }
        server.fault = () => undefined;
        const last = tracker();
        last?.trialFound(trial.folder);
        expect(await last?.close(5_000)).toEqual({ pending: 0 });
        const run = runNamed(server, "iemocap sdt seed 0");
        expect(pointNames(run).filter(isEpochPoint)).toEqual(epochPoints(5));
        expect(new Set(pointNames(run)).size).toBe(run.points.size);
        expect(run.status).toBe("FINISHED");
        expect(run.artifacts.size).toBe(3);
      } finally {
        await server.stop();
      }
    });
    await fc.assert(property, { numRuns: 25 });
  });
});

test("without an address nothing is tracked; one that cannot be used is told", () => {
  const warnings: string[] = [];
  const options = { experiment: "e", title: "t", folder: "f", env: {}, warn: (text: string) => warnings.push(text) };
  expect(createTracker({ ...options, uri: undefined })).toBeUndefined();
  expect(createTracker({ ...options, uri: "" })).toBeUndefined();
  expect(warnings).toEqual([]);
  expect(createTracker({ ...options, uri: "sqlite:///mlflow.db" })).toBeUndefined();
  expect(warnings).toEqual([expect.stringMatching(/^Nothing is sent to MLflow: .*http/)]);
});
