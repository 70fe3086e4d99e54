// Shipping a study to a real MLflow server, read back by MLflow's own Python client. Needs an `mlflow` on PATH or in
// MERCLAB_MLFLOW; without one the test is skipped.
import { execFileSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { findMlflow, startMlflowServer } from "../../mlflow-js-client/test/server.ts";
import { experimentFolder } from "../src/store/experiment-store.ts";
import { createTracker } from "../src/tracking/tracker.ts";
import { createTrial, FINGERPRINT, f1, loss, temporaryFolder, trialSpec, writeStudyFile } from "./tracking-study.ts";

const READ_BACK = `
import json, sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name(sys.argv[2])
runs = []
for run in client.search_runs([experiment.experiment_id]):
    run = client.get_run(run.info.run_id)
    def texts(path=None):
        for item in client.list_artifacts(run.info.run_id, path):
            if item.is_dir:
                yield from texts(item.path)
            else:
                with open(client.download_artifacts(run.info.run_id, item.path), encoding="utf8") as file:
                    yield item.path, file.read()
    runs.append({
        "id": run.info.run_id, "name": run.info.run_name, "status": run.info.status,
        "start": run.info.start_time, "end": run.info.end_time,
        "params": run.data.params, "tags": run.data.tags,
        "points": [[m.key, m.step, m.value, m.timestamp]
                   for key in run.data.metrics for m in client.get_metric_history(run.info.run_id, key)],
        "inputs": [[i.dataset.name, i.dataset.digest, mlflow.data.get_source(i.dataset).to_dict()]
                   for i in run.inputs.dataset_inputs],
        "artifacts": dict(texts()),
    })
print(json.dumps(runs))
`;

interface ReadRun {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly start: number;
  readonly end: number;
  readonly params: Record<string, string>;
  readonly tags: Record<string, string>;
  readonly points: readonly [key: string, step: number, value: number, timestamp: number][];
  readonly inputs: readonly [name: string, digest: string, source: object][];
  readonly artifacts: Record<string, string>;
}

const T0 = 1_700_000_000_000;
const EXPERIMENT = "one-protocol";

test.skipIf(findMlflow() === undefined)(
  "Python finds the whole study, after a killed trial and a killed server",
  { timeout: 300_000 },
  async () => {
    const server = await startMlflowServer();
    onTestFinished(() => server.stop());
    const runsFolder = temporaryFolder();
    await writeStudyFile(runsFolder);
    const warnings: string[] = [];
    const track = () =>
      createTracker({
        uri: server.uri,
        experiment: EXPERIMENT,
        folder: experimentFolder(runsFolder, EXPERIMENT),
        warn: (message) => warnings.push(message),
        env: {},
        timing: { interval: 50, pause: 200 },
      });

    // Seed 0 is killed in epoch 2 of its first attempt, and the process with it.
    const first = await createTrial(runsFolder, trialSpec(0));
    first.begin(1, T0);
    first.epoch(1);
    first.epoch(2);
    const before = track();
    before?.trialStarted(first.folder);
    expect(await before?.close(60_000)).toEqual({ pending: 0 });

    // The second process: seed 0 starts over, the server dies and comes back, seed 1 follows.
    const tracker = track();
    tracker?.trialStarted(first.folder);
    first.begin(2, T0 + 60_000);
    for (const epoch of [1, 2, 3]) {
      first.epoch(epoch);
    }
    tracker?.trialProgressed(first.folder);
    await server.kill();
    await first.finish(3);
    tracker?.trialEnded(first.folder);
    const second = await createTrial(runsFolder, trialSpec(1));
    tracker?.trialStarted(second.folder);
    second.begin(1, T0 + 120_000);
    second.epoch(1);
    tracker?.trialProgressed(second.folder);
    await expect.poll(() => warnings.length, { timeout: 30_000 }).toBe(1);
    await server.restart();
    second.epoch(2);
    await second.finish(2);
    tracker?.trialEnded(second.folder);
    tracker?.studyEnded([{ name: "main", markdown: "| ä |\n", csv: "a\n", json: "{}\n" }], "FINISHED");
    expect(await tracker?.close(60_000)).toEqual({ pending: 0 });
    expect(warnings).toHaveLength(1);

    const runs = readBack(server.python, server.uri);
    expect(runs.map(({ name }) => name).sort()).toEqual([
      "SDT, one protocol",
      "iemocap sdt seed 0",
      "iemocap sdt seed 1",
    ]);
    const named = (name: string) => runs.find((run) => run.name === name);

    const parent = named("SDT, one protocol");
    expect(parent?.status).toBe("FINISHED");
    expect(parent?.tags).toMatchObject({ "merclab.experiment": EXPERIMENT, "mlflow.source.git.commit": "abc" });
    expect(parent?.artifacts).toEqual({
      "tables/main.md": "| ä |\n",
      "tables/main.csv": "a\n",
      "tables/main.json": "{}\n",
    });
    const spread = parent?.points.map(([key, step, value]) => [key, step, value]);
    expect(spread).toContainEqual(["iemocap/sdt/test/weighted-f1/mean", 2, 0.55]);
    expect(spread).toContainEqual(["iemocap/sdt/test/weighted-f1/std", 2, expect.closeTo(Math.sqrt(0.005), 12)]);
    expect(spread).toHaveLength(9);

    const resumed = named("iemocap sdt seed 0");
    expect(resumed).toMatchObject({ status: "FINISHED", start: T0, end: T0 + 60_500 });
    expect(resumed?.tags).toMatchObject({
      "mlflow.parentRunId": parent?.id,
      "exp.attempt": "2",
      "merclab.dataset": "iemocap",
      "merclab.data.source": "synthetic",
      "merclab.data.fingerprint": FINGERPRINT,
      "merclab.protocol": "valid-selected weighted-f1",
      "merclab.engine": "eager",
      "merclab.experiment": EXPERIMENT,
      "merclab.trial": "trial-0",
    });
    expect(resumed?.params).toEqual({
      dataset: "iemocap",
      "dataset.validation": "0.1",
      encoder: "transformer",
      "encoder.dim": "8",
      "encoder.dropout.text": "0.5",
      "encoder.dropout.audio": "null",
      fusion: "sdt",
      "fusion.modalities": '["text","audio"]',
      objective: "cross-entropy",
      balancer: "none",
      optimizer: "adam",
      "optimizer.learningRate": "0.0001",
      trainer: "standard",
      "trainer.epochs": "3",
      "trainer.selectBy": "weighted-f1",
      engine: "eager",
      seed: "0",
    });
    expect(resumed?.inputs).toEqual([["iemocap", FINGERPRINT.slice(0, 36), { uri: "/data/iemocap" }]]);
    expect(Object.keys(resumed?.artifacts ?? {}).sort()).toEqual(["predictions.csv", "result.json", "trial.json"]);
    expect(resumed?.artifacts["predictions.csv"]).toBe("utterance,label,prediction\nä,0,1\n");
    expect(JSON.parse(resumed?.artifacts["trial.json"] ?? "")).toEqual(first.spec);
    // Epochs 1 and 2 of the first attempt, 3 of the second, then the numbers of the result.
    const end = T0 + 60_500;
    const times = [T0 + 1, T0 + 2, T0 + 60_003];
    expect(sorted(resumed?.points)).toEqual(
      sorted([
        ...times.flatMap((time, index): ReadRun["points"] => [
          ["train/loss", index + 1, loss(0, index + 1), time],
          ["valid/weighted-f1", index + 1, f1(0, index + 1), time],
        ]),
        ["best/epoch", 3, 3, end],
        ["best/valid/weighted-f1", 3, f1(0, 3), end],
        ["test/weighted-f1", 3, 0.5, end],
        ["test/ece", 3, 0.25, end],
        ["max-test/epoch", 1, 1, end],
        ["max-test/weighted-f1", 1, 0.75, end],
        ["max-test/ece", 1, 0.25, end],
        ["seconds", 3, 12, end],
        ["parameters/total", 0, 1000, end],
        ["parameters/trainable", 0, 900, end],
      ]),
    );
    expect(named("iemocap sdt seed 1")).toMatchObject({ status: "FINISHED", start: T0 + 120_000, end: T0 + 120_500 });
    expect(named("iemocap sdt seed 1")?.points).toHaveLength(14);
  },
);

function readBack(python: string, uri: string): ReadRun[] {
  const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_TRACKING_URI: uri };
  const output = execFileSync(python, ["-c", READ_BACK, uri, EXPERIMENT], { encoding: "utf8", env });
  return JSON.parse(output.slice(output.indexOf("["))) as ReadRun[];
}

function sorted(points: ReadRun["points"] = []): string[] {
  return points.map((point) => JSON.stringify(point)).sort();
}
