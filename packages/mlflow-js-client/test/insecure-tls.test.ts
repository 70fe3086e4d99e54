// MLFLOW_TRACKING_INSECURE_TLS against a server whose certificate nobody signed; openssl makes it.

import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MlflowClient } from "../src/index.ts";

let folder: string;
let server: ReturnType<typeof createServer>;
let trackingUri: string;
const received: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlflow-client-"));
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=elsewhere", "-days", "1", "-nodes", "-newkey", "rsa:2048"];
  execFileSync("openssl", ["req", "-x509", ...subject, ...files], { stdio: "ignore" });
  const [key, cert] = [await readFile(join(folder, "key.pem")), await readFile(join(folder, "cert.pem"))];
  const info = { run_id: "r", experiment_id: "7", artifact_uri: "mlflow-artifacts:/7/r/artifacts" };
  server = createServer({ key, cert }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.once("end", () => {
      received.push(`${incoming.method} ${Buffer.concat(chunks)} ${incoming.headers.authorization}`);
      outgoing.end(JSON.stringify({ run: { info } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  trackingUri = `https://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

it("is refused without the variable, and talked to with it", async () => {
  await expect(new MlflowClient({ trackingUri, env: {} }).getRun("r")).rejects.toMatchObject({ kind: "network" });
  expect(received).toEqual([]);
  const env = { MLFLOW_TRACKING_INSECURE_TLS: "true", MLFLOW_TRACKING_TOKEN: "t" };
  const client = new MlflowClient({ trackingUri, env });
  expect((await client.getRun("r")).info.experimentId).toBe("7");
  await client.setTag("r", "k", "ü");
  await writeFile(join(folder, "a.txt"), "file");
  await client.logArtifact("r", join(folder, "a.txt"));
  expect(received).toEqual([
    "GET  Bearer t",
    'POST {"run_id":"r","key":"k","value":"ü"} Bearer t',
    "GET  Bearer t",
    "PUT file Bearer t",
  ]);
});

it("refuses a value that is neither true nor false", () => {
  const env = { MLFLOW_TRACKING_INSECURE_TLS: "maybe" };
  expect(() => new MlflowClient({ trackingUri, env })).toThrow(/MLFLOW_TRACKING_INSECURE_TLS/);
});
