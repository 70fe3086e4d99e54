// What tracking costs and how fast it is, with a local MLflow server (SQLite): metric points per second from journals to
// the server by `exp sync`'s shipper beside Python's client, and the CPU time that tracking takes of a study.
// node --import tsx benchmarks/mlflow-shipper.ts points [runs] [epochs] [rounds] | cost [seconds]; MERCLAB_MLFLOW names the server's executable.
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createSyncer,
  createTracker,
  type JournalRecord,
  startSampling,
  type TrialSpec,
  type TrialStatus,
  writeJson,
} from "@merclab/runner";
import { MlflowClient } from "../packages/mlflow-js-client/src/index.ts";
import { type MlflowServer, startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";

const METRICS = 20;

/** The same runs by Python's client, in batches of 1000. */
const PYTHON = `
import sys, time
from mlflow import MlflowClient
from mlflow.entities import Metric
uri, name, runs, epochs, metrics = sys.argv[1:3] + list(map(int, sys.argv[3:]))
client = MlflowClient(uri)
experiment = client.create_experiment(name)
client.search_experiments()
started = time.perf_counter()
for _ in range(runs):
    run = client.create_run(experiment).info.run_id
    points = [Metric(f"valid/metric-{i}", 1 / (epoch + i + 1), 1700000000000 + epoch, epoch + 1)
              for epoch in range(epochs) for i in range(metrics)]
    for first in range(0, len(points), 1000):
        client.log_batch(run, points[first:first + 1000])
    client.set_terminated(run)
print(time.perf_counter() - started)
`;

const [what = "points", ...numbers] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "mlflow-shipper-"));
try {
  if (what === "points") {
    await measurePoints(count(numbers[0], 4), count(numbers[1], 250), count(numbers[2], 3));
  } else if (what === "cost") {
    await measureCost(count(numbers[0], 30));
  } else {
    throw new Error(`mlflow-shipper: measure points or cost, not ${what}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Everything of the runs counts: finding, describing and ending them, and reading the journals. In turns, by rounds. */
async function measurePoints(runs: number, epochs: number, rounds: number): Promise<void> {
  const server = await startMlflowServer();
  const points = runs * epochs * METRICS;
  const cpu: number[] = [];
  const sides = {
    "exp sync": async (round: number) => {
      await writeRuns(`points-${round}`, runs, epochs);
      const { seconds, cpuSeconds, sent } = await ship(server, `points-${round}`);
      cpu.push(cpuSeconds);
      if (sent !== points) {
        throw new Error(`expected ${points} points to be sent, not ${sent}`);
      }
      return seconds;
    },
    "Python's client, batches of 1000": (round: number) => pythonSeconds(server, `python-${round}`, runs, epochs),
    "the server alone, requests encoded before": (round: number) =>
      serverSeconds(server, `limit-${round}`, runs, epochs),
  };
  const times = new Map<string, number[]>(Object.keys(sides).map((side) => [side, []]));
  try {
    for (let round = 0; round <= rounds; round++) {
      const turns = Object.entries(sides);
      for (const [side, measure] of round % 2 === 0 ? turns : turns.toReversed()) {
        const seconds = await measure(round);
        if (round > 0) {
          times.get(side)?.push(seconds); // the first round warms up
        }
      }
    }
  } finally {
    await server.stop();
  }
  console.log(
    `mlflow ${server.version}, SQLite; ${runs} runs of ${epochs} epochs of ${METRICS} metrics: ${points} points`,
  );
  for (const [side, each] of times) {
    const rates = each.map((seconds) => Math.round(points / seconds));
    const all = rates.map((rate) => rate.toLocaleString("en-US")).join(" ");
    console.log(`${side}: ${Math.round(median(rates)).toLocaleString("en-US")} points/s, median of ${all}`);
  }
  const own = Math.round(points / median(cpu.slice(1))).toLocaleString("en-US");
  console.log(`the shipper's own work: ${own} points per second of its CPU time; the rest is the server's`);
}

async function ship(
  { uri }: MlflowServer,
  experiment: string,
): Promise<{ seconds: number; cpuSeconds: number; sent: number }> {
  const syncer = createSyncer({
    runsFolder: folder,
    uri,
    tables: async () => [],
    signal: new AbortController().signal,
    env: {},
  });
  const [started, before] = [performance.now(), process.cpuUsage()];
  const { points, rejected } = await syncer.pass(experiment);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  if (rejected > 0) {
    throw new Error(`${rejected} records were rejected`);
  }
  const { differences } = await syncer.verify(experiment);
  if (differences.length > 0) {
    throw new Error(`${differences.length} metrics differ on the server`);
  }
  return { seconds, cpuSeconds: (user + system) / 1e6, sent: points };
}

/** Trials that were cancelled after so many epochs, as workers write them. */
async function writeRuns(experiment: string, runs: number, epochs: number): Promise<void> {
  const part = (name: string) => ({ name, options: {} });
  for (let run = 0; run < runs; run++) {
    const at = join(folder, experiment, "trials", `trial-${run}`);
    mkdirSync(at, { recursive: true });
    const spec: TrialSpec = {
      schema: 1,
      id: `trial-${run}`,
      experiment,
      title: experiment,
      cell: {},
      config: {
        dataset: part("made-up"),
        encoder: part("linear"),
        fusion: part("concat"),
        objective: part("cross-entropy"),
        balancer: part("none"),
        optimizer: part("adam"),
        trainer: part("standard"),
        engine: part("onnx"),
      },
      seed: run,
      data: { fingerprint: "0".repeat(16), source: "synthetic" },
      parameters: { total: 1, trainable: 1 },
    };
    const startedAt = new Date().toISOString();
    const status: TrialStatus = { state: "cancelled", attempt: 1, pid: 1, startedAt, endedAt: startedAt };
    await writeJson(join(at, "trial.json"), spec);
    await writeJson(join(at, "status.json"), status);
    const ts = Date.now();
    const records: JournalRecord[] = [
      { t: "open", format: 1, runKey: spec.id, attempt: 1, ts },
      ...Array.from({ length: epochs }, (_, epoch) => epochRecord(epoch + 1, ts + epoch)),
    ];
    writeFileSync(join(at, "journal.jsonl"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  }
}

function epochRecord(epoch: number, ts: number): JournalRecord {
  const values = Array.from({ length: METRICS }, (_, i) => [`valid/metric-${i}`, 1 / (epoch + i)]);
  return { t: "m", s: epoch, ts, v: Object.fromEntries(values) };
}

/** The same points as requests that lie ready: what the server itself needs. */
async function serverSeconds({ uri }: MlflowServer, name: string, runs: number, epochs: number): Promise<number> {
  const client = new MlflowClient({ trackingUri: uri, env: {} });
  const experiment = await client.createExperiment(name);
  const bodies: string[] = [];
  for (let run = 0; run < runs; run++) {
    const { info } = await client.createRun(experiment);
    const points = Array.from({ length: epochs * METRICS }, (_, i) => ({
      key: `valid/metric-${i % METRICS}`,
      value: 1 / (i + 1),
      timestamp: 1_700_000_000_000 + i,
      step: Math.floor(i / METRICS) + 1,
    }));
    for (let first = 0; first < points.length; first += 1000) {
      bodies.push(JSON.stringify({ run_id: info.runId, metrics: points.slice(first, first + 1000) }));
    }
  }
  const started = performance.now();
  for (const body of bodies) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${uri}/api/2.0/mlflow/runs/log-batch`, { method: "POST", headers, body });
    if (!answer.ok) {
      throw new Error(`log-batch: ${answer.status} ${await answer.text()}`);
    }
    await answer.arrayBuffer();
  }
  return (performance.now() - started) / 1000;
}

