// What is decided before sending: keys, values, steps, batches, artifact paths, filters. Laws by fast-check.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkArtifactPath, proxyFolder } from "../src/artifact-path.ts";
import { planBatches } from "../src/batch.ts";
import { keyProblem, MlflowClient, MlflowLimitError, quoteString, sanitizeKey } from "../src/index.ts";
import { DEFAULT_LIMITS, type Limits } from "../src/limits.ts";
import { decodeMetricValue, encodeMetricValue } from "../src/non-finite.ts";
import { backoffMs, createRetryPolicy, parseRetryAfter } from "../src/retry.ts";

const rules = { limits: DEFAULT_LIMITS, nonFinite: "string", longValues: "throw", now: 1000 } as const;
const key = fc.stringMatching(/^[A-Za-z0-9_. -]{0,20}[A-Za-z0-9_]$/);
const metric = fc.record({
  key,
  value: fc.double(),
  timestamp: fc.nat(),
  step: fc.maxSafeInteger(),
});
const pair = fc.record({ key, value: fc.string({ maxLength: 12, unit: "grapheme" }) });
const limits: fc.Arbitrary<Limits> = fc.record({
  batchEntities: fc.integer({ min: 1, max: 40 }),
  batchParams: fc.integer({ min: 1, max: 25 }),
  batchTags: fc.integer({ min: 1, max: 25 }),
  batchMetricKeys: fc.integer({ min: 1, max: 30 }),
  batchBytes: fc.integer({ min: 600, max: 1_000 }),
  paramValue: fc.constant(6000),
  tagValue: fc.constant(5000),
  experimentTagValue: fc.constant(5000),
});

describe("logBatch splitting", () => {
  const uniquePairs = (maxLength: number) => fc.uniqueArray(pair, { selector: (item) => item.key, maxLength });

  it("neither loses nor reorders nor exceeds a limit, and makes no empty request", () => {
    fc.assert(
      fc.property(
        fc.array(metric, { maxLength: 80 }),
        uniquePairs(30),
        uniquePairs(30),
        limits,
        (metrics, params, tags, chosen) => {
          const { requests, skipped } = planBatches("r", { metrics, params, tags }, { ...rules, limits: chosen });
          const sent = requests.flatMap((request) =>
            request.metrics.map((item) => ({ ...item, value: decoded(item.value) })),
          );
          const expected = metrics.map((item) => ({ ...item, value: decoded(item.value) }));
          expect(sent).toEqual(expected);
          expect(requests.flatMap((request) => request.params)).toEqual(params);
          expect(requests.flatMap((request) => request.tags)).toEqual(tags);
          expect(skipped).toEqual([]);
          for (const request of requests) {
            const entities = request.metrics.length + request.params.length + request.tags.length;
            expect(entities).toBeGreaterThan(0);
            expect(entities).toBeLessThanOrEqual(chosen.batchEntities);
            expect(request.params.length).toBeLessThanOrEqual(chosen.batchParams);
            expect(request.tags.length).toBeLessThanOrEqual(chosen.batchTags);
            expect(new Set(request.metrics.map((item) => item.key)).size).toBeLessThanOrEqual(chosen.batchMetricKeys);
            expect(Buffer.byteLength(JSON.stringify(request))).toBeLessThanOrEqual(chosen.batchBytes);
          }
        },
      ),
    );
  });

  it("sends params first and metrics last", () => {
    const params = Array.from({ length: 101 }, (_, i) => ({ key: `p${i}`, value: "1" }));
    const metrics = Array.from({ length: 1000 }, (_, i) => ({ key: "m", value: i }));
    const { requests } = planBatches("r", { metrics, params, tags: [{ key: "t", value: "1" }] }, rules);
    expect(requests.map((r) => [r.params.length, r.tags.length, r.metrics.length])).toEqual([
      [100, 0, 0],
      [1, 1, 998],
      [0, 0, 2],
    ]);
  });

  it("gives one time to all metrics without one, and step 0", () => {
    const { requests } = planBatches("r", { metrics: [{ key: "m", value: 1 }] }, rules);
    expect(requests[0]?.metrics).toEqual([{ key: "m", value: 1, timestamp: 1000, step: 0 }]);
  });

  it("merges a repeated param of equal value and refuses another value, even far apart", () => {
    const many = Array.from({ length: 150 }, (_, i) => ({ key: `p${i}`, value: "1" }));
    const merged = planBatches("r", { params: [...many, { key: "p0", value: "1" }] }, rules);
    expect(merged.requests.flatMap((request) => request.params)).toEqual(many);
    expect(() => planBatches("r", { params: [...many, { key: "p0", value: "2" }] }, rules)).toThrow(
      /p0: two different/,
    );
  });

  it("keeps the last value of a repeated tag", () => {
    const tags = ["1", "2"].map((value) => ({ key: "t", value }));
    expect(planBatches("r", { tags }, rules).requests[0]?.tags).toEqual([{ key: "t", value: "2" }]);
  });

  it("refuses an entry that fits no request, and sends nothing for nothing", () => {
    const tiny = { ...rules, limits: { ...DEFAULT_LIMITS, batchBytes: 100 } };
    expect(() => planBatches("r", { params: [{ key: "p", value: "x".repeat(100) }] }, tiny)).toThrow(/batchBytes/);
    expect(planBatches("r", {}, rules)).toEqual({ requests: [], skipped: [] });
  });
});

