// Files of a run or model to the disk: streamed, beside the target and renamed, so that the target is either the
// whole file or untouched.

import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ArtifactOwner, listFolder } from "./artifact-owner.ts";
import { checkArtifactPath } from "./artifact-path.ts";
import { type ArtifactStore, type ArtifactTarget, openTarget } from "./artifact-target.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { localFile } from "./local-files.ts";
import { inParallel } from "./parallel.ts";
import { transferTimeoutMs } from "./transfer-time.ts";

export interface DownloadedArtifact {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface DownloadArtifactsOptions extends CallOptions {
  /** Downloads at a time. */
  readonly concurrency?: number;
}

export async function downloadArtifact(
  store: ArtifactStore,
  owner: ArtifactOwner,
  path: string,
  to: string,
  call: CallOptions,
): Promise<DownloadedArtifact> {
  checkArtifactPath(path);
  return downloadFrom(await openTarget(store, owner, call), store.http, owner, path, to, call);
}

/** @returns the paths below the artifact root, sorted; their names below `folder` are kept in `toFolder` */
export async function downloadArtifacts(
  store: ArtifactStore,
  owner: ArtifactOwner,
  folder: string | undefined,
  toFolder: string,
  { concurrency = 2, ...call }: DownloadArtifactsOptions,
): Promise<string[]> {
  if (folder !== undefined) checkArtifactPath(folder);
  const target = await openTarget(store, owner, call);
  const paths = (await filesOf(store.http, owner, folder, call)).sort();
  // Names come from the server and become local paths: none may lead out of the folder.
  for (const path of paths) checkArtifactPath(path);
  await inParallel(paths, concurrency, async (path) => {
    const relative = folder === undefined ? path : path.slice(folder.length + 1);
    await downloadFrom(target, store.http, owner, path, join(toFolder, relative), call);
  });
  return paths;
}

async function filesOf(
  http: MlflowHttp,
  owner: ArtifactOwner,
  folder: string | undefined,
  call: CallOptions,
): Promise<string[]> {
  const found: string[] = [];
  for await (const { path, isDir } of listFolder(http, owner, folder, call)) {
    if (isDir) found.push(...(await filesOf(http, owner, path, call)));
    else found.push(path);
  }
  return found;
}

async function downloadFrom(
  target: ArtifactTarget,
  http: MlflowHttp,
  owner: ArtifactOwner,
  path: string,
  to: string,
  call: CallOptions,
): Promise<DownloadedArtifact> {
  const partial = `${to}.${process.pid}.part`;
  await localFile(`downloadArtifact to ${to}`, () => mkdir(dirname(to), { recursive: true }));
  try {
    const result = await http.exchange({
      timeoutMs: transferTimeoutMs(0),
      ...call,
      ...(await target.download(path)),
      name: "downloadArtifact",
      method: "GET",
      repeatable: true,
      consume: async (response, extend) => {
        if (call.timeoutMs === undefined)
          extend(transferTimeoutMs(Number(response.headers.get("content-length") ?? 0)));
        const saved = await saveBody(response, partial);
        await refuseShortBody(http, owner, path, response, saved.bytes, call);
        return saved;
      },
    });
    await localFile(`downloadArtifact to ${to}`, () => rename(partial, to));
    return result;
  } finally {
    await rm(partial, { force: true });
  }
}

async function saveBody(response: Response, path: string): Promise<DownloadedArtifact> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await localFile(`download to ${path}`, () => open(path, "w"));
  try {
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      await localFile(`download to ${path}`, () => file.writeFile(chunk));
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
  http: MlflowHttp,
  owner: ArtifactOwner,
  path: string,
  response: Response,
  bytes: number,
  call: CallOptions,
): Promise<void> {
  if (response.headers.has("content-length") && !response.headers.has("content-encoding")) return; // fetch checks it
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : undefined;
  for await (const file of listFolder(http, owner, folder, call)) {
    if (file.path !== path || bytes >= (file.fileSize ?? 0)) continue;
    // Counts as a broken connection, so the whole file is fetched again.
    throw Object.assign(new Error(`got ${bytes} of ${file.fileSize} bytes`), { code: "SHORT_BODY" });
  }
}
