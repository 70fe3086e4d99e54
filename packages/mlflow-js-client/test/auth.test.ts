// Conformance cases 41 and 42 against the server's own basic-auth app, which needs Flask-WTF beside mlflow.

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MlflowClient, type MlflowClientOptions } from "../src/index.ts";
import { findMlflow, type MlflowServer, startMlflowServer } from "./server.ts";

const installation = findMlflow();
// ASCII: the server's FastAPI routes (3.17) decode no other password, its Flask routes do.
const PASSWORD = "a long passw0rd:,";
const hasAuth =
  installation !== undefined &&
  spawnSync(installation.python, ["-c", "import flask_wtf"], { timeout: 60_000 }).status === 0;

describe.skipIf(!hasAuth)(`basic auth of mlflow ${installation?.version ?? "(none found)"}`, () => {
  let server: MlflowServer;
  beforeAll(async () => {
    server = await startMlflowServer({
      args: ["--app-name", "basic-auth"],
      env: { MLFLOW_AUTH_ADMIN_PASSWORD: PASSWORD, MLFLOW_FLASK_SERVER_SECRET_KEY: "only for this test" },
    });
  }, 150_000);
  afterAll(() => server?.stop(), 30_000);

  const connect = (options: MlflowClientOptions) => {
    let requests = 0;
    const counted: typeof fetch = (...args) => {
      requests++;
      return fetch(...args);
    };
    const client = new MlflowClient({ trackingUri: server.uri, env: {}, fetch: counted, ...options });
    return { client, requests: () => requests };
  };

  it("41, 42 the right password logs a run with a file, and wins over a token", async () => {
    const env = {
      MLFLOW_TRACKING_URI: server.uri,
      MLFLOW_TRACKING_USERNAME: "admin",
      MLFLOW_TRACKING_PASSWORD: PASSWORD,
      MLFLOW_TRACKING_TOKEN: "wrong",
    };
    const client = new MlflowClient({ env });
    const { info } = await client.createRun(await client.createExperiment("auth"));
    await client.logText(info.runId, "x", "a.txt");
    expect((await client.getRun(info.runId)).info.userId).toBeDefined();
  });

  it.each([
    ["a wrong password", { auth: { username: "admin", password: "not the password" } }],
    ["a wrong token", { auth: { token: "not-a-token-of-this-server" } }],
    ["no credentials", {}],
  ])("41 %s is refused once, without quoting it", async (_name, options) => {
    const { client, requests } = connect(options);
    const error = await client.createExperiment("x").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "api", httpStatus: 401, retryable: false, attempts: 1 });
    expect(String(error)).not.toMatch(/not the password|not-a-token/);
    expect(requests()).toBe(1);
  });
});
