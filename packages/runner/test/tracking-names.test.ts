// What tracking calls things on the server, and the numbers over seeds, worked by hand.
import { keyProblem } from "mlflow-js-client";
import { describe, expect, test } from "vitest";
import type { TrialResult, TrialSpec } from "../src/store/trial-files.ts";
import { datasetInput, trialEnding, trialTags } from "../src/tracking/description.ts";
import { cellKey, flattenConfig, trialName } from "../src/tracking/names.ts";
import { spreadMetrics } from "../src/tracking/spread.ts";
import { FINGERPRINT, ORIGIN, trialSpec } from "./tracking-study.ts";

function result(test: number, maxTest: number, openedAt: string): TrialResult {
  const score = (value: number) => ({ epoch: 1, metrics: { accuracy: value }, perClass: [], confusion: [] });
  return {
    schema: 1,
    id: "t",
    seed: 0,
    dataset: "iemocap",
    classes: [],
    epochs: 1,
    selection: { metric: "accuracy", epoch: 1, valid: {} },
    test: { validSelected: score(test), maxTest: score(maxTest) },
    seal: { openedAt, reason: "trained" },
    seconds: 1,
    threads: 1,
    parameters: { total: 1, trainable: 1 },
    versions: {},
  };
}

describe("names", () => {
  const withCell = (cell: TrialSpec["cell"]) => trialSpec(3, { cell });

  test("of trials say dataset, fusion, the other choices and the seed", () => {
    expect(trialName(withCell({}))).toBe("iemocap sdt seed 3");
    expect(trialName(withCell({ dataset: "iemocap", fusion: "sdt", encoder: "gru" }))).toBe("iemocap sdt gru seed 3");
    expect(trialName(withCell({ "fusion.sdt.rank": 4, "encoder.pool": "mean", "fusion.gate": null }))).toBe(
      "iemocap sdt rank 4 pool mean gate none seed 3",
    );
  });

  test("of cells begin metric names", () => {
    const key = cellKey(withCell({ "fusion.rank": 4, "trainer.balanced": true }));
    expect(key).toBe("iemocap/sdt-rank-4-balanced-true");
    expect(keyProblem(key)).toBeUndefined();
  });

  test("of params are dotted; what is no string is JSON", () => {
    const { config } = trialSpec(0);
    const encoder = { name: "gru", options: { dim: 8, sizes: [1, { a: 2 }], deep: { er: { on: true } }, none: null } };
    expect(flattenConfig({ ...config, encoder }, 7)).toMatchObject({
      encoder: "gru",
      "encoder.dim": "8",
      "encoder.sizes": '[1,{"a":2}]',
      "encoder.deep.er.on": "true",
      "encoder.none": "null",
      seed: "7",
    });
  });

  test("of the protocol come from the config where it has one", () => {
    const spec = trialSpec(0);
    const dataset = { name: "iemocap", options: { protocol: "sdt-as-published" } };
    expect(trialTags({ ...spec, config: { ...spec.config, dataset } }, undefined)["merclab.protocol"]).toBe(
      "sdt-as-published",
    );
  });

  test("of a run say what it ran on, by MLflow's names where it has some", () => {
    const environment = {
      schema: 1,
      engine: "onnx",
      threads: 2,
      versions: { node: "20.19.0" },
      origin: ORIGIN,
    } as const;
    expect(trialTags(trialSpec(0), environment)).toMatchObject({
      "mlflow.user": "u",
      "mlflow.source.git.commit": "abc",
      "mlflow.source.git.branch": "main",
      "mlflow.source.git.dirty": "true",
      "merclab.version": "0.1.0",
      "merclab.git.commit": "def",
      "merclab.git.dirty": "false",
      "merclab.machine.cpu": "c",
      "merclab.machine.memory": "8.0 GiB",
      "merclab.threads": "2",
      "merclab.versions.node": "20.19.0",
    });
  });

  test("of a dataset found in a folder lead there, with the sizes of its parts", () => {
    const data = { fingerprint: FINGERPRINT, folder: "/d", dialogues: { train: 3, valid: 2, test: 1 } };
    const { dataset, context } = datasetInput(trialSpec(0), [data]);
    expect(dataset).toMatchObject({ sourceType: "local", source: '{"uri":"/d"}' });
    expect(JSON.parse(dataset.profile ?? "")).toEqual({ dialogues: data.dialogues });
    expect(context).toBe("train, validation, test");
  });

  test("of a dataset's source in words are kept as such", () => {
    const { dataset } = datasetInput(trialSpec(0), []);
    expect([dataset.sourceType, dataset.source]).toEqual([
      "code",
      '{"tags":{"mlflow.source.name":"synthetic features"}}',
    ]);
  });
});