/** The same points by Python's client, one run after another. */
async function pythonSeconds(
  { python, uri }: MlflowServer,
  name: string,
  runs: number,
  epochs: number,
): Promise<number> {
  const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true" };
  const args = ["-c", PYTHON, uri, name, String(runs), String(epochs), String(METRICS)];
  return Number((await output(python, args, env)).trim().split("\n").at(-1));
}

/**
 * CPU time that tracking takes of a study, whose workers are other processes: of the runner, per second that a trial
 * trains with an epoch in each of them, and of a sample of system metrics. Unlike wall time it says the same on a machine
 * that has other work.
 */
async function measureCost(seconds: number): Promise<void> {
  const server = await startMlflowServer();
  try {
    const idle = await cpuOfStudy("idle", seconds, undefined);
    for (const [name, uri] of Object.entries({ "with a server": server.uri, "server down": "http://127.0.0.1:9" })) {
      const cpu = (await cpuOfStudy(name.replaceAll(" ", "-"), seconds, uri)) - idle;
      const share = (cpu / 10 / seconds).toFixed(3);
      console.log(`${name}: ${cpu.toFixed(0)} ms of CPU in ${seconds} s of training, ${share} % of one core`);
    }
  } finally {
    await server.stop();
  }
  const samples = 200;
  const end = startSampling(join(folder, "system.jsonl"), { seconds: 0.02 });
  const before = process.cpuUsage();
  await sleep(samples * 20);
  const { user, system } = process.cpuUsage(before);
  await end();
  const taken = readFileSync(join(folder, "system.jsonl"), "utf8").split("\n").length - 1;
  const each = (user + system) / 1000 / taken;
  console.log(
    `a sample of system metrics: ${each.toFixed(2)} ms of CPU, ${(each / 100).toFixed(4)} % of one core at 10 s`,
  );
}

/** CPU milliseconds of this process while a trial is journalled, one epoch a second, and shipped. */
async function cpuOfStudy(experiment: string, seconds: number, uri: string | undefined): Promise<number> {
  await writeRuns(experiment, 1, 0);
  const trial = join(folder, experiment, "trials", "trial-0");
  const tracker = createTracker({
    uri,
    experiment,
    folder: join(folder, experiment),
    warn: () => undefined,
    env: {},
  });
  tracker?.trialStarted(trial);
  await sleep(1_000); // loading, and finding the run, is paid once
  const before = process.cpuUsage();
  for (let epoch = 1; epoch <= seconds; epoch++) {
    appendFileSync(join(trial, "journal.jsonl"), `${JSON.stringify(epochRecord(epoch, Date.now()))}\n`);
    tracker?.trialProgressed(trial);
    await sleep(1_000);
  }
  const { user, system } = process.cpuUsage(before);
  await tracker?.close(0);
  return (user + system) / 1000;
}

function output(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = folder): Promise<string> {
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const text = { out: "", error: "" };
  child.stdout.on("data", (part: Buffer) => {
    text.out += part.toString();
  });
  child.stderr.on("data", (part: Buffer) => {
    text.error += part.toString();
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) =>
      code === 0 ? done(text.out) : fail(new Error(`${command} ${args[0]}: ${text.error}`)),
    );
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [upper = Number.NaN, lower = upper] = [sorted[middle], sorted[middle - 1]];
  return sorted.length % 2 === 1 ? upper : (upper + lower) / 2;
}

function count(text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(number) && number > 0) {
    return number;
  }
  throw new Error(`mlflow-shipper: expected a positive integer, got ${text}`);
}
