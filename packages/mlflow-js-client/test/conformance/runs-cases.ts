// Conformance cases 10 to 16, 33 and 34: runs and searching them.

import { expect, it } from "vitest";
import type { Run } from "../../src/index.ts";
import type { Conformance } from "./context.ts";

export function runsCases(given: () => Conformance, major: number): void {
  it("10 a run without a name gets one, a given name stays", async () => {
    const { client, experimentId } = given();
    expect((await client.createRun(experimentId)).info.runName).not.toBe("");
    const run = await client.createRun(experimentId, { runName: "mine" });
    expect([run.info.runName, run.data.tags.get("mlflow.runName")]).toEqual(["mine", "mine"]);
  });

  it("11 run name and mlflow.runName are one", async () => {
    const { client, experimentId, newRun, refusal } = given();
    const tags = { "mlflow.runName": "b" };
    await refusal(() => client.createRun(experimentId, { runName: "a", tags }));
    const id = await newRun();
    await client.setTag(id, "mlflow.runName", "renamed");
    expect((await client.getRun(id)).info.runName).toBe("renamed");
    await client.updateRun(id, { name: "again" });
    expect((await client.getRun(id)).data.tags.get("mlflow.runName")).toBe("again");
  });

  it("12 start and end time make the round trip in ms", async () => {
    const { client, experimentId } = given();
    const { info } = await client.createRun(experimentId, { startTime: 1_700_000_000_123 });
    await client.setTerminated(info.runId, "FINISHED", 1_700_000_001_456);
    const read = (await client.getRun(info.runId)).info;
    expect(read).toMatchObject({ startTime: 1_700_000_000_123, endTime: 1_700_000_001_456, status: "FINISHED" });
  });

  it("13 a run in a deleted experiment is refused and not retried", async () => {
    const { client, unique, refusal } = given();
    const id = await client.createExperiment(unique("gone"));
    await client.deleteExperiment(id);
    expect((await refusal(() => client.createRun(id))).message).toContain("active");
  });

  it("14 missing arrays of a fresh run read as empty", async () => {
    const { client, newRun } = given();
    const run = await client.getRun(await newRun());
    expect([run.data.metrics.size, run.data.params.size, run.inputs.datasets.length]).toEqual([0, 0, 0]);
    expect(run.info.endTime).toBeUndefined();
  });

  it.each(["plain", "it's", 'a "b"', "a\\b", "50%_x", "x;y -- z", "ü 😀", "a AND b = 'c", "`tick`", "  spaces  "])(
    "15 createRun with uniqueTag %j twice gives one run",
    async (value) => {
      const { client, experimentId } = given();
      const uniqueTag = { key: "exp.run_key", value };
      const first = await client.createRun(experimentId, { uniqueTag, tags: { other: "1" } });
      const second = await client.createRun(experimentId, { uniqueTag });
      expect(second.info.runId).toBe(first.info.runId);
      expect(second.data.tags.get("exp.run_key")).toBe(value);
    },
  );

  it("15 a deleted run with the unique tag is a clear error", async () => {
    const { client, experimentId, unique } = given();
    const uniqueTag = { key: "exp.run_key", value: unique("deleted") };
    const { info } = await client.createRun(experimentId, { uniqueTag });
    await client.deleteRun(info.runId);
    const again = client.createRun(experimentId, { uniqueTag });
    await expect(again).rejects.toMatchObject({ kind: "deleted", resource: "run", id: info.runId });
  });

  it("deleting and restoring a run may be delivered twice", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const stage = async () => (await client.getRun(id)).info.lifecycleStage;
    for (let round = 0; round < 2; round++) await client.deleteRun(id);
    expect(await stage()).toBe("deleted");
    for (let round = 0; round < 2; round++) await client.restoreRun(id);
    expect(await stage()).toBe("active");
  });

  it("49 a child run names its parent and is found by it", async () => {
    const { client, experimentId, newRun } = given();
    const parent = await newRun();
    const child = await client.createRun(experimentId, { tags: { "mlflow.parentRunId": parent } });
    const found: string[] = [];
    const filter = `tags.\`mlflow.parentRunId\` = '${parent}'`;
    for await (const { info } of client.searchRuns({ experimentIds: [experimentId], filter })) found.push(info.runId);
    expect(found).toEqual([child.info.runId]);
  });

  it("16 the status goes RUNNING, FINISHED, RUNNING, KILLED, and the old end time stays", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    await client.setTerminated(id, "FINISHED", 5);
    expect(await client.updateRun(id, { status: "RUNNING" })).toMatchObject({ status: "RUNNING", endTime: 5 });
    await client.setTerminated(id, "KILLED", 9);
    expect((await client.getRun(id)).info).toMatchObject({ status: "KILLED", endTime: 9 });
  });

  it("33 search by metric, quoted key, LIKE, status, time, id, IS NULL, order and view", async () => {
    const { client, unique, refusal } = given();
    const id = await client.createExperiment(unique("search"));
    const created: Run[] = [];
    for (const [index, f1] of [0.5, 0.7, 0.6].entries()) {
      const run = await client.createRun(id, { runName: `run ${index}`, startTime: 1000 + index });
      await client.logBatch(run.info.runId, {
        metrics: [{ key: "test/f1", value: f1, step: 0 }],
        params: [{ key: "model name", value: `m${index}` }],
        ...(index === 1 && { tags: [{ key: "exp.note", value: "it's" }] }),
      });
      created.push(run);
    }
    const [a, b, c] = created.map(({ info }) => info.runId);
    await client.setTerminated(c ?? "", "FAILED", 2000);
    const search = async (filter: string, viewType: "ACTIVE_ONLY" | "ALL" | "DELETED_ONLY" = "ACTIVE_ONLY") => {
      const found: string[] = [];
      const orderBy = ["metrics.`test/f1` ASC"];
      for await (const { info } of client.searchRuns({ experimentIds: [id], filter, orderBy, viewType }))
        found.push(info.runId);
      return found;
    };
    expect(await search("")).toEqual([a, c, b]);
    expect(await search("metrics.`test/f1` > 0.55")).toEqual([c, b]);
    expect(await search("params.\"model name\" = 'm1'")).toEqual([b]);
    expect(await search("attributes.run_name LIKE 'run %' AND metrics.`test/f1` < 0.65")).toEqual([a, c]);
    expect(await search("attributes.status = 'FAILED'")).toEqual([c]);
    expect(await search("attributes.start_time >= 1001")).toEqual([c, b]);
    expect(await search(`attributes.run_id IN ('${a}', '${b}')`)).toEqual([a, b]);
    expect(await search('tags.`exp.note` = "it\'s"')).toEqual([b]);
    if (major >= 3) {
      expect(await search("tags.`exp.note` IS NULL")).toEqual([a, c]);
      expect(await search("tags.`exp.note` IS NOT NULL")).toEqual([b]);
    }
    await client.deleteRun(a ?? "");
    expect([await search(""), await search("", "DELETED_ONLY"), await search("", "ALL")]).toEqual([
      [c, b],
      [a],
      [a, c, b],
    ]);
    expect((await refusal(() => search("metrics.x ~ 1"))).errorCode).toBe("INVALID_PARAMETER_VALUE");
  });

  it("34 searching runs pages, each run once", async () => {
    const { client, unique } = given();
    const id = await client.createExperiment(unique("many"));
    const names = Array.from({ length: 60 }, (_, index) => `r${index}`);
    for (const [index, runName] of names.entries()) await client.createRun(id, { runName, startTime: index });
    const found: string[] = [];
    const orderBy = ["attributes.start_time ASC"];
    for await (const { info } of client.searchRuns({ experimentIds: [id], orderBy, pageSize: 7 }))
      found.push(info.runName);
    expect(found).toEqual(names);
  });
}