describe("mean and standard deviation over seeds", () => {
  test("have the number of seeds as step and the latest result's time", () => {
    const metrics = spreadMetrics([
      { spec: trialSpec(0), result: result(0.5, 0.8, "2026-01-01T00:00:01Z") },
      { spec: trialSpec(1), result: result(0.75, 0.8, "2026-01-01T00:00:03Z") },
      { spec: trialSpec(2), result: result(1, 0.8, "2026-01-01T00:00:02Z") },
    ]);
    const timestamp = Date.parse("2026-01-01T00:00:03Z");
    expect(metrics).toEqual(
      [
        { key: "iemocap/sdt/seeds", value: 3 },
        { key: "iemocap/sdt/test/accuracy/mean", value: 0.75 },
        { key: "iemocap/sdt/test/accuracy/std", value: 0.25 },
        { key: "iemocap/sdt/max-test/accuracy/mean", value: expect.closeTo(0.8, 12) },
        { key: "iemocap/sdt/max-test/accuracy/std", value: expect.closeTo(0, 12) },
      ].map((metric) => ({ ...metric, step: 3, timestamp })),
    );
  });

  test("of one seed have no deviation", () => {
    const [only] = [{ spec: trialSpec(0), result: result(0.5, 0.8, "2026-01-01T00:00:01Z") }];
    expect(spreadMetrics([only]).map(({ key }) => key)).toEqual([
      "iemocap/sdt/seeds",
      "iemocap/sdt/test/accuracy/mean",
      "iemocap/sdt/max-test/accuracy/mean",
    ]);
  });

  test("never mix real and synthetic data, though the names of the cells are equal", () => {
    const real = trialSpec(1, { data: { fingerprint: "other", source: "real" } });
    const keys = spreadMetrics([
      { spec: trialSpec(0), result: result(0.5, 0.8, "2026-01-01T00:00:01Z") },
      { spec: real, result: result(1, 1, "2026-01-01T00:00:01Z") },
    ]).map(({ key }) => key);
    expect(new Set(keys).size).toBe(6);
    expect(keys.every((key) => /^iemocap\/sdt-[0-9a-f]{6}\//.test(key))).toBe(true);
  });
});

test("how a trial ended is taken from what there is", () => {
  const spec = trialSpec(0);
  const point = { t: "m", s: 1, ts: 20, v: {} } as const;
  const killed = { t: "end", status: "KILLED", ts: 30, reason: "SIGTERM" } as const;
  const status = { attempt: 1, pid: 1, startedAt: "2026-01-01T00:00:00Z", endedAt: "2026-01-01T00:00:09Z" };
  const trial = { folder: "f", spec, status: undefined, result: undefined };
  expect(trialEnding(trial, { last: killed })).toEqual({ status: "KILLED", at: 30, error: "SIGTERM" });
  expect(trialEnding(trial, { last: point })).toEqual({ status: "KILLED", at: 20, error: undefined });
  const failed = { ...trial, status: { ...status, state: "failed", error: "out of memory" } as const };
  expect(trialEnding(failed, { last: point })).toEqual({
    status: "FAILED",
    at: Date.parse(status.endedAt),
    error: "out of memory",
  });
  const done = { ...failed, result: result(1, 1, "2026-01-01T00:00:09Z") };
  expect(trialEnding(done, { last: killed })).toEqual({ status: "FINISHED", at: 30, error: undefined });
});
