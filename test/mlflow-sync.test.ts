// `exp sync`, `exp export` and `exp ui` with a real MLflow, read back by its own Python client; numbers are those of the
// conformance cases. Needs an `mlflow` on PATH or in MERCLAB_MLFLOW; without one these tests are skipped.
import { execFile } from "node:child_process";
import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { MlflowClient } from "../packages/mlflow-js-client/src/index.ts";
import { type FaultyProxy, startFaultyProxy } from "../packages/mlflow-js-client/test/faulty-proxy.ts";
import { findMlflow, type MlflowServer, startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";
import { createWorkplace, STUDY, trialsOf, until, type Workplace } from "./support/cli.ts";

const READ = `
import json, sys, mlflow
def read(uri, names):
    client = mlflow.MlflowClient(uri)
    found = {}
    for name in names:
        experiment = client.get_experiment_by_name(name)
        found[name] = runs = []
        for run in client.search_runs([experiment.experiment_id]):
            def paths(path=None):
                for item in client.list_artifacts(run.info.run_id, path):
                    yield from paths(item.path) if item.is_dir else [item.path]
            points = [[m.key, m.step, m.value, m.timestamp] for key in run.data.metrics
                      for m in client.get_metric_history(run.info.run_id, key)]
            runs.append({
                "id": run.info.run_id, "name": run.info.run_name, "status": run.info.status,
                "times": [run.info.start_time, run.info.end_time],
                "params": run.data.params, "tags": run.data.tags, "points": sorted(points),
                "inputs": [[i.dataset.name, i.dataset.digest, i.dataset.source, i.dataset.profile,
                            sorted([t.key, t.value] for t in i.tags)] for i in run.inputs.dataset_inputs],
                "artifacts": sorted(paths()),
            })
        runs.sort(key=lambda run: run["name"])
    return found
print("READ", json.dumps([read(uri, sys.argv[2:]) for uri in sys.argv[1].split(",")]))
`;

/** A launcher of the shell. */
const IN_BACKGROUND = [
  "launcher.submit='sh {script} > {log} 2>&1 < /dev/null & echo $!'",
  "launcher.poll='for job in {jobs}; do kill -0 $job 2> /dev/null && echo $job; done; true'",
];

interface ReadRun {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly times: readonly (number | null)[];
  readonly params: Record<string, string>;
  readonly tags: Record<string, string>;
  readonly points: readonly (readonly [key: string, step: number, value: number, timestamp: number])[];
  readonly inputs: readonly unknown[];
  readonly artifacts: readonly string[];
}

type Read = Readonly<Record<string, readonly ReadRun[]>>;

describe.skipIf(findMlflow() === undefined)("stored studies and a real MLflow", () => {
  let server: MlflowServer;
  let place: Workplace;
  const exp = (...args: string[]) => place.expWith({}, ...args);
  const runsOf = (name: string) => join(place.folder, "runs", name);

  beforeAll(async () => {
    place = createWorkplace();
    place.write({ "experiments/online.yaml": STUDY });
    const offline = place.expWith({ MLFLOW_TRACKING_URI: "http://127.0.0.1:9" }, "run", "tiny");
    server = await startMlflowServer();
    const { code, stderr } = await offline;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/mlflow.*cannot be reached; trials go on/);
    expect(stderr).toMatch(/5 runs are not completely sent; the same command or exp sync sends the rest/);
    // What lies in a copy is another experiment of the same trials.
    for (const name of ["killed", "torn", "poisoned"]) {
      cpSync(runsOf("tiny"), runsOf(name), { recursive: true });
    }
  }, 180_000);

  afterAll(async () => {
    await server?.stop();
    place?.remove();
  }, 60_000);

  async function read(uris: readonly string[], ...experiments: string[]): Promise<Read[]> {
    const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_ALLOW_FILE_STORE: "true" };
    const args = ["-c", READ, uris.join(","), ...experiments];
    const { stdout } = await promisify(execFile)(server.python, args, { env, maxBuffer: 1e8, cwd: place.folder });
    return JSON.parse(stdout.slice(stdout.indexOf("READ") + 4)) as Read[];
  }

  it("45 a study trained without a server is the same after exp sync as one that was shipped while it ran", async () => {
    const online = await place.expWith({ MLFLOW_TRACKING_URI: server.uri }, "run", "online");
    expect(online.code, online.stderr).toBe(0);
    expect(online.stderr).not.toContain("mlflow");
    const sync = await exp("sync", "tiny", "--to", server.uri, "--verify", "--json");
    expect(sync.code, sync.stderr).toBe(0);
    expect(JSON.parse(sync.stdout)).toMatchObject({
      studies: [{ experiment: "tiny", runs: 5, planned: 0, rejected: 0, refused: [], ended: "FINISHED" }],
      verified: [{ differences: [] }],
    });
    const [found] = await read([server.uri], "tiny", "online");
    const normal = (runs: readonly ReadRun[] = []) =>
      JSON.parse(
        JSON.stringify(
          runs.map(({ id: _, times, tags, points, ...run }) => ({
            ...run,
            hasTimes: times.every((time) => Number(time) > 1.7e12),
            tags: { ...tags, "mlflow.parentRunId": "mlflow.parentRunId" in tags, "exp.run_key": "a key" },
            // Times differ between two trainings, and so do seconds, loads and how many samples fit into them.
            points: points
              .filter(([key]) => !key.endsWith("seconds") && !key.startsWith("system/"))
              .map(([key, step, value]) => [key, step, value]),
          })),
        ).replaceAll("online", "tiny"),
      ) as unknown;
    expect(found?.tiny).toHaveLength(5);
    expect(normal(found?.tiny)).toEqual(normal(found?.online));

    const children = found?.tiny?.filter(({ tags }) => "mlflow.parentRunId" in tags) ?? [];
    for (const { tags, points, inputs, artifacts } of children) {
      expect(Object.keys(tags)).toEqual(
        expect.arrayContaining(["mlflow.user", "merclab.machine.cpu", "merclab.threads", "merclab.versions.node"]),
      );
      expect(inputs).toHaveLength(1);
      expect(artifacts).toEqual(["environment.json", "predictions.csv", "result.json", "trial.json"]);
      expect(points.map(([key]) => key)).toContain("system/cpu_utilization_percentage");
      const names = points.map(([key, step]) => `${key} ${step}`);
      expect(new Set(names).size, "each point once").toBe(names.length);
    }
    const parent = found?.tiny?.find(({ tags }) => !("mlflow.parentRunId" in tags));
    expect(parent?.points.map(([key]) => key)).toEqual(
      expect.arrayContaining(["folder/sdt/test/weighted-f1/mean", "folder/sdt/test/weighted-f1/std"]),
    );
    expect(parent?.tags["merclab.command"]).toBe("exp run tiny");
  }, 120_000);

  it("46 48 exp sync killed twenty times at random requests, and a torn last line: equal all the same", async () => {
    let countdown = 0;
    let kill = () => {};
    const proxy: FaultyProxy = await startFaultyProxy(server.uri, (index) => {
      if (countdown-- === 0) {
        kill();
      }
      return index % 7 === 3 ? "after" : "none"; // some answers are lost besides
    });
    onTestFinished(() => proxy.close());
    for (let round = 0; round < 20; round++) {
      countdown = Math.floor(8 * Math.random());
      const { child, ended } = place.start("sync", "killed", "--to", proxy.uri);
      kill = () => child.kill("SIGKILL");
      const { code } = await ended;
      expect(["SIGKILL", 0]).toContain(code); // 0: all was there before the countdown had ended
    }
    const { child, ended } = place.start("sync", "killed", "--to", proxy.uri);
    kill = () => undefined;
    expect((await ended).code, String(child.exitCode)).toBe(0);

    const [torn = ""] = trialsOf(place.folder, "torn").map(({ id }) => id);
    appendFileSync(join(runsOf("torn"), "trials", torn, "journal.jsonl"), '{"t":"m","s":99,"ts":1,"v":{"tra');
    // Two at once, beside each other.
    const twice = await Promise.all([0, 1].map(() => exp("sync", "torn", "--to", server.uri)));
    expect(twice.map(({ code }) => code)).toEqual([0, 0]);

    const [found] = await read([server.uri], "tiny", "killed", "torn");
    const normal = (runs: readonly ReadRun[] = []) =>
      runs.map(({ id: _, tags, artifacts, ...run }) => ({
        ...run,
        tags: {
          ...tags,
          "mlflow.parentRunId": "mlflow.parentRunId" in tags,
          "exp.run_key": "a key",
          "merclab.experiment": "one",
        },
        artifacts: artifacts.map((path) => path.replace(/(tables)\/.*\./, "$1/name.")),
      }));
    expect(normal(found?.killed)).toEqual(normal(found?.tiny));
    expect(normal(found?.torn)).toEqual(normal(found?.tiny));
  }, 240_000);

  it("47 a poisoned record is set aside with the reason, and the rest arrives", async () => {
    const [id = ""] = trialsOf(place.folder, "poisoned").map((trial) => trial.id);
    const folder = join(runsOf("poisoned"), "trials", id);
    const journal = join(folder, "journal.jsonl");
    const [open = "", ...rest] = readFileSync(journal, "utf8").split("\n");
    const bad = '{"t":"m","s":1.5,"ts":1700000000000,"v":{"train/total":1}}\nnonsense';
    writeFileSync(journal, [open, bad, ...rest].join("\n"));
    const first = await exp("sync", "poisoned", "--to", server.uri, "--verify");
    expect(first.code, first.stderr).toBe(3);
    expect(first.stdout).toMatch(/poisoned .* 2 rejected +FINISHED/);
    // A param that the server holds with another value: it answers 400 to the whole batch.
    const client = new MlflowClient({ trackingUri: server.uri, env: {} });
    const experiment = await client.getExperimentByName("poisoned");
    const filter = `tags.\`merclab.trial\` = '${id}'`;
    const [tracking = ""] = readdirSync(join(folder, "tracking"));
    const { runId } = JSON.parse(readFileSync(join(folder, "tracking", tracking), "utf8")) as { runId: string };
    const spec = join(folder, "trial.json");
    writeFileSync(spec, readFileSync(spec, "utf8").replace('"dim": 8', '"dim": 9'));
    rmSync(join(folder, "tracking"), { recursive: true });
    const second = await exp("sync", "poisoned", "--to", server.uri, "--verify", "--json");
    expect(second.code, second.stderr).toBe(3);
    expect(JSON.parse(second.stdout)).toMatchObject({ studies: [{ rejected: 2 }], verified: [{ differences: [] }] });
    const run = await client.getRun(runId);
    expect(run.data.params.get("encoder.dim")).toBe("8");
    expect(run.data.tags.get("param.encoder.dim.attempt1")).toBe("9");
    const runs: string[] = [];
    for await (const { info } of client.searchRuns({ experimentIds: [experiment?.experimentId ?? ""], filter })) {
      runs.push(info.runId);
    }
    expect(runs).toEqual([runId]);
    const rejected = readFileSync(join(folder, "journal.rejected.jsonl"), "utf8").trimEnd().split("\n");
    expect(rejected.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { kind: "line", record: "nonsense", message: "line 3 is no record" },
      { kind: "metric", record: { key: "train/total", step: 1.5 } },
    ]);
  }, 120_000);

  it("51 exp export writes what MLflow's file store reads and migrate-filestore takes, by the same ids", async () => {
    const written = await exp("export", "tiny", "--format", "mlruns", "--out", "mlruns", "--json");
    expect(written.code, written.stderr).toBe(0);
    expect(JSON.parse(written.stdout)).toMatchObject([{ experiment: "tiny", runs: 5 }]);
    expect((await exp("export", "tiny", "--format", "mlruns", "--out", "mlruns")).code).toBe(2);
    const folder = join(place.folder, "mlruns");
    const database = `sqlite:///${join(place.folder, "migrated.db")}`;
    const mlflow = findMlflow()?.executable ?? "";
    await promisify(execFile)(mlflow, ["migrate-filestore", "--source", folder, "--target", database, "--no-progress"]);
    const [files, migrated, sent] = await read([folder, database, server.uri], "tiny");
    expect(files?.tiny).toHaveLength(5);
    expect(migrated).toEqual(files);
    const withoutIds = ({ tiny = [] }: Read = {}) =>
      tiny.map(({ id: _, tags, ...run }) => ({
        ...run,
        tags: { ...tags, "mlflow.parentRunId": "mlflow.parentRunId" in tags },
      }));
    expect(withoutIds(files)).toEqual(withoutIds(sent));
  }, 120_000);

  it("52 what a launcher trains is there while two watch it, completely when they end, and no point twice", async () => {
    place.write({ "experiments/watched.yaml": STUDY });
    const launcher = ["--launcher", "command", "launcher.workers=2", ...IN_BACKGROUND];
    const submitted = await exp("run", "watched", "fusion=lmam", "trainer.epochs=300", ...launcher);
    expect(submitted.code, submitted.stderr).toBe(0);
    let watching = 2;
    const watched = [0, 1].map(async () => {
      const ended = await place.expWith({ MLFLOW_TRACKING_URI: server.uri }, "watch", "watched", "--every", "0.3");
      watching -= 1;
      return ended;
    });
    const client = new MlflowClient({ trackingUri: server.uri, env: {} });
    const runs = async () => {
      const experiment = await client.getExperimentByName("watched");
      const found = [];
      for await (const run of client.searchRuns({ experimentIds: [experiment?.experimentId ?? "0"] })) {
        found.push(run);
      }
      return found;
    };
    let wasSeen = false;
    while (!wasSeen && watching === 2) {
      wasSeen = (await runs()).some(({ info, data }) => info.status === "RUNNING" && data.metrics.has("train/total"));
      await pause(100);
    }
    expect(wasSeen, "a run in the middle").toBe(true);
    for (const { code, stderr } of await Promise.all(watched)) {
      expect(code, stderr).toBe(0);
      expect(stderr).not.toContain("mlflow");
    }
    const sync = await exp("sync", "watched", "--to", server.uri, "--verify", "--json");
    expect(JSON.parse(sync.stdout)).toMatchObject({
      studies: [{ runs: 3, points: 0, rejected: 0, refused: [], ended: "FINISHED" }],
      verified: [{ differences: [] }],
    });
    expect((await runs()).map(({ info }) => info.status)).toEqual(["FINISHED", "FINISHED", "FINISHED"]);
  }, 120_000);

  it("a study through a proxy that answers 502 half of the time loses and doubles nothing", async () => {
    let state = 7;
    const proxy = await startFaultyProxy(server.uri, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return (["none", "before", "none", "after"] as const)[(state >> 16) & 3] ?? "none";
    });
    onTestFinished(() => proxy.close());
    place.write({ "experiments/lossy.yaml": STUDY });
    const run = await place.expWith({ MLFLOW_TRACKING_URI: proxy.uri }, "run", "lossy", "fusion=lmam");
    expect(run.code, run.stderr).toBe(0);
    const sync = await exp("sync", "lossy", "--to", proxy.uri, "--verify");
    expect(sync.code, sync.stderr).toBe(0);
    expect(sync.stdout).toMatch(/each once/);
    expect(proxy.counts.before + proxy.counts.after).toBeGreaterThan(5);
    const [found] = await read([server.uri], "lossy");
    expect(found?.lossy?.map(({ status }) => status)).toEqual(["FINISHED", "FINISHED", "FINISHED"]);
  }, 120_000);

  it("a wrong token is told in clear words, and training goes on", async () => {
    const denying = createServer((_, answer) => answer.writeHead(401).end("You are not authenticated"));
    await new Promise<void>((done) => denying.listen(0, "127.0.0.1", done));
    onTestFinished(() => void denying.close());
    const MLFLOW_TRACKING_URI = `http://127.0.0.1:${(denying.address() as AddressInfo).port}`;
    const env = { MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN: "very-secret" };
    const run = await place.expWith(env, "run", "tiny", "fusion=sdt", "--seeds", "7");
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/mlflow.*does not accept the credentials; trials go on/);
    const sync = await place.expWith(env, "sync", "tiny");
    expect(sync.code).toBe(1);
    expect(sync.stderr).toMatch(/does not accept the credentials.*\n.*\n.*MLFLOW_TRACKING_TOKEN/);
    expect(run.stderr + run.stdout + sync.stderr + sync.stdout).not.toContain("very-secret");
  }, 60_000);

  it("exp ui shows all studies and what is trained meanwhile, and takes its server with it even when killed", async () => {
    const { executable = "" } = findMlflow() ?? {};
    process.env.MERCLAB_MLFLOW = executable;
    const { child } = place.start("ui");
    let output = "";
    child.stderr?.on("data", (part: string) => {
      output += part;
    });
    let listed = "";
    child.stdout?.on("data", (part: string) => {
      listed += part;
    });
    await until(() => listed.includes("FINISHED"), "the studies", 120_000);
    const [uri = ""] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? [];
    const client = new MlflowClient({ trackingUri: uri, env: {} });
    const names: string[] = [];
    for await (const { name } of client.searchExperiments()) {
      names.push(name);
    }
    expect(names).toEqual(expect.arrayContaining(["tiny", "online", "killed", "torn"]));
    place.write({ "experiments/later.yaml": STUDY });
    const run = await exp("run", "later", "fusion=sdt", "--seeds", "1");
    expect(run.code, run.stderr).toBe(0);
    const finished = async () => {
      const later = await client.getExperimentByName("later");
      const runs: string[] = [];
      if (later !== undefined) {
        for await (const { info } of client.searchRuns({ experimentIds: [later.experimentId] })) {
          runs.push(info.status);
        }
      }
      return runs;
    };
    await expect.poll(finished, { timeout: 30_000, interval: 500 }).toEqual(["FINISHED", "FINISHED"]);
    const servers = () => place.processes().filter((line) => line.includes("mlflow.db"));
    expect(servers().length).toBeGreaterThan(1);
    child.kill("SIGKILL");
    await until(() => servers().length === 0, "the server's end", 20_000);
    expect(existsSync(join(place.folder, "runs", ".mlflow", "mlflow.db"))).toBe(true);
  }, 240_000);
});
