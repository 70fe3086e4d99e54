// Uploads of files and bytes, and the listing. Whole files are repeated after a failure, since PUT is idempotent.

import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { type ArtifactOwner, listFolder } from "./artifact-owner.ts";
import { checkArtifactPath, joinArtifactPath } from "./artifact-path.ts";
import { type ArtifactStore, type ArtifactTarget, openTarget } from "./artifact-target.ts";
import { contentTypeOf } from "./content-type.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { filesBelow, localFile } from "./local-files.ts";
import { uploadInParts } from "./multipart.ts";
import { inParallel } from "./parallel.ts";
import { transferTimeoutMs } from "./transfer-time.ts";
import type { FileInfo } from "./types.ts";

export interface LogArtifactOptions extends CallOptions {
  /** Folder below the artifact root; the root when absent. */
  readonly artifactPath?: string;
}

export interface LogArtifactsOptions extends LogArtifactOptions {
  /** Uploads at a time. */
  readonly concurrency?: number;
}

/** @returns the path below the artifact root */
export async function logArtifact(
  store: ArtifactStore,
  owner: ArtifactOwner,
  localPath: string,
  { artifactPath, ...call }: LogArtifactOptions,
): Promise<string> {
  const path = joinArtifactPath(artifactPath, basename(localPath));
  checkArtifactPath(path);
  await localFile(`logArtifact ${localPath}`, () => stat(localPath));
  await uploadFile(store, await openTarget(store, owner, call), path, localPath, call);
  return path;
}

/** All files below a folder; every name is checked before the first one is sent. @returns the paths, sorted */
export async function logArtifacts(
  store: ArtifactStore,
  owner: ArtifactOwner,
  localDir: string,
  { artifactPath, concurrency = 2, ...call }: LogArtifactsOptions,
): Promise<string[]> {
  const files = await filesBelow(localDir);
  const uploads = files.map(({ relative, absolute }) => ({ path: joinArtifactPath(artifactPath, relative), absolute }));
  for (const { path } of uploads) checkArtifactPath(path);
  const target = await openTarget(store, owner, call);
  await inParallel(uploads, concurrency, ({ path, absolute }) => uploadFile(store, target, path, absolute, call));
  return uploads.map(({ path }) => path);
}

export async function logBytes(
  store: ArtifactStore,
  owner: ArtifactOwner,
  bytes: Uint8Array,
  artifactFile: string,
  call: CallOptions,
): Promise<void> {
  checkArtifactPath(artifactFile);
  const target = await openTarget(store, owner, call);
  await put(store.http, target, artifactFile, bytes.byteLength, () => bytes, call);
}

export function listArtifacts(
  { http }: ArtifactStore,
  owner: ArtifactOwner,
  path: string | undefined,
  call: CallOptions,
): AsyncGenerator<FileInfo> {
  if (path !== undefined) checkArtifactPath(path);
  return listFolder(http, owner, path, call);
}

async function uploadFile(
  { http, multipart }: ArtifactStore,
  target: ArtifactTarget,
  path: string,
  localPath: string,
  call: CallOptions,
): Promise<void> {
  const { size } = await localFile(`upload of ${localPath}`, () => stat(localPath));
  if (multipart !== false && size >= multipart.minimumBytes && size > 0 && target.proxyFolder !== undefined) {
    if (await uploadInParts(http, target.proxyFolder, path, { localPath, size }, multipart, call)) return;
  }
  // A blob of a file is read as it is sent, and fetch announces its length.
  const body = () => localFile(`upload of ${localPath}`, () => openAsBlob(localPath));
  await put(http, target, path, size, body, call);
}

async function put(
  http: MlflowHttp,
  target: ArtifactTarget,
  path: string,
  bytes: number,
  body: () => Uint8Array | Promise<Blob>,
  call: CallOptions,
): Promise<void> {
  const address = await target.upload(path);
  await http.exchange({
    timeoutMs: transferTimeoutMs(bytes),
    ...call,
    ...address,
    name: "logArtifact",
    method: "PUT",
    repeatable: true,
    // A signature may cover the content type.
    ...(address.foreignHeaders === undefined && { contentType: contentTypeOf(path) }),
    body,
    // "{}" from the Flask route, nothing from the FastAPI route: read to free the connection, not parsed.
    consume: async (response) => void (await response.text()),
  });
}
