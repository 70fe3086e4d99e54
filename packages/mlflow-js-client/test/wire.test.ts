// The wire against a scripted server: what is repeated and what is not, time limits, classification, credentials.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  MlflowApiError,
  MlflowClient,
  type MlflowClientOptions,
  MlflowConfigError,
  MlflowNetworkError,
  MlflowProtocolError,
} from "../src/index.ts";
import { type RecordedRequest, type Reply, type Script, startFakeServer } from "./fake-server.ts";

const RUN = { run: { info: { run_id: "a".repeat(32), experiment_id: "7", status: "RUNNING" } } };
const quick = { baseMs: 1, capMs: 5 };

async function scripted(script: Script[], options: MlflowClientOptions = {}) {
  const server = await startFakeServer(...script);
  const client = new MlflowClient({ trackingUri: server.uri, env: {}, retry: quick, ...options });
  return { server, client };
}

async function failure<E>(promise: Promise<unknown>, type: abstract new (...args: never[]) => E): Promise<E> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (error instanceof type) return error;
  throw new Error(`expected ${type.name}, got ${error}`);
}

describe("retry", () => {
  it("repeats a read after retryable codes until it succeeds", async () => {
    const busy = { status: 503, body: { error_code: "TEMPORARILY_UNAVAILABLE", message: "busy" } };
    const { server, client } = await scripted([busy, { status: 502, body: "<html>Bad Gateway</html>" }, { body: RUN }]);
    const run = await client.getRun("a".repeat(32));
    expect(run.info.experimentId).toBe("7");
    expect(server.requests).toHaveLength(3);
  });

  it("gives up after the policy's attempts and reports their number", async () => {
    const { server, client } = await scripted([{ status: 500, body: { error_code: "INTERNAL_ERROR", message: "x" } }], {
      retry: { ...quick, attempts: 3 },
    });
    const error = await failure(client.getRun("r"), MlflowApiError);
    expect(error).toMatchObject({ kind: "api", code: "INTERNAL_ERROR", retryable: true, attempts: 3 });
    expect(server.requests).toHaveLength(3);
  });

  it("does not repeat INVALID_STATE in spite of its status 500", async () => {
    const { server, client } = await scripted([{ status: 500, body: { error_code: "INVALID_STATE", message: "x" } }]);
    expect(await failure(client.getRun("r"), MlflowApiError)).toMatchObject({ retryable: false, httpStatus: 500 });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ["the server ran out of connections", "QueuePool limit of size 5 overflow 10 reached, connection timed out"],
    ["another run recorded the dataset (SQLite)", "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.name"],
    ["it did (PostgreSQL)", 'duplicate key value violates unique constraint "dataset_pk" [SQL: …]'],
    ["it did (MySQL)", "(1062, \"Duplicate entry '1-meld-d' for key 'datasets.PRIMARY'\")"],
  ])("repeats a 400 that says that %s, and no other 400", async (_, message) => {
    const refusal = (text: string) => ({ status: 400, body: { error_code: "BAD_REQUEST", message: text } });
    const { server, client } = await scripted([refusal(message), { body: RUN }], { retry: quick });
    expect((await client.getRun("r")).info.experimentId).toBe("7");
    expect(server.requests).toHaveLength(2);
    const { client: wrong } = await scripted([refusal("no such thing"), { body: RUN }]);
    await failure(wrong.getRun("r"), MlflowApiError);
  });

  it("classifies an unknown error code by its status", async () => {
    const { client } = await scripted([{ status: 504, body: { error_code: "NEW_CODE" } }], { retry: { attempts: 1 } });
    expect(await failure(client.getRun("r"), MlflowApiError)).toMatchObject({ code: "NEW_CODE", retryable: true });
  });

  it("lets Retry-After win over the back-off", async () => {
    const { client } = await scripted([{ status: 429, headers: { "retry-after": "0" } }, { body: RUN }], {
      retry: { baseMs: 60_000, random: () => 1 },
    });
    const started = Date.now();
    await client.getRun("r");
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  it("gives up at once when Retry-After lies beyond the time limit", async () => {
    const { server, client } = await scripted([{ status: 429, headers: { "retry-after": "3600" } }], {
      retry: { maxElapsedMs: 1_000 },
    });
    expect(await failure(client.getRun("r"), MlflowApiError)).toMatchObject({
      code: "HTTP_429",
      retryAfterMs: 3_600_000,
    });
    expect(server.requests).toHaveLength(1);
  });

  it("repeats logBatch with byte-equal bodies after a cut connection", async () => {
    const { server, client } = await scripted([{ cut: "before" }, { cut: "within" }, {}]);
    await client.logBatch("r", { metrics: [{ key: "loss", value: 0.5 }] });
    expect(server.requests).toHaveLength(3);
    expect(new Set(server.requests.map(({ body }) => body.toString())).size).toBe(1);
  });

  it("never repeats createRun after a lost answer", async () => {
    const { server, client } = await scripted([{ cut: "before" }]);
    const error = await failure(client.createRun("7"), MlflowNetworkError);
    expect(error).toMatchObject({ kind: "network", attempts: 1, unsent: false });
    expect(server.requests).toHaveLength(1);
  });

  it("never repeats createRun after a 502 or INTERNAL_ERROR, but does after 429", async () => {
    for (const reply of [{ status: 502 }, { status: 500, body: { error_code: "INTERNAL_ERROR" } }]) {
      const { server, client } = await scripted([reply]);
      await failure(client.createRun("7"), MlflowApiError);
      expect(server.requests).toHaveLength(1);
    }
    const { server, client } = await scripted([{ status: 429 }, { body: RUN }]);
    await client.createRun("7");
    expect(server.requests).toHaveLength(2);
  });

  it("repeats createRun when the connection was refused, since nothing was sent", async () => {
    let calls = 0;
    const client = new MlflowClient({
      trackingUri: "http://127.0.0.1:1",
      env: {},
      retry: quick,
      fetch: async () => {
        calls++;
        if (calls < 3)
          throw new TypeError("fetch failed", { cause: Object.assign(new Error("no"), { code: "ECONNREFUSED" }) });
        return Response.json(RUN);
      },
    });
    await client.createRun("7");
    expect(calls).toBe(3);
  });

  it("with uniqueTag looks again after a lost answer and finds the run that was created", async () => {
    const tagged = { runs: [{ ...RUN.run, data: { tags: [{ key: "exp.run_key", value: "k" }] } }] };
    const { server, client } = await scripted([{}, { cut: "before" }, { body: tagged }]);
    const run = await client.createRun("7", { uniqueTag: { key: "exp.run_key", value: "k" } });
    expect(run.info.runId).toBe("a".repeat(32));
    expect(server.requests.map(({ path }) => path.split("/").at(-1))).toEqual(["search", "create", "search"]);
    expect(server.requests[0]?.json()).toMatchObject({ filter: "tags.`exp.run_key` = 'k'", run_view_type: "ALL" });
  });

  it("does not repeat a distrusted certificate", async () => {
    let calls = 0;
    const cause = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    const refuse = async () => {
      calls++;
      throw new TypeError("fetch failed", { cause });
    };
    const client = new MlflowClient({ trackingUri: "https://h", env: {}, retry: quick, fetch: refuse });
    const error = await failure(client.getRun("r"), MlflowNetworkError);
    expect(error.message).toContain("NODE_EXTRA_CA_CERTS");
    expect(calls).toBe(1);
  });
});

describe("time limits", () => {
  it("times out an attempt, repeats it, and says so in the end", async () => {
    const { server, client } = await scripted([{ delayMs: 2_000 }], {
      timeoutMs: 50,
      retry: { ...quick, attempts: 2 },
    });
    const error = await failure(client.getRun("r"), MlflowNetworkError);
    expect(error).toMatchObject({ code: "TIMEOUT", attempts: 2, unsent: false });
    expect(error.message).toContain("50 ms");
    expect(server.requests).toHaveLength(2);
  });

  it("rejects with the reason of the caller's signal, also while waiting for the next attempt", async () => {
    const { client } = await scripted([{ status: 503 }], { retry: { baseMs: 60_000, random: () => 1 } });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(client.getRun("r", { signal: controller.signal })).rejects.toThrow("enough");
  });
});

describe("answers of other shapes", () => {
  it.each([
    [
      "HTML 502 of a proxy",
      { status: 502, body: "<html><title>502 Bad Gateway</title></html>" },
      "HTTP_502",
      true,
      "502 Bad Gateway",
    ],
    ["plain text 401", { status: 401, body: "You are not authenticated." }, "HTTP_401", false, "not authenticated"],
    ["413 of a proxy", { status: 413, body: "<h1>Too Large</h1>" }, "HTTP_413", false, "batchBytes"],
    ["FastAPI detail", { status: 400, body: { detail: "bad path" } }, "HTTP_400", false, "bad path"],
    [
      "disabled artifact serving",
      { status: 503, body: { detail: "Artifact serving is disabled" } },
      "HTTP_503",
      false,
      "disabled",
    ],
    [
      "artifact serving disabled by the Flask route",
      { status: 503, body: "Endpoint: /x disabled due to the mlflow server running with `--no-serve-artifacts`." },
      "HTTP_503",
      false,
      "--no-serve-artifacts",
    ],
    ["404 page", { status: 404, body: "<h1>Not Found</h1>" }, "HTTP_404", false, "path prefix"],
    [
      "host check",
      { status: 403, body: "Invalid Host header - possible DNS rebinding attack detected" },
      "HTTP_403",
      false,
      "--allowed-hosts 127.0.0.1",
    ],
    ["redirect", { status: 302, headers: { location: "https://h/login" } }, "HTTP_302", false, "not followed"],
  ] as const)("%s", async (_name, reply, code, retryable, text) => {
    const { client } = await scripted([reply], { retry: { attempts: 1 } });
    const error = await failure(client.getRun("r"), MlflowApiError);
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain(text);
  });

  it("takes a 404 page for an error, not for an absent experiment", async () => {
    const { client } = await scripted([{ status: 404, body: "<h1>Not Found</h1>" }]);
    await failure(client.getExperimentByName("x"), MlflowApiError);
  });

  it("refuses a successful answer that is not JSON or not an object", async () => {
    for (const body of ["<html>log in</html>", "[]", "null"]) {
      const { server, client } = await scripted([{ body }]);
      expect(await failure(client.getRun("r"), MlflowProtocolError)).toMatchObject({ kind: "protocol", body });
      expect(server.requests).toHaveLength(1);
    }
  });

  it("refuses an answer without the id", async () => {
    const { client } = await scripted([{ body: { run: { info: {} } } }]);
    await failure(client.getRun("r"), MlflowProtocolError);
  });
});

describe("decoding", () => {
  it("reads int64 as number or string and absent fields as defaults", async () => {
    const info = { run_id: "r", experiment_id: "7", start_time: "1700000000000", end_time: 1700000000001 };
    const metrics = [{ key: "m", value: 1, timestamp: "5", step: "-3" }, { key: "zero" }];
    const { client } = await scripted([{ body: { run: { info, data: { metrics } } } }]);
    const run = await client.getRun("r");
    expect(run.info).toMatchObject({ startTime: 1700000000000, endTime: 1700000000001, status: "RUNNING" });
    expect(run.data.metrics.get("m")).toEqual({ key: "m", value: 1, timestamp: 5, step: -3 });
    expect(run.data.metrics.get("zero")).toEqual({ key: "zero", value: 0, timestamp: 0, step: 0 });
    expect([...run.data.params, ...run.data.tags, ...run.inputs.datasets]).toEqual([]);
  });

  it("follows page tokens and refuses one that repeats", async () => {
    const page = (value: number, token?: string) => ({
      body: { metrics: [{ key: "m", value }], next_page_token: token },
    });
    const { server, client } = await scripted([page(1, "a"), page(2, "b"), page(3)]);
    const values = [];
    for await (const { value } of client.getMetricHistory("r", "m")) values.push(value);
    expect(values).toEqual([1, 2, 3]);
    expect(server.requests.map(({ query }) => query.get("page_token"))).toEqual([null, "a", "b"]);
    const { client: looping } = await scripted([page(1, "a")]);
    const drain = async () => {
      for await (const _ of looping.getMetricHistory("r", "m"));
    };
    await failure(drain(), MlflowProtocolError);
  });
});

describe("connection", () => {
  it("keeps a path prefix and drops the trailing slash", async () => {
    const server = await startFakeServer({ body: RUN });
    await new MlflowClient({ trackingUri: `${server.uri}/ml/`, env: {} }).getRun("r");
    expect(server.requests[0]?.path).toBe("/ml/api/2.0/mlflow/runs/get");
  });

  it.each([
    ["token of the environment", { env: { MLFLOW_TRACKING_TOKEN: "tok-1" } }, "Bearer tok-1"],
    [
      "basic wins over the token",
      { env: { MLFLOW_TRACKING_USERNAME: "u", MLFLOW_TRACKING_PASSWORD: "pässword", MLFLOW_TRACKING_TOKEN: "tok-1" } },
      `Basic ${Buffer.from("u:pässword").toString("base64")}`,
    ],
    [
      "options win over the environment",
      { auth: { token: "mine" }, env: { MLFLOW_TRACKING_TOKEN: "tok-1" } },
      "Bearer mine",
    ],
    ["an empty auth switches the environment off", { auth: {}, env: { MLFLOW_TRACKING_TOKEN: "tok-1" } }, undefined],
    [
      "a hook may sign itself",
      { headers: async () => ({ Authorization: "AWS4 x" }), env: { MLFLOW_TRACKING_TOKEN: "t" } },
      "AWS4 x",
    ],
  ] as const)("auth: %s", async (_name, options, expected) => {
    const { server, client } = await scripted([{ body: RUN }], options);
    await client.getRun("r");
    expect(server.requests[0]?.headers.authorization).toBe(expected);
  });

  it("takes credentials out of the URI and keeps secrets out of messages and bodies", async () => {
    const basic = Buffer.from("user:s3cret-pw").toString("base64");
    const server = await startFakeServer({ status: 401, body: `denied: Basic ${basic} s3cret-pw` });
    const trackingUri = server.uri.replace("http://", "http://user:s3cret-pw@");
    const error = await failure(new MlflowClient({ trackingUri, env: {} }).getRun("r"), MlflowApiError);
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${basic}`);
    expect(`${error.message}${error.body}`).not.toMatch(new RegExp(`s3cret-pw|${basic}`));
  });

  it("does not quote a malformed token or header", async () => {
    expect(() => new MlflowClient({ trackingUri: "http://h", auth: { token: "hidden\n" }, env: {} })).toThrow(
      /token contains a control character/,
    );
    const { client } = await scripted([{}], { headers: () => ({ "x-key": "hidden\n\u0000" }) });
    const error = await failure(client.getRun("r"), MlflowConfigError);
    expect(error.message).toContain("x-key");
    expect(error.message).not.toContain("hidden");
    expect(error.cause).toBeUndefined();
  });

  it.each([
    ["", /none given/],
    ["file:///tmp/mlruns", /got file:/],
    ["sqlite:///x.db", /got sqlite:/],
    ["databricks", /got databricks/],
    ["./mlruns", /got a path/],
    ["http://h/?a=b", /without query/],
    ["http://", /expected http/],
  ])("refuses the tracking URI %j", (trackingUri, message) => {
    expect(() => new MlflowClient({ trackingUri, env: {} })).toThrow(message);
  });

  it("refuses half of a username and password", () => {
    expect(() => new MlflowClient({ trackingUri: "http://h", env: { MLFLOW_TRACKING_USERNAME: "u" } })).toThrow(
      /password is missing/,
    );
  });

  it("sends application/json with every POST and nothing of it with GET", async () => {
    const { server, client } = await scripted([{}, { body: RUN }]);
    await client.setTag("r", "k", "v");
    await client.getRun("r");
    expect(server.requests.map(({ headers }) => headers["content-type"])).toEqual(["application/json", undefined]);
  });
});

describe("experiments", () => {
  const missing = { status: 404, body: { error_code: "RESOURCE_DOES_NOT_EXIST", message: "no" } };
  const experiment = (stage: string) => ({
    body: { experiment: { experiment_id: "7", name: "e", lifecycle_stage: stage } },
  });

  it("looks again when somebody else created the experiment first", async () => {
    const exists = { status: 400, body: { error_code: "RESOURCE_ALREADY_EXISTS", message: "yes" } };
    const { client } = await scripted([missing, exists, experiment("active")]);
    expect((await client.getOrCreateExperiment("e")).experimentId).toBe("7");
  });

  it("looks again when the answer to the creation was lost", async () => {
    const { server, client } = await scripted([missing, { cut: "before" }, experiment("active")]);
    expect((await client.getOrCreateExperiment("e")).experimentId).toBe("7");
    expect(server.requests).toHaveLength(3);
  });

  it("names the way out when the experiment is deleted", async () => {
    const { client } = await scripted([experiment("deleted")]);
    await expect(client.getOrCreateExperiment("e")).rejects.toMatchObject({ kind: "deleted", id: "7" });
    await expect(client.getOrCreateExperiment("e")).rejects.toThrow('restoreExperiment("7")');
  });
});

describe("downloads", () => {
  const run = { run: { info: { ...RUN.run.info, artifact_uri: "mlflow-artifacts:/7/r/artifacts" } } };
  const listing = { files: [{ path: "d/a.txt", is_dir: false, file_size: "5" }] };

  async function downloading(...bodies: Reply[]) {
    const folder = await mkdtemp(join(tmpdir(), "mlflow-client-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const answer = ({ path }: RecordedRequest): Reply => {
      if (path.endsWith("/runs/get")) return { body: run };
      if (path.endsWith("/artifacts/list")) return { body: listing };
      return bodies.shift() ?? { status: 500 };
    };
    const { client } = await scripted([answer], { retry: { ...quick, attempts: 2 } });
    return { folder, to: join(folder, "new", "a.txt"), client };
  }

  it("fetches again what was cut, with or without a Content-Length", async () => {
    for (const short of [
      { body: "hello", cut: "within" },
      { body: "he", chunked: true },
    ] as const) {
      const { client, to } = await downloading(short, { body: "hello", chunked: true });
      expect(await client.downloadArtifact("r", "d/a.txt", to)).toMatchObject({ bytes: 5 });
      expect(await readFile(to, "utf8")).toBe("hello");
    }
  });

  it("ends with SHORT_BODY and leaves nothing behind when the file stays short", async () => {
    const { client, folder, to } = await downloading({ body: "he", chunked: true }, { body: "hel", chunked: true });
    const error = await failure(client.downloadArtifact("r", "d/a.txt", to), MlflowNetworkError);
    expect(error).toMatchObject({ code: "SHORT_BODY", attempts: 2 });
    expect(error.message).toContain("got 3 of 5 bytes");
    expect(await readdir(join(folder, "new"))).toEqual([]);
  });
});
