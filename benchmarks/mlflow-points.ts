// Metric points per second into a local MLflow server (SQLite), by our client and by Python's, in turns: A B, B A, ...
// node --import tsx benchmarks/mlflow-points.ts [points] [rounds]; MERCLAB_MLFLOW names the server's executable.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MlflowClient } from "../packages/mlflow-js-client/src/index.ts";
import { startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";

const points = positive("points", process.argv[2] ?? "20000");
const rounds = positive("rounds", process.argv[3] ?? "5");

const server = await startMlflowServer();
try {
  const client = new MlflowClient({ trackingUri: server.uri, env: {} });
  const experiment = await client.createExperiment("points");
  const python = await startPython(server.python, server.uri);
  const sides = { ours: () => ours(client, experiment), python: () => python.measure(experiment) };
  const seconds: { ours: number[]; python: number[] } = { ours: [], python: [] };
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? (["ours", "python"] as const) : (["python", "ours"] as const);
    for (const side of order) {
      const taken = await sides[side]();
      if (round > 0) seconds[side].push(taken); // the first round warms both sides up
    }
  }
  python.stop();
  const rate = { ours: points / median(seconds.ours), python: points / median(seconds.python) };
  console.log(
    `mlflow ${server.version}, SQLite, ${points} points a run in batches of 1000, median of ${rounds} rounds`,
  );
  console.log(`mlflow-js-client ${rate.ours.toFixed(0)} points/s, Python's client ${rate.python.toFixed(0)} points/s`);
  console.log(`ours / Python's = ${(rate.ours / rate.python).toFixed(2)} (higher is faster)`);
} finally {
  await server.stop();
}

/** Seconds for one run; every point must have arrived. */
async function ours(client: MlflowClient, experiment: string): Promise<number> {
  const { info } = await client.createRun(experiment);
  const started = performance.now();
  const metrics = Array.from({ length: points }, (_, step) => ({
    key: "loss",
    value: 1 / (step + 1),
    timestamp: 1000 + step,
    step,
  }));
  await client.logBatch(info.runId, { metrics });
  const seconds = (performance.now() - started) / 1000;
  await checkStored(client, info.runId);
  return seconds;
}

async function checkStored(client: MlflowClient, runId: string): Promise<void> {
  let stored = 0;
  for await (const _ of client.getMetricHistory(runId, "loss")) stored++;
  if (stored !== points) throw new Error(`run ${runId}: expected ${points} points on the server, found ${stored}`);
}

async function startPython(executable: string, uri: string) {
  const script = fileURLToPath(new URL("mlflow-points.py", import.meta.url));
  const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true" };
  const child = spawn(executable, [script, uri], { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<{ seconds: number; run: string }> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("mlflow-points.py ended early; its error is above");
    return JSON.parse(value);
  };
  await answer();
  const client = new MlflowClient({ trackingUri: uri, env: {} });
  return {
    measure: async (experiment: string) => {
      child.stdin.write(`${JSON.stringify({ experiment, points })}\n`);
      const { seconds, run } = await answer();
      await checkStored(client, run);
      return seconds;
    },
    stop: () => child.stdin.end(),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [upper = Number.NaN, lower = upper] = [sorted[middle], sorted[middle - 1]];
  return sorted.length % 2 === 1 ? upper : (upper + lower) / 2;
}

function positive(what: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`mlflow-points: ${what} must be a positive integer, got ${text}`);
}