describe("non-finite values", () => {
  it("survive the wire, apart from the two largest doubles", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        fc.pre(Math.abs(value) !== Number.MAX_VALUE);
        const wire: unknown = JSON.parse(JSON.stringify(encodeMetricValue("m", value, "string")));
        if (typeof wire !== "string" && typeof wire !== "number") throw new Error(`not a value: ${wire}`);
        expect(decodeMetricValue(wire)).toEqual(value === 0 ? 0 : value);
      }),
    );
  });

  it("read the stand-ins of SQL stores as infinite", () => {
    expect(decodeMetricValue(1.7976931348623157e308)).toBe(Number.POSITIVE_INFINITY);
    expect(decodeMetricValue("-1.7976931348623157e308")).toBe(Number.NEGATIVE_INFINITY);
    expect(decodeMetricValue("abc")).toBeUndefined();
    expect(decodeMetricValue("")).toBeUndefined();
  });

  it("are sent, left out or refused as configured", () => {
    const metrics = [Number.NaN, 1, Number.NEGATIVE_INFINITY].map((value) => ({ key: "m", value }));
    const values = (nonFinite: "string" | "skip") =>
      planBatches("r", { metrics }, { ...rules, nonFinite }).requests.flatMap((r) =>
        r.metrics.map(({ value }) => value),
      );
    expect(values("string")).toEqual(["NaN", 1, "-Infinity"]);
    expect(values("skip")).toEqual([1]);
    expect(planBatches("r", { metrics }, { ...rules, nonFinite: "skip" }).skipped).toHaveLength(2);
    expect(() => planBatches("r", { metrics }, { ...rules, nonFinite: "throw" })).toThrow(/NaN/);
  });
});

describe("keys", () => {
  it.each(["loss", "train/loss", "a b.c-d_e", "k".repeat(250), " lead"])("allows %j", (name) => {
    expect(keyProblem(name)).toBeUndefined();
  });

  it.each(["", "../x", "/x", "x/", "a//b", ".", "a/./b", "a:b", "é", "a\n", "k".repeat(251)])("refuses %j", (name) => {
    expect(keyProblem(name)).toBeDefined();
    expect(() => planBatches("r", { metrics: [{ key: name, value: 1 }] }, rules)).toThrow(MlflowLimitError);
  });

  it("are sanitised to allowed ones, allowed ones unchanged, and different ones stay different", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.string({ unit: "grapheme", maxLength: 10 }),
        (a, b) => {
          for (const name of [a, b]) expect(keyProblem(sanitizeKey(name))).toBeUndefined();
          if (keyProblem(a) === undefined) expect(sanitizeKey(a)).toBe(a);
          if (a !== b) expect(sanitizeKey(a)).not.toBe(sanitizeKey(b));
        },
      ),
    );
    expect(sanitizeKey("loss:train")).toMatch(/^loss_train-[0-9a-f]{10}$/);
  });
});

