// The client against a real `mlflow server`; numbers refer to the cases of the design note. Without an MLflow
// installation (MERCLAB_MLFLOW, else `mlflow` on PATH) every case is skipped by name.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MlflowClient } from "../src/index.ts";
import { artifactsCases } from "./conformance/artifacts-cases.ts";
import { type Conformance, openConformance } from "./conformance/context.ts";
import { experimentsCases } from "./conformance/experiments-cases.ts";
import { loggingCases } from "./conformance/logging-cases.ts";
import { modelsCases } from "./conformance/models-cases.ts";
import { outageCases } from "./conformance/outage-cases.ts";
import { readmeCases } from "./conformance/readme-cases.ts";
import { runsCases } from "./conformance/runs-cases.ts";
import { serverCases } from "./conformance/server-cases.ts";
import { findMlflow, type MlflowServer, startMlflowServer } from "./server.ts";

const installation = findMlflow();
const major = Number(installation?.version.split(".")[0] ?? 0);
const name = `mlflow ${installation?.version ?? "(none found)"}`;
const START_MS = 150_000;

describe.skipIf(installation === undefined)(`conformance with ${name}`, () => {
  let conformance: Conformance;
  beforeAll(async () => {
    conformance = await openConformance();
  }, START_MS);
  afterAll(() => conformance?.close(), 30_000);

  const given = () => conformance;
  describe("experiments", () => experimentsCases(given, major));
  describe("runs", () => runsCases(given, major));
  describe("metrics, params, tags", () => loggingCases(given, major));
  describe("logged models", () => modelsCases(given, major));
  describe("artifacts", () => artifactsCases(given, major));
  describe("README", () => readmeCases(given, major));
  describe("bad days", () => outageCases(given));
  describe("the server itself", () => serverCases(given, major));
});

describe.skipIf(installation === undefined)(`conformance of prefix and artifact settings with ${name}`, () => {
  let prefixed: MlflowServer | undefined;
  let withoutProxy: MlflowServer;
  beforeAll(async () => {
    if (major >= 3) prefixed = await startMlflowServer({ args: ["--static-prefix", "/ml"], prefix: "/ml" });
    const noProxy = ["--no-serve-artifacts", "--default-artifact-root", "./on-the-server"];
    withoutProxy = await startMlflowServer({ args: noProxy });
  }, 2 * START_MS);
  afterAll(() => Promise.all([prefixed?.stop(), withoutProxy?.stop()]), 30_000);

  // 2.x applies the prefix to the web pages only.
  it.runIf(major >= 3)("a path prefix is kept for calls and for artifacts", async () => {
    if (prefixed === undefined) throw new Error("not started");
    const client = new MlflowClient({ trackingUri: `${prefixed.uri}/`, env: {} });
    expect(await client.serverInfo()).toEqual({ version: prefixed.version });
    const { info } = await client.createRun(await client.createExperiment("prefixed"));
    await client.logText(info.runId, "hello", "a/b.txt");
    const folder = await mkdtemp(join(tmpdir(), "mlflow-client-"));
    await client.downloadArtifact(info.runId, "a/b.txt", join(folder, "b.txt"));
    expect(await readFile(join(folder, "b.txt"), "utf8")).toBe("hello");
    await rm(folder, { recursive: true });
  });

  it("39 a local artifact location is refused, never guessed", async () => {
    const client = new MlflowClient({ trackingUri: withoutProxy.uri, env: {} });
    const { info } = await client.createRun(await client.createExperiment("local"));
    expect(info.artifactUri).not.toContain("mlflow-artifacts:");
    await expect(client.logText(info.runId, "x", "a.txt")).rejects.toMatchObject({
      kind: "config",
      code: "UNSUPPORTED_ARTIFACT_STORE",
    });
  });

  it("40 a proxied upload where serving is disabled fails for good", async () => {
    const client = new MlflowClient({ trackingUri: withoutProxy.uri, env: {}, retry: { attempts: 3, baseMs: 1 } });
    const experimentId = await client.createExperiment("proxied", { artifactLocation: "mlflow-artifacts:/9" });
    const { info } = await client.createRun(experimentId);
    const error = await client.logText(info.runId, "x", "a.txt").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "api", httpStatus: 503, retryable: false, attempts: 1 });
  });
});
