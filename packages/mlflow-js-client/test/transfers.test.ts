// Transfers past the proxy, against a scripted server: uploads in parts, and addresses that the server signs. Neither
// may carry our credentials, and a store that cannot do it gets the file in one piece.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { MlflowClient } from "../src/index.ts";
import { type RecordedRequest, type Reply, startFakeServer } from "./fake-server.ts";

const TOKEN = "secret-token";
const multipart = { minimumBytes: 10, partBytes: 4, concurrency: 2 };

async function storing(artifactUri: string, answer: (request: RecordedRequest, uri: string) => Reply | undefined) {
  const folder = await mkdtemp(join(tmpdir(), "mlflow-client-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "model.bin");
  await writeFile(file, "0123456789");
  const run = { run: { info: { run_id: "r", experiment_id: "7", artifact_uri: artifactUri } } };
  let uri = "";
  const server = await startFakeServer((request) => {
    if (request.path.endsWith("/runs/get")) return { body: run };
    return answer(request, uri) ?? { status: 500, body: { error_code: "INTERNAL_ERROR", message: request.path } };
  });
  uri = server.uri;
  const retry = { baseMs: 1, capMs: 2, attempts: 3 };
  const client = new MlflowClient({ trackingUri: uri, env: {}, auth: { token: TOKEN }, retry, multipart });
  return { server, client, file, folder };
}

const proxied = "mlflow-artifacts:/7/r/artifacts";
const opened = (uri: string) => ({
  upload_id: "u",
  credentials: [1, 2, 3].map((part_number) => ({
    url: `${uri}/store/${part_number}?sig=s`,
    part_number,
    headers: { "x-store": "yes" },
  })),
});

it("uploads in parts, repeats a failed one alone, and keeps its token to itself", async () => {
  let failures = 1;
  const { server, client, file } = await storing(proxied, ({ path }, uri) => {
    if (path.includes("/mpu/create/")) return { body: opened(uri) };
    if (path === "/store/2" && failures-- > 0) return { status: 503, body: "slow down" };
    if (path.startsWith("/store/")) return { headers: { etag: `"e${path.at(-1)}"` } };
    return path.includes("/mpu/complete/") ? {} : undefined;
  });
  expect(await client.logArtifact("r", file, { artifactPath: "a b" })).toBe("a b/model.bin");
  const created = server.requests.find(({ path }) => path.includes("/mpu/create/"));
  expect(created?.path).toBe("/api/2.0/mlflow-artifacts/mpu/create/7/r/artifacts/a%20b");
  expect(created?.json()).toEqual({ path: "model.bin", num_parts: 3 });
  const parts = server.requests.filter(({ path }) => path.startsWith("/store/"));
  expect(parts.map(({ path, body }) => `${path} ${body}`).sort()).toEqual([
    "/store/1 0123",
    "/store/2 4567",
    "/store/2 4567",
    "/store/3 89",
  ]);
  for (const { headers } of parts) expect([headers["x-store"], headers.authorization]).toEqual(["yes", undefined]);
  expect(server.requests.at(-1)?.json()).toEqual({
    path: "model.bin",
    upload_id: "u",
    parts: [1, 2, 3].map((part) => ({
      part_number: part,
      etag: `"e${part}"`,
      url: `${server.uri}/store/${part}?sig=s`,
    })),
  });
});

it("gives up an upload whose part is refused, and frees what was stored", async () => {
  const { server, client, file } = await storing(proxied, ({ path }, uri) => {
    if (path.includes("/mpu/create/")) return { body: opened(uri) };
    if (path.startsWith("/store/")) return { status: 403, body: "<Error>expired</Error>" };
    return path.includes("/mpu/abort/") ? {} : undefined;
  });
  const error = await client.logArtifact("r", file).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ kind: "api", httpStatus: 403 });
  expect(String(error)).not.toContain("sig=");
  expect(server.requests.at(-1)?.json()).toEqual({ path: "model.bin", upload_id: "u" });
});

it("sends in one piece where the store takes no parts, and small files without asking", async () => {
  const { server, client, file } = await storing(proxied, ({ method, path }) => {
    if (path.includes("/mpu/create/")) {
      return { status: 501, body: { error_code: "NOT_IMPLEMENTED", message: "Multipart upload is not supported" } };
    }
    return method === "PUT" ? {} : undefined;
  });
  await client.logArtifact("r", file);
  await client.logText("r", "small", "b.txt");
  expect(server.requests.map(({ method, path }) => `${method} ${path.split("/").at(-1)}`)).toEqual([
    "GET get",
    "POST artifacts",
    "PUT model.bin",
    "GET get",
    "PUT b.txt",
  ]);
  expect(server.requests[2]?.body.toString()).toBe("0123456789");
});

it("uses addresses the server signs for s3, both ways, without its token", async () => {
  const { server, client, file, folder } = await storing("s3://bucket/7/r", ({ method, path }, uri) => {
    if (path.includes("/presigned-")) return { body: { presigned_url: `${uri}/s3/k?sig=s`, headers: { "x-s3": "1" } } };
    if (path === "/s3/k") return { body: method === "GET" ? "0123456789" : "" };
    return undefined;
  });
  await client.logArtifact("r", file);
  const { bytes } = await client.downloadArtifact("r", "model.bin", join(folder, "back"));
  expect([bytes, await readFile(join(folder, "back"), "utf8")]).toEqual([10, "0123456789"]);
  const direct = server.requests.filter(({ path }) => path === "/s3/k");
  expect(direct.map(({ method, headers }) => [method, headers["x-s3"], headers.authorization])).toEqual([
    ["PUT", "1", undefined],
    ["GET", "1", undefined],
  ]);
  const asked = server.requests.filter(({ path }) => path.includes("/presigned-"));
  expect(asked.map((request) => request.json())).toEqual([1, 2].map(() => ({ run_id: "r", path: "model.bin" })));
});

it("refuses s3 on a server that signs nothing", async () => {
  const { client, file } = await storing("s3://bucket/7/r", () => ({ status: 404, body: "<h1>Not Found</h1>" }));
  await expect(client.logArtifact("r", file)).rejects.toMatchObject({ code: "UNSUPPORTED_ARTIFACT_STORE" });
});

it("never writes a listed name outside of the folder", async () => {
  const files = [{ path: "../evil.txt", is_dir: false, file_size: 1 }];
  const { client, folder } = await storing(proxied, ({ path }) =>
    path.endsWith("/artifacts/list") ? { body: { files } } : undefined,
  );
  await expect(client.downloadArtifacts("r", undefined, join(folder, "in"))).rejects.toMatchObject({ kind: "limit" });
});
