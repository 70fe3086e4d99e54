// Conformance cases 17 to 32, 35 and 36: metrics, params, tags, datasets, and what the server does to bad ones.

import { expect, it } from "vitest";
import type { Conformance } from "./context.ts";

export function loggingCases(given: () => Conformance, major: number): void {
  const history = async (runId: string, key: string, pageSize?: number) => {
    const points = [];
    for await (const point of given().client.getMetricHistory(runId, key, pageSize === undefined ? {} : { pageSize }))
      points.push(point);
    return points;
  };

  it("17 steps 0, negative and 2^53 - 1", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const steps = [0, -5, Number.MAX_SAFE_INTEGER];
    for (const step of steps) await client.logMetric(id, { key: "m", value: 1, timestamp: 1, step });
    expect((await history(id, "m")).map(({ step }) => step)).toEqual([-5, 0, Number.MAX_SAFE_INTEGER]);
  });

  it("17 fractional and oversized steps, refused by the client, are changed silently by the server", async () => {
    const { newRun, raw } = given();
    const id = await newRun();
    for (const [key, step] of [
      ["half", 1.5],
      ["huge", 2 ** 63],
    ] as const) {
      const { status } = await raw("/runs/log-metric", { run_id: id, key, value: 1, timestamp: 1, step });
      expect(status).toBe(200);
      expect((await history(id, key))[0]?.step).not.toBe(step);
    }
  });

  it("18 NaN and infinities in one batch, and alone, are read back", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.25];
    await client.logBatch(id, {
      metrics: values.map((value, step) => ({ key: "m", value, step, timestamp: step })),
    });
    await client.logMetric(id, { key: "single", value: Number.NaN });
    expect((await history(id, "m")).map(({ value }) => value)).toEqual(values);
    const { metrics } = (await client.getRun(id)).data;
    expect(metrics.get("single")?.value).toBeNaN();
  });

  it("19 the latest metric is the largest by step, timestamp, value", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const points = [
      [9, 1, 1],
      [1, 9, 0],
      [5, 3, 1],
      [7, 3, 1],
    ] as const;
    await client.logBatch(id, {
      metrics: points.map(([value, timestamp, step]) => ({ key: "m", value, timestamp, step })),
    });
    expect((await client.getRun(id)).data.metrics.get("m")).toEqual({ key: "m", value: 7, timestamp: 3, step: 1 });
  });

  it("20 1000 metrics go in one request; 1001 are refused by the server and split by the client", async () => {
    const { client, newRun, raw } = given();
    const id = await newRun();
    const metrics = Array.from({ length: 1001 }, (_, step) => ({ key: "m", value: step, step, timestamp: step }));
    expect(await client.logBatch(id, { metrics: metrics.slice(0, 1000) })).toEqual({ requests: 1, skipped: [] });
    expect((await raw("/runs/log-batch", { run_id: id, metrics })).status).toBe(400);
    expect(await client.logBatch(id, { metrics })).toMatchObject({ requests: 2 });
    expect(await history(id, "m")).toHaveLength(1001);
  });

  it("21 101 params are refused by the server and split by the client", async () => {
    const { client, newRun, raw } = given();
    const id = await newRun();
    const params = Array.from({ length: 101 }, (_, index) => ({ key: `p${index}`, value: `${index}` }));
    expect((await raw("/runs/log-batch", { run_id: id, params })).status).toBe(400);
    expect(await client.logBatch(id, { params })).toMatchObject({ requests: 2 });
    expect((await client.getRun(id)).data.params.size).toBe(101);
  });

  it("22 a mixed batch of 1000 entities goes in one request", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const pairs = (stem: string) => Array.from({ length: 100 }, (_, index) => ({ key: `${stem}${index}`, value: "v" }));
    const metrics = Array.from({ length: 800 }, (_, index) => ({ key: `m${index % 40}`, value: 1, step: index }));
    expect(await client.logBatch(id, { metrics, params: pairs("p"), tags: pairs("t") })).toMatchObject({
      requests: 1,
    });
    const { data } = await client.getRun(id);
    expect([data.metrics.size, data.params.size, data.tags.size]).toEqual([40, 100, 101]);
  });

  it.each([
    ["23", 1],
    ["24", 150],
  ])("%s an identical batch over %d keys twice leaves the history unchanged", async (_case, keys) => {
    const { client, newRun } = given();
    const id = await newRun();
    const metrics = Array.from({ length: 300 }, (_, step) => ({
      key: `m${step % keys}`,
      value: step / 7,
      step,
      timestamp: step,
    }));
    for (let round = 0; round < 2; round++) await client.logBatch(id, { metrics });
    const counts = await Promise.all(Array.from({ length: keys }, (_, index) => history(id, `m${index}`)));
    expect(counts.flat()).toHaveLength(300);
  });

  it("25 a param takes the same value twice; another value is refused, not retried", async () => {
    const { client, newRun, refusal } = given();
    const id = await newRun();
    for (let round = 0; round < 2; round++) await client.logParam(id, "lr", "0.1");
    const error = await refusal(() => client.logParam(id, "lr", "0.2"));
    expect(error).toMatchObject({ errorCode: "INVALID_PARAMETER_VALUE", httpStatus: 400, retryable: false });
    await refusal(() => client.logBatch(id, { params: [{ key: "lr", value: "0.3" }] }));
  });

  it("26 a repeated param key of equal value, refused by the server, is merged", async () => {
    const { client, newRun, raw } = given();
    const id = await newRun();
    const params = [1, 2].map(() => ({ key: "p", value: "v" }));
    expect((await raw("/runs/log-batch", { run_id: id, params })).status).toBe(400);
    await client.logBatch(id, { params });
  });

  it("27, 28 values up to the limits arrive whole; beyond them the server cuts silently", async () => {
    const { client, newRun, raw } = given();
    const id = await newRun();
    await client.logBatch(id, {
      params: [{ key: "p", value: "x".repeat(6000) }],
      tags: [{ key: "t", value: "x".repeat(5000) }],
    });
    await raw("/runs/log-parameter", { run_id: id, key: "long", value: "x".repeat(6001) });
    await raw("/runs/set-tag", { run_id: id, key: "long", value: "x".repeat(8001) });
    const { params, tags } = (await client.getRun(id)).data;
    expect([params.get("p")?.length, tags.get("t")?.length]).toEqual([6000, 5000]);
    expect([params.get("long")?.length, tags.get("long")?.length]).toEqual([6000, 8000]);
  });

  it("29, 30 keys with slash, space, dot, dash; 250 characters; `:` and é pass the server, not the client", async () => {
    const { client, newRun, raw } = given();
    const id = await newRun();
    const keys = ["a/b c.d-e_f", "k".repeat(250)];
    await client.logBatch(id, {
      metrics: keys.map((key) => ({ key, value: 1 })),
      params: keys.map((key) => ({ key, value: "ü 😀" })),
      tags: keys.map((key) => ({ key, value: "ü 😀" })),
    });
    const { data } = await client.getRun(id);
    for (const key of keys)
      expect([data.metrics.get(key)?.value, data.params.get(key), data.tags.get(key)]).toEqual([1, "ü 😀", "ü 😀"]);
    for (const [key, status] of [
      ["a:b", 200],
      ["é", 200],
      ["k".repeat(251), 400],
      ["../x", 400],
      ["a//b", 400],
    ] as const) {
      expect([key, (await raw("/runs/set-tag", { run_id: id, key, value: "v" })).status]).toEqual([key, status]);
      await expect(client.setTag(id, key, "v")).rejects.toMatchObject({ kind: "limit" });
    }
  });

  it("31 deleteTag of a present tag works, of an absent one is RESOURCE_DOES_NOT_EXIST", async () => {
    const { client, newRun, refusal } = given();
    const id = await newRun();
    await client.setTag(id, "t", "v");
    await client.deleteTag(id, "t");
    expect(await refusal(() => client.deleteTag(id, "t"))).toMatchObject({ errorCode: "RESOURCE_DOES_NOT_EXIST" });
  });

  it("32 a finished run takes metrics, a deleted one refuses them", async () => {
    const { client, newRun, refusal } = given();
    const id = await newRun();
    await client.setTerminated(id);
    await client.logMetric(id, { key: "late", value: 1 });
    await client.deleteRun(id);
    await refusal(() => client.logMetric(id, { key: "late", value: 2 }));
  });

  it("35 a history of 30000 points by pages, in order, and with 5000 a page the same", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const metrics = Array.from({ length: 30_000 }, (_, step) => ({
      key: "m",
      value: step % 97,
      step,
      timestamp: 1000 + step,
    }));
    await client.logBatch(id, { metrics });
    expect(await history(id, "m")).toEqual(metrics);
    expect(await history(id, "m", 5_000)).toEqual(metrics);
    expect(await history(id, "unknown")).toEqual([]);
  }, 120_000);

  it.runIf(major >= 3)("a sample of a metric of 101 runs, whole and by an interval of steps", async () => {
    const { client, newRun } = given();
    const [first, second] = [await newRun(), await newRun()];
    const metrics = Array.from({ length: 3_000 }, (_, step) => ({ key: "m", value: step / 8, step, timestamp: step }));
    for (const id of [first, second]) await client.logBatch(id, { metrics });
    const sample = await client.getMetricHistoryBulkInterval([first, second], "m", { maxResults: 10 });
    const steps = sample.filter(({ runId }) => runId === second).map(({ step }) => step);
    expect([steps[0], steps.at(-1)]).toEqual([0, 2999]);
    expect(steps.length).toBeGreaterThanOrEqual(10);
    expect(steps.length).toBeLessThan(20);
    const interval = { startStep: 10, endStep: 12 };
    const part = await client.getMetricHistoryBulkInterval([first], "m", interval);
    expect(part).toEqual([10, 11, 12].map((step) => ({ ...metrics[step], runId: first })));
    // The server takes a hundred runs; the client asks twice. Unknown ones have no points.
    const many = [...Array.from({ length: 100 }, () => "0".repeat(32)), first];
    expect((await client.getMetricHistoryBulkInterval(many, "m", interval)).map(({ step }) => step)).toEqual([
      10, 11, 12,
    ]);
  });

  it("36 datasets with context; the same one twice is stored once", async () => {
    const { client, newRun } = given();
    const id = await newRun();
    const dataset = {
      name: "iemocap",
      digest: "abc123",
      sourceType: "local",
      source: '{"uri":"/d"}',
      schema: "{}",
    };
    for (let round = 0; round < 2; round++)
      await client.logInputs(id, [{ dataset, context: "train", tags: { fold: "1" } }]);
    const { datasets } = (await client.getRun(id)).inputs;
    expect(datasets).toHaveLength(1);
    expect(datasets[0]).toMatchObject({ dataset, context: "train" });
    expect(datasets[0]?.tags.get("fold")).toBe("1");
  });
}