describe("values, steps and times", () => {
  it("refuses long values, or cuts them outside surrogate pairs", () => {
    const long = { params: [{ key: "p", value: `${"x".repeat(5999)}😀` }] };
    expect(() => planBatches("r", long, rules)).toThrow(/6001 characters, at most 6000/);
    const cut = planBatches("r", long, { ...rules, longValues: "truncate" });
    expect(cut.requests[0]?.params[0]?.value).toBe("x".repeat(5999));
  });

  it.each([1.5, 2 ** 53, Number.NaN])("refuses step %d, which the server would change silently", (step) => {
    expect(() => planBatches("r", { metrics: [{ key: "m", value: 1, step }] }, rules)).toThrow(/must be an integer/);
  });

  it.each([1.5, -1])("refuses time %d", (timestamp) => {
    expect(() => planBatches("r", { metrics: [{ key: "m", value: 1, timestamp }] }, rules)).toThrow(MlflowLimitError);
  });

  it("refuses bad arguments without a request", async () => {
    const neverFetch = () => Promise.reject(new Error("sent"));
    const client = new MlflowClient({ trackingUri: "http://127.0.0.1:1", env: {}, fetch: neverFetch });
    const digest = "d".repeat(37);
    await expect(client.createExperiment("n".repeat(501))).rejects.toThrow(/501 characters/);
    await expect(
      client.logInputs("r", [{ dataset: { name: "d", digest, sourceType: "s", source: "" } }]),
    ).rejects.toThrow(/digest/);
    await expect(client.createRun("1", { tags: { k: "a" }, uniqueTag: { key: "k", value: "b" } })).rejects.toThrow(
      /disagree/,
    );
    await expect(client.createRun("1", { uniqueTag: { key: "k", value: `'"` } })).rejects.toThrow(/cannot be searched/);
    await expect(client.logText("r", "x", "a/../b")).rejects.toThrow(MlflowLimitError);
    await expect(client.logDict("r", {}, "a.yaml")).rejects.toThrow(/YAML/);
    expect(() => client.searchRuns({ experimentIds: [] })).toThrow(/at least one/);
  });
});

describe("artifact addresses", () => {
  it.each(["a.txt", "d/e/f.bin", "sp ace.txt", "100%.txt", "é✓.txt", "q?&=;+:'.txt", ".hidden"])(
    "allows %j",
    (path) => {
      expect(() => checkArtifactPath(path)).not.toThrow();
    },
  );

  it.each(["", "/a", "a/", "a//b", "..", "a/../b", ".", "a#b", "a%20b", "a\\b", "a\nb"])("refuses %j", (path) => {
    expect(() => checkArtifactPath(path)).toThrow(MlflowLimitError);
  });

  it("resolves the proxy, with prefix, and other hosts only when allowed", () => {
    const base = "http://h:5000/ml";
    const folder = "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts";
    expect(proxyFolder("mlflow-artifacts:/1/r/artifacts", base, [], "artifacts")).toBe(base + folder);
    expect(proxyFolder("mlflow-artifacts://h:5000/1/r/artifacts", base, [], "artifacts")).toBe(base + folder);
    expect(() => proxyFolder("mlflow-artifacts://other:1/1/r", base, [], "artifacts")).toThrow(/artifactHosts/);
    expect(proxyFolder("mlflow-artifacts://o:1/1/r/artifacts", base, ["o:1"], "artifacts")).toBe(`http://o:1${folder}`);
    expect(() => proxyFolder("s3://bucket/x", base, [], "artifacts")).toThrow(/got s3/);
    expect(() => proxyFolder("/tmp/x", base, [], "artifacts")).toThrow(/got a local path/);
  });
});

describe("small print", () => {
  it("quotes with the other quote", () => {
    expect(quoteString("it's")).toBe(`"it's"`);
    expect(quoteString('a "b"')).toBe(`'a "b"'`);
  });

  it("backs off with full jitter under a cap", () => {
    const policy = createRetryPolicy({ baseMs: 100, factor: 2, capMs: 350, random: () => 1 });
    expect([1, 2, 3, 4].map((number) => backoffMs(policy, number))).toEqual([100, 200, 350, 350]);
  });

  it("reads Retry-After as seconds or as a date", () => {
    const now = Date.UTC(2026, 0, 1);
    expect(parseRetryAfter("7", now)).toBe(7000);
    expect(parseRetryAfter("Thu, 01 Jan 2026 00:00:30 GMT", now)).toBe(30_000);
    expect(parseRetryAfter("Thu, 01 Jan 2025 00:00:30 GMT", now)).toBe(0);
    expect(parseRetryAfter("soon", now)).toBeUndefined();
    expect(parseRetryAfter(null, now)).toBeUndefined();
  });
});

function decoded(value: number | string | undefined): number | undefined {
  const number = decodeMetricValue(value ?? 0);
  return number === 0 ? 0 : number; // -0 has no JSON form
}
