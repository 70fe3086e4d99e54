// What the conformance cases share: one server, a client that counts its requests, one experiment, a scratch folder.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { MlflowApiError, MlflowClient } from "../../src/index.ts";
import { type MlflowServer, startMlflowServer } from "../server.ts";

export interface Conformance {
  readonly server: MlflowServer;
  readonly client: MlflowClient;
  readonly experimentId: string;
  /** Scratch folder on the client's side. */
  readonly folder: string;
  /** A name nobody else uses. */
  unique(stem: string): string;
  newRun(): Promise<string>;
  /** Sends what the client itself refuses to send, or has no method for. */
  raw(path: string, body: object): Promise<{ status: number; text: string }>;
  /** The error of a call, checking that it took exactly one request. */
  refusal(call: () => Promise<unknown>): Promise<MlflowApiError>;
  close(): Promise<void>;
}

export async function openConformance(): Promise<Conformance> {
  const server = await startMlflowServer();
  const folder = await mkdtemp(join(tmpdir(), "mlflow-client-"));
  let requests = 0;
  const counted: typeof fetch = (...args) => {
    requests++;
    return fetch(...args);
  };
  const retry = { baseMs: 200, capMs: 1_000, attempts: 60 };
  const client = new MlflowClient({ trackingUri: server.uri, env: {}, fetch: counted, retry });
  let serial = 0;
  const unique = (stem: string) => `${stem}-${process.pid}-${serial++}`;
  const experimentId = await client.createExperiment(unique("main"));
  return {
    server,
    client,
    experimentId,
    folder,
    unique,
    newRun: async () => (await client.createRun(experimentId)).info.runId,
    raw: async (path, body) => {
      const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const response = await fetch(`${server.uri}/api/2.0/mlflow${path}`, init);
      return { status: response.status, text: await response.text() };
    },
    refusal: async (call) => {
      const before = requests;
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (!(error instanceof MlflowApiError)) throw new Error(`expected MlflowApiError, got ${error}`);
      expect(requests - before).toBe(1);
      return error;
    },
    close: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
