// Conformance case 50 and its neighbours: logged models, run inputs and outputs, and a second life for runs.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Conformance } from "./context.ts";
import { python } from "./python.ts";

export function modelsCases(given: () => Conformance, major: number): void {
  it("50 the server says whether it knows logged models", async () => {
    expect(await given().client.supportsLoggedModels()).toBe(major >= 3);
  });

  it.runIf(major >= 3)("50 a model is created, filled, finalized and linked, and Python reads it", async () => {
    const { client, server, experimentId, folder, newRun, unique } = given();
    const runId = await newRun();
    const name = unique("model");
    const created = await client.createLoggedModel(experimentId, {
      name,
      modelType: "merclab",
      sourceRunId: runId,
      params: { width: "256" },
      tags: { seed: "1", gone: "x" },
    });
    expect(created).toMatchObject({ name, status: "PENDING", modelType: "merclab", sourceRunId: runId });
    const { modelId } = created;
    await mkdir(join(folder, "model", "deep"), { recursive: true });
    await writeFile(join(folder, "model", "config.json"), "{}");
    await writeFile(join(folder, "model", "deep", "weights.bin"), Buffer.from([1, 2, 3]));
    expect(await client.logModelArtifacts(modelId, join(folder, "model"))).toEqual(["config.json", "deep/weights.bin"]);
    await client.logModelArtifact(modelId, join(folder, "model", "config.json"), { artifactPath: "copy" });
    await client.logModelParams(modelId, { depth: "2" });
    await client.setLoggedModelTags(modelId, { seed: "2" });
    await client.deleteLoggedModelTag(modelId, "gone");
    expect((await client.finalizeLoggedModel(modelId, "READY")).status).toBe("READY");
    await client.logOutputs(runId, [{ modelId, step: 7 }]);
    await client.logInputs(runId, [], { models: [modelId] });
    const metric = { key: "test/f1", value: 0.75, step: 7, timestamp: 5, modelId };
    await client.logBatch(runId, { metrics: [metric] });

    const model = await client.getLoggedModel(modelId);
    expect([...model.params].sort()).toEqual([
      ["depth", "2"],
      ["width", "256"],
    ]);
    expect([...model.tags]).toEqual([["seed", "2"]]);
    expect(model.metrics).toEqual([{ ...metric, runId }]);
    const run = await client.getRun(runId);
    expect([run.inputs.models, run.outputs.models]).toEqual([[modelId], [{ modelId, step: 7 }]]);

    const listed: string[] = [];
    for await (const { path } of client.listLoggedModelArtifacts(modelId)) listed.push(path);
    for await (const { path } of client.listLoggedModelArtifacts(modelId, "deep")) listed.push(path);
    expect(listed.sort()).toEqual(["config.json", "copy", "deep", "deep/weights.bin"]);
    await client.downloadLoggedModelArtifact(modelId, "deep/weights.bin", join(folder, "weights.back"));
    expect([...(await readFile(join(folder, "weights.back")))]).toEqual([1, 2, 3]);

    expect(JSON.parse(await python(server, READ_MODEL, modelId))).toEqual({
      name,
      status: "READY",
      params: { width: "256", depth: "2" },
      seed: "2",
      metrics: [["test/f1", 0.75, 7, runId]],
      files: ["config.json", "copy", "deep"],
    });
  });

  it.runIf(major >= 3)("models are searched by pages, failed ones too, and a deleted one is gone", async () => {
    const { client, unique, refusal } = given();
    const experiment = await client.createExperiment(unique("models"));
    const ids: string[] = [];
    for (const name of ["a", "b", "c"]) ids.push((await client.createLoggedModel(experiment, { name })).modelId);
    await client.finalizeLoggedModel(ids[1] ?? "", "FAILED");
    const search = async (filter?: string) => {
      const found: string[] = [];
      const orderBy = [{ fieldName: "name", ascending: false }];
      const options = { experimentIds: [experiment], orderBy, pageSize: 1, ...(filter !== undefined && { filter }) };
      for await (const { name } of client.searchLoggedModels(options)) found.push(name);
      return found;
    };
    expect(await search()).toEqual(["c", "b", "a"]);
    expect((await client.getLoggedModel(ids[1] ?? "")).status).toBe("FAILED");
    expect(await search("name = 'b'")).toEqual(["b"]);
    await client.deleteLoggedModel(ids[0] ?? "");
    expect(await search()).toEqual(["c", "b"]);
    const error = await refusal(() => client.getLoggedModel(ids[0] ?? ""));
    expect(error.errorCode).toBe("RESOURCE_DOES_NOT_EXIST");
  });

  it.runIf(major >= 3)("a measurement names its dataset", async () => {
    const { client, experimentId, newRun } = given();
    const runId = await newRun();
    const { modelId } = await client.createLoggedModel(experimentId);
    const dataset = { name: "meld", digest: "d1", sourceType: "local", source: "{}" };
    await client.logInputs(runId, [{ dataset, context: "test" }]);
    const metric = { key: "f1", value: 0.5, step: 1, timestamp: 2, modelId, datasetName: "meld", datasetDigest: "d1" };
    await client.logMetric(runId, metric);
    expect((await client.getLoggedModel(modelId)).metrics).toEqual([{ ...metric, runId }]);
  });
}

const READ_MODEL = `
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
model = client.get_logged_model(sys.argv[2])
print(json.dumps({
  "name": model.name,
  "status": str(model.status),
  "params": model.params,
  "seed": model.tags["seed"],
  "metrics": [[m.key, m.value, m.step, m.run_id] for m in model.metrics],
  "files": sorted(f.path for f in client.list_logged_model_artifacts(model.model_id)),
}))
`;
