// What tracking costs and how fast it is, with a local MLflow server (SQLite): metric points per second from journals to
// the server by `exp sync`'s shipper beside Python's client, and a study's time with and without tracking.
// node --import tsx benchmarks/mlflow-shipper.ts points [runs] [epochs] [rounds] | study [rounds]; MERCLAB_MLFLOW names the server's executable.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createSyncer, type JournalRecord, type TrialSpec, type TrialStatus, writeJson } from "@merclab/runner";
import { MlflowClient } from "../packages/mlflow-js-client/src/index.ts";
import { findMlflow, type MlflowServer, startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";

const EXP = resolve(import.meta.dirname, "../packages/cli/bin/exp.mjs");
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
  } else if (what === "study") {
    await measureStudy(count(numbers[0], 5));
  } else {
    throw new Error(`mlflow-shipper: measure points or study, not ${what}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Everything of the runs counts: finding, describing and ending them, and reading the journals. In turns, by rounds. */
async function measurePoints(runs: number, epochs: number, rounds: number): Promise<void> {
  const server = await startMlflowServer();
  const points = runs * epochs * METRICS;
  const sides = {
    "exp sync": async (round: number) => {
      await writeRuns(`points-${round}`, runs, epochs);
      const { seconds, sent } = await ship(server, `points-${round}`);
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
}

async function ship({ uri }: MlflowServer, experiment: string): Promise<{ seconds: number; sent: number }> {
  const syncer = createSyncer({
    runsFolder: folder,
    uri,
    tables: async () => [],
    signal: new AbortController().signal,
    env: {},
  });
  const started = performance.now();
  const { points, rejected } = await syncer.pass(experiment);
  const seconds = (performance.now() - started) / 1000;
  if (rejected > 0) {
    throw new Error(`${rejected} records were rejected`);
  }
  const { differences } = await syncer.verify(experiment);
  if (differences.length > 0) {
    throw new Error(`${differences.length} metrics differ on the server`);
  }
  return { seconds, sent: points };
}

/** Trials that were cancelled after so many epochs, as workers write them. */
async function writeRuns(experiment: string, runs: number, epochs: number): Promise<void> {
  const part = (name: string) => ({ name, options: {} });
  const names = Array.from({ length: METRICS }, (_, i) => `valid/metric-${i}`);
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
      ...Array.from({ length: epochs }, (_, epoch): JournalRecord => {
        const v = Object.fromEntries(names.map((name, i) => [name, 1 / (epoch + i + 1)]));
        return { t: "m", s: epoch + 1, ts: ts + epoch, v };
      }),
    ];
    writeFileSync(join(at, "journal.jsonl"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  }
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

/** Wall time of the same small study: untracked, with a server, with one that is down; in turns. */
async function measureStudy(rounds: number): Promise<void> {
  if (findMlflow() === undefined) {
    throw new Error("mlflow-shipper: no mlflow; set MERCLAB_MLFLOW or put it on PATH");
  }
  const server = await startMlflowServer();
  const sides = { untracked: "", tracked: server.uri, "server down": "http://127.0.0.1:9" };
  const times = new Map<string, number[]>(Object.keys(sides).map((side) => [side, []]));
  const systemOff = "untracked, no system metrics";
  times.set(systemOff, []);
  try {
    for (let round = 0; round <= rounds; round++) {
      const turns = [...Object.entries(sides), [systemOff, ""] as const];
      for (const [side, uri] of round % 2 === 0 ? turns : turns.toReversed()) {
        const at = join(folder, `${round}-${side.replaceAll(" ", "-")}`, "here");
        mkdirSync(at, { recursive: true });
        const seconds = await trainingSeconds(at, uri, side === systemOff);
        if (round > 0) {
          times.get(side)?.push(seconds); // the first round warms up
        }
      }
    }
  } finally {
    await server.stop();
  }
  const base = median(times.get("untracked") ?? []);
  for (const [side, each] of times) {
    const middle = median(each);
    const share = (100 * (middle / base - 1)).toFixed(2);
    const all = each.map((seconds) => seconds.toFixed(2)).join(" ");
    console.log(`${side}: ${middle.toFixed(2)} s of training, ${share} % beside untracked (${all})`);
  }
}

/** Seconds that the trials say they trained, which is what tracking could disturb; waiting at the end is not in it. */
async function trainingSeconds(at: string, uri: string, systemOff: boolean): Promise<number> {
  const env = {
    ...process.env,
    MERCLAB_DATA: "",
    MLFLOW_TRACKING_URI: uri,
    ...(systemOff && { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "false" }),
  };
  const study = ["run", "sdt-vs-lmam", "trainer.epochs=12", "--seeds", "1", "--jobs", "1", "--threads", "1", "--json"];
  await output(process.execPath, [EXP, ...study], env, at);
  const runs = await output(process.execPath, [EXP, "ls", "runs", "--json"], env, at);
  let seconds = 0;
  for (const { run } of JSON.parse(runs) as { run: string }[]) {
    const shown = await output(process.execPath, [EXP, "show", run, "--json"], env, at);
    seconds += (JSON.parse(shown) as { result: { seconds: number } }).result.seconds;
  }
  return seconds;
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
