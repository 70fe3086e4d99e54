// Files of a run, through the server's `mlflow-artifacts:` proxy: PUT, GET and the listing of the tracking API.
// Whole files are repeated after a failure, since PUT is idempotent. Other stores are refused, never guessed.

import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { artifactUrl, checkArtifactPath, joinArtifactPath, resolveArtifactUri } from "./artifact-path.ts";
import { contentTypeOf } from "./content-type.ts";
import { decodeFileInfo, list } from "./decode.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { filesBelow, localFile } from "./local-files.ts";
import { paginate } from "./pages.ts";
import { getRun } from "./runs.ts";
import type { FileInfo } from "./types.ts";

export interface LogArtifactOptions extends CallOptions {
  /** Folder below the run's artifact root; the root when absent. */
  readonly artifactPath?: string;
}

export interface LogArtifactsOptions extends LogArtifactOptions {
  /** Uploads at a time. */
  readonly concurrency?: number;
}

export interface DownloadedArtifact {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What artifact calls need to know of their client. */
export interface ArtifactStore {
  readonly http: MlflowHttp;
  readonly artifactHosts: readonly string[];
}

/** @returns the path below the artifact root */
export async function logArtifact(
  store: ArtifactStore,
  runId: string,
  localPath: string,
  { artifactPath, ...call }: LogArtifactOptions,
): Promise<string> {
  const path = joinArtifactPath(artifactPath, basename(localPath));
  checkArtifactPath(path);
  await localFile(`logArtifact ${localPath}`, () => stat(localPath));
  await uploadFile(store, await targetOf(store, runId, call), path, localPath, call);
  return path;
}

/** All files below a folder; every name is checked before the first one is sent. @returns the paths, sorted */
export async function logArtifacts(
  store: ArtifactStore,
  runId: string,
  localDir: string,
  { artifactPath, concurrency = 2, ...call }: LogArtifactsOptions,
): Promise<string[]> {
  const files = await filesBelow(localDir);
  const uploads = files.map(({ relative, absolute }) => ({ path: joinArtifactPath(artifactPath, relative), absolute }));
  for (const { path } of uploads) checkArtifactPath(path);
  const folderUrl = await targetOf(store, runId, call);
  const queue = uploads.values();
  let failed = false;
  const worker = async () => {
    for (const { path, absolute } of queue) {
      if (failed) return;
      try {
        await uploadFile(store, folderUrl, path, absolute, call);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.max(1, concurrency) }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return uploads.map(({ path }) => path);
}

export async function logBytes(
  store: ArtifactStore,
  runId: string,
  bytes: Uint8Array,
  artifactFile: string,
  call: CallOptions,
): Promise<void> {
  checkArtifactPath(artifactFile);
  const folderUrl = await targetOf(store, runId, call);
  await put(store, folderUrl, artifactFile, bytes.byteLength, () => bytes, call);
}

/** One level of a folder; nothing for a folder that does not exist. */
export function listArtifacts(
  { http }: ArtifactStore,
  runId: string,
  path: string | undefined,
  call: CallOptions,
): AsyncGenerator<FileInfo> {
  if (path !== undefined) checkArtifactPath(path);
  return paginate("listArtifacts", async (pageToken) => {
    const request = {
      run_id: runId,
      ...(path !== undefined && { path }),
      ...(pageToken !== undefined && { page_token: pageToken }),
    };
    const { files, next_page_token } = await http.call("listArtifacts", request, call);
    return { items: list("files", files).map(decodeFileInfo), nextPageToken: next_page_token };
  });
}

/** Writes beside `to` and renames, so that `to` is either the whole file or untouched. */
export async function downloadArtifact(
  store: ArtifactStore,
  runId: string,
  path: string,
  to: string,
  call: CallOptions,
): Promise<DownloadedArtifact> {
  checkArtifactPath(path);
  const folderUrl = await targetOf(store, runId, call);
  const partial = `${to}.${process.pid}.part`;
  await localFile(`downloadArtifact to ${to}`, () => mkdir(dirname(to), { recursive: true }));
  try {
    const result = await store.http.exchange({
      timeoutMs: transferTimeoutMs(0),
      ...call,
      name: "downloadArtifact",
      method: "GET",
      url: artifactUrl(folderUrl, path),
      repeatable: true,
      consume: async (response, extend) => {
        if (call.timeoutMs === undefined)
          extend(transferTimeoutMs(Number(response.headers.get("content-length") ?? 0)));
        const saved = await saveBody(response, partial);
        await refuseShortBody(store, runId, path, response, saved.bytes, call);
        return saved;
      },
    });
    await localFile(`downloadArtifact to ${to}`, () => rename(partial, to));
    return result;
  } finally {
    await rm(partial, { force: true });
  }
}

async function targetOf({ http, artifactHosts }: ArtifactStore, runId: string, call: CallOptions): Promise<string> {
  const { info } = await getRun(http, runId, call);
  return resolveArtifactUri(info.artifactUri, http.baseUrl, artifactHosts);
}

async function uploadFile(
  store: ArtifactStore,
  folderUrl: string,
  path: string,
  localPath: string,
  call: CallOptions,
): Promise<void> {
  const { size } = await localFile(`upload of ${localPath}`, () => stat(localPath));
  // A blob of a file is read as it is sent, and fetch announces its length.
  const body = () => localFile(`upload of ${localPath}`, () => openAsBlob(localPath));
  await put(store, folderUrl, path, size, body, call);
}

async function put(
  { http }: ArtifactStore,
  folderUrl: string,
  path: string,
  bytes: number,
  body: () => Uint8Array | Promise<Blob>,
  call: CallOptions,
): Promise<void> {
  await http.exchange({
    timeoutMs: transferTimeoutMs(bytes),
    ...call,
    name: "logArtifact",
    method: "PUT",
    url: artifactUrl(folderUrl, path),
    repeatable: true,
    contentType: contentTypeOf(path),
    body,
    // "{}" from the Flask route, nothing from the FastAPI route: read to free the connection, not parsed.
    consume: async (response) => void (await response.text()),
  });
}

async function saveBody(response: Response, path: string): Promise<DownloadedArtifact> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await localFile(`download to ${path}`, () => open(path, "w"));
  try {
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      await localFile(`download to ${path}`, () => file.write(chunk));
    }
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * A gunicorn worker that is killed at its time limit may end a chunked answer as if it were complete (seen with
 * 2.22). Where no Content-Length vouches for the size, the listing does; a store that knows no size lists 0.
 */
async function refuseShortBody(
  store: ArtifactStore,
  runId: string,
  path: string,
  response: Response,
  bytes: number,
  call: CallOptions,
): Promise<void> {
  if (response.headers.has("content-length") && !response.headers.has("content-encoding")) return; // fetch checks it
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : undefined;
  for await (const file of listArtifacts(store, runId, folder, call)) {
    if (file.path !== path || bytes >= (file.fileSize ?? 0)) continue;
    // Counts as a broken connection, so the whole file is fetched again.
    throw Object.assign(new Error(`got ${bytes} of ${file.fileSize} bytes`), { code: "SHORT_BODY" });
  }
}

/** At least two minutes, and 1 s for each 2 MB. */
function transferTimeoutMs(bytes: number): number {
  return Math.max(120_000, bytes / 2_000);
}
