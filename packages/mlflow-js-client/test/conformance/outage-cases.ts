// Bad days of a real server: killed in the middle of an upload, behind a proxy that loses half of the answers, hanging,
// and many trials at once. What Python's client reads afterwards is the judge.

import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { MlflowClient } from "../../src/index.ts";
import { type Fault, startFaultyProxy } from "../faulty-proxy.ts";
import type { Conformance } from "./context.ts";
import { python } from "./python.ts";

const retry = { baseMs: 100, capMs: 500, attempts: 60 };

export function outageCases(given: () => Conformance): void {
  const behind = async (fault: (index: number, path: string) => Fault, onBytes?: (total: number) => void) => {
    const proxy = await startFaultyProxy(given().server.uri, fault, onBytes);
    onTestFinished(() => proxy.close());
    return { proxy, client: new MlflowClient({ trackingUri: proxy.uri, env: {}, retry }) };
  };

  it("killed in the middle of an upload and restarted: the whole file arrives", async () => {
    const { server, folder, newRun } = given();
    const id = await newRun();
    const bytes = randomBytes(20_000_000);
    await writeFile(join(folder, "killed.bin"), bytes);
    let restarted: Promise<void> | undefined;
    const { client } = await behind(
      () => "none",
      (total) => {
        if (total > 5_000_000) restarted ??= server.kill().then(() => server.restart());
      },
    );
    await client.logArtifact(id, join(folder, "killed.bin"), { artifactPath: "big" });
    expect(restarted).toBeDefined();
    await restarted;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect(await client.downloadArtifact(id, "big/killed.bin", join(folder, "killed.back"))).toEqual({
      bytes: bytes.length,
      sha256,
    });
    const [size, hash] = JSON.parse(await python(server, READ_FILE, id, "big/killed.bin"));
    expect([size, hash]).toEqual([bytes.length, sha256]);
  }, 150_000);

  it("a proxy that answers 502 half of the time, also after the work was done: one run, each point once", async () => {
    const { server, experimentId, unique } = given();
    // Two in four fail, at both sides of the server, in an order that meets every kind of call with both.
    let state = 7;
    const { proxy, client } = await behind(() => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return (["none", "before", "none", "after"] as const)[(state >> 16) & 3] ?? "none";
    });
    const key = unique("502");
    const uniqueTag = { key: "exp.run_key", value: key };
    const { info } = await client.createRun(experimentId, { uniqueTag });
    const metrics = Array.from({ length: 2_500 }, (_, step) => ({ key: "m", value: step, step, timestamp: step }));
    for (let first = 0; first < metrics.length; first += 250) {
      await client.logBatch(info.runId, { metrics: metrics.slice(first, first + 250) });
    }
    const params = Array.from({ length: 150 }, (_, index) => ({ key: `p${index}`, value: `${index}` }));
    await client.logBatch(info.runId, { params, tags: [{ key: "t", value: "v" }] });
    await client.logText(info.runId, "text ü", "a/b.txt");
    await client.setTerminated(info.runId, "FINISHED", 5);
    const read = JSON.parse(await python(server, READ_ALL, experimentId, key));
    expect(read).toEqual({
      runs: 1,
      steps: metrics.map(({ step }) => step),
      params: 150,
      tag: "v",
      status: "FINISHED",
    });
    expect(proxy.counts.before).toBeGreaterThan(3);
    expect(proxy.counts.after).toBeGreaterThan(3);
  }, 120_000);

  it("a server that hangs: the time limit ends each attempt, and a signal ends the call at once", async () => {
    const { newRun } = given();
    const id = await newRun();
    let hangs = 2;
    const { proxy, client } = await behind(() => (hangs-- > 0 ? "hang" : "none"));
    expect((await client.getRun(id, { timeoutMs: 200 })).info.runId).toBe(id);
    expect(proxy.counts).toMatchObject({ hang: 2, none: 1 });
    hangs = Number.POSITIVE_INFINITY;
    const started = Date.now();
    const signal = AbortSignal.timeout(150);
    await expect(client.logText(id, "x", "a.txt", { signal })).rejects.toMatchObject({ name: "TimeoutError" });
    await expect(client.logBatch(id, { tags: [{ key: "t", value: "v" }] }, { signal })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(Date.now() - started).toBeLessThan(5_000);
    const once = new MlflowClient({ trackingUri: proxy.uri, env: {}, timeoutMs: 100, retry: { attempts: 1 } });
    await expect(once.createRun("0")).rejects.toMatchObject({ kind: "network", code: "TIMEOUT", unsent: false });
  });

  it("52 a hundred trials at once into one server, read back by Python", async () => {
    const { server, unique } = given();
    const client = new MlflowClient({ trackingUri: server.uri, env: {}, retry });
    const name = unique("hundred");
    const { experimentId } = await client.getOrCreateExperiment(name);
    const trials = Array.from({ length: 100 }, (_, index) => index);
    const dataset = { name: "meld", digest: "d", sourceType: "code", source: "{}" }; // all at once: the same one
    const started = performance.now();
    const runIds = await Promise.all(
      trials.map(async (index) => {
        const uniqueTag = { key: "exp.run_key", value: `trial-${index}` };
        const { info } = await client.createRun(experimentId, { uniqueTag });
        const metrics = Array.from({ length: 50 }, (_, step) => ({ key: "m", value: index, step }));
        await client.logBatch(info.runId, { metrics, params: [{ key: "index", value: `${index}` }] });
        await client.logInputs(info.runId, [{ dataset }]);
        await client.setTerminated(info.runId);
        return info.runId;
      }),
    );
    console.log(`a hundred trials at once: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    const found = JSON.parse(await python(server, READ_RUNS, experimentId)) as Record<string, unknown>;
    expect(found).toEqual(
      Object.fromEntries(runIds.map((id, index) => [id, ["FINISHED", `${index}`, 49, index, "meld"]])),
    );
  }, 120_000);
}

const READ_RUNS = `
import json, sys
from mlflow import MlflowClient
found = {}
for run in MlflowClient(sys.argv[1]).search_runs([sys.argv[2]]):
  metric = run.data.metrics["m"]
  inputs = [i.dataset.name for i in run.inputs.dataset_inputs]
  history = MlflowClient(sys.argv[1]).get_metric_history(run.info.run_id, "m")
  found[run.info.run_id] = [run.info.status, run.data.params["index"], history[-1].step, metric, *inputs]
print(json.dumps(found))
`;

const READ_FILE = `
import hashlib, json, sys
from mlflow import artifacts
path = artifacts.download_artifacts(run_id=sys.argv[2], artifact_path=sys.argv[3])
data = open(path, "rb").read()
print(json.dumps([len(data), hashlib.sha256(data).hexdigest()]))
`;

const READ_ALL = `
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
runs = client.search_runs([sys.argv[2]], "tags.\`exp.run_key\` = '" + sys.argv[3] + "'")
run = runs[0]
print(json.dumps({
  "runs": len(runs),
  "steps": [m.step for m in client.get_metric_history(run.info.run_id, "m")],
  "params": len(run.data.params),
  "tag": run.data.tags["t"],
  "status": run.info.status,
}))
`;
