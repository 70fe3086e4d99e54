// A study run by the command, followed by a real MLflow server and read back with MLflow's own Python client. Needs an
// `mlflow` on PATH or in MERCLAB_MLFLOW; without one these tests are skipped.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type JournalRecord, readJournal, type TrialResult, type TrialSpec } from "@merclab/runner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findMlflow, type MlflowServer, startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";

const EXP = resolve(import.meta.dirname, "../packages/cli/bin/exp.mjs");
const STUDY = ["run", "sdt-vs-lmam", "encoder.dim=8", "encoder.numHeads=2", "trainer.epochs=2", "--seeds", "1"];

const READ_BACK = `
import json, sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name("sdt-vs-lmam")
runs = []
for run in client.search_runs([experiment.experiment_id]) if experiment else []:
    def paths(path=None):
        for item in client.list_artifacts(run.info.run_id, path):
            yield from paths(item.path) if item.is_dir else [item.path]
    runs.append({
        "id": run.info.run_id, "status": run.info.status, "params": run.data.params, "tags": run.data.tags,
        "points": [[m.key, m.step, m.value] for key in run.data.metrics
                   for m in client.get_metric_history(run.info.run_id, key)],
        "inputs": [i.dataset.name for i in run.inputs.dataset_inputs], "artifacts": sorted(paths()),
    })
print(json.dumps(runs))
`;

interface ReadRun {
  readonly id: string;
  readonly status: string;
  readonly params: Record<string, string>;
  readonly tags: Record<string, string>;
  readonly points: [key: string, step: number, value: number][];
  readonly inputs: string[];
  readonly artifacts: string[];
}

describe.skipIf(findMlflow() === undefined)("a study and a real MLflow server", () => {
  let server: MlflowServer;
  let root: string;
  let folder: string;

  beforeAll(async () => {
    server = await startMlflowServer();
    root = mkdtempSync(join(tmpdir(), "merclab-study-"));
    folder = join(root, "here"); // a level down: a folder "shared" beside it would be a data root
    mkdirSync(folder);
  }, 180_000);

  afterAll(async () => {
    await server?.stop();
    rmSync(root, { recursive: true, force: true });
  }, 60_000);

  /** Runs the command in an empty folder, so that the synthetic corpus is used; `kill` is called at the first sign of work. */
  function run(kill?: () => void): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(process.execPath, [EXP, ...STUDY], {
      cwd: folder,
      env: { ...process.env, MLFLOW_TRACKING_URI: server.uri, MERCLAB_DATA: "", NO_COLOR: "1" },
    });
    let stderr = "";
    let pending = kill;
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      if (stderr.includes("✓")) {
        pending?.();
        pending = undefined;
      }
    });
    return new Promise((done) => child.on("exit", (code) => done({ code, stderr })));
  }

  function readBack(): ReadRun[] {
    const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_TRACKING_URI: server.uri };
    const output = execFileSync(server.python, ["-c", READ_BACK, server.uri], { encoding: "utf8", env });
    return JSON.parse(output.slice(output.indexOf("["))) as ReadRun[];
  }

  it("loses no trial when the server dies in the middle, and sends the rest when the study is run again", async () => {
    let killed: Promise<void> | undefined;
    const first = await run(() => {
      killed = server.kill();
    });
    await killed;
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toMatch(/mlflow .*the same command or exp sync sends the rest/);
    const trials = readdirSync(join(folder, "runs/sdt-vs-lmam/trials"));
    expect(trials).toHaveLength(2);

    await server.restart();
    const second = await run();
    expect(second.code, second.stderr).toBe(0);
    expect(second.stderr).not.toContain("mlflow");

    const runs = readBack();
    const parent = runs.find(({ tags }) => tags["mlflow.parentRunId"] === undefined);
    expect(runs).toHaveLength(3);
    expect(parent?.status).toBe("FINISHED");
    expect(parent?.artifacts).toEqual(["csv", "json", "md"].map((format) => `tables/sdt-vs-lmam.${format}`));
    expect(parent?.tags["merclab.notices"]).toMatch(/SYNTHETIC DATA/);

    for (const id of trials) {
      const read = <T>(file: string) =>
        JSON.parse(readFileSync(join(folder, "runs/sdt-vs-lmam/trials", id, file), "utf8")) as T;
      const spec = read<TrialSpec>("trial.json");
      const result = read<TrialResult>("result.json");
      const child = runs.find(({ tags }) => tags["merclab.trial"] === id);
      expect(child?.status).toBe("FINISHED");
      expect(child?.tags).toMatchObject({ "mlflow.parentRunId": parent?.id, "merclab.data.source": "synthetic" });
      expect(child?.params).toMatchObject({ fusion: spec.config.fusion.name, "encoder.dim": "8", seed: "0" });
      expect(child?.inputs).toEqual(["synthetic"]);
      expect(child?.artifacts).toEqual(["environment.json", "predictions.csv", "result.json", "trial.json"]);

      const journal = readJournal(join(folder, "runs/sdt-vs-lmam/trials", id, "journal.jsonl"));
      const epochs = journal.filter((record): record is Extract<JournalRecord, { t: "m" }> => record.t === "m");
      const logged = epochs.flatMap(({ s, v }) => Object.entries(v).map(([key, value]) => [key, s, value]));
      expect(logged.length).toBeGreaterThan(10);
      expect(child?.points).toEqual(expect.arrayContaining(logged));
      expect(child?.points).toContainEqual([
        "test/weighted-f1",
        result.selection.epoch,
        result.test.validSelected.metrics["weighted-f1"],
      ]);
      const keys = child?.points.map(([key, step]) => `${key} ${step}`) ?? [];
      expect(new Set(keys).size, "each point once").toBe(keys.length);
    }
  }, 300_000);
});
