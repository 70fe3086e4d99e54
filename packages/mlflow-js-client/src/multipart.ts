// Large files in parts, past the proxy: the server opens an upload at its store and signs one address for each part.
// A failed part is sent again alone. Stores that cannot (a local disk) answer 501, and the file goes in one piece.

import { openAsBlob } from "node:fs";
import { encodePath } from "./artifact-path.ts";
import type { ArtifactTarget } from "./artifact-target.ts";
import { MlflowApiError, MlflowProtocolError } from "./errors.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { localFile } from "./local-files.ts";
import { inParallel } from "./parallel.ts";
import { transferTimeoutMs } from "./transfer-time.ts";

export interface MultipartOptions {
  /** Smaller files go in one piece through the proxy. */
  readonly minimumBytes: number;
  /** S3 wants 5 MiB or more, and at most 10000 parts: more are made larger. */
  readonly partBytes: number;
  /** Parts at a time. */
  readonly concurrency: number;
}

export const DEFAULT_MULTIPART: MultipartOptions = {
  minimumBytes: 500 * 1024 ** 2,
  partBytes: 10 * 1024 ** 2,
  concurrency: 2,
};

const MAX_PARTS = 10_000;

interface Credential {
  readonly url: string;
  readonly partNumber: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** @returns false when the server's store cannot take parts; nothing was sent then */
export async function uploadInParts(
  http: MlflowHttp,
  folder: NonNullable<ArtifactTarget["proxyFolder"]>,
  path: string,
  file: { readonly localPath: string; readonly size: number },
  options: MultipartOptions,
  call: CallOptions,
): Promise<boolean> {
  const partBytes = Math.max(options.partBytes, Math.ceil(file.size / MAX_PARTS));
  const parts = Math.ceil(file.size / partBytes);
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  const below = slash < 0 ? "" : `/${encodePath(path.slice(0, slash))}`;
  const post = (step: "create" | "complete" | "abort", body: object, repeatable: boolean, options: CallOptions) =>
    http.post(`logArtifact (${step} parts)`, `${folder(`mpu/${step}`)}${below}`, body, repeatable, options);

  const opened = await post("create", { path: name, num_parts: parts }, true, call).catch(unlessUnsupported);
  if (opened === undefined) return false;
  const { uploadId, credentials } = readUpload(opened, parts);
  const done: { part_number: number; etag: string; url: string }[] = [];
  try {
    const whole = await localFile(`upload of ${file.localPath}`, () => openAsBlob(file.localPath));
    await inParallel(credentials, options.concurrency, async ({ url, partNumber, headers }) => {
      const first = (partNumber - 1) * partBytes;
      const etag = await http.exchange({
        timeoutMs: transferTimeoutMs(partBytes),
        ...call,
        name: `logArtifact (part ${partNumber} of ${parts})`,
        method: "PUT",
        url,
        foreignHeaders: headers,
        repeatable: true,
        body: () => whole.slice(first, Math.min(first + partBytes, file.size)),
        consume: async (response) => {
          await response.arrayBuffer();
          return response.headers.get("etag") ?? "";
        },
      });
      done.push({ part_number: partNumber, etag, url });
    });
    done.sort((a, b) => a.part_number - b.part_number);
    await post("complete", { path: name, upload_id: uploadId, parts: done }, false, call);
    return true;
  } catch (error) {
    // Frees the parts at the store. The caller's signal may have fired already, and the first error is what matters.
    await post("abort", { path: name, upload_id: uploadId }, true, { timeoutMs: 10_000 }).catch(() => undefined);
    throw error;
  }
}

function unlessUnsupported(error: unknown): undefined {
  const { httpStatus = 0, errorCode = "" } = error instanceof MlflowApiError ? error : {};
  // 2.x releases before multipart uploads do not know the address.
  if (httpStatus === 501 || errorCode === "NOT_IMPLEMENTED" || errorCode === "HTTP_404") return undefined;
  throw error;
}

function readUpload(answer: object, parts: number): { uploadId: string; credentials: Credential[] } {
  const { upload_id, credentials } = answer as { upload_id?: unknown; credentials?: unknown };
  const read = (Array.isArray(credentials) ? credentials : []).map(readCredential);
  const numbers = new Set(read.map(({ partNumber }) => partNumber));
  const complete = numbers.size === parts && read.every(({ partNumber }) => partNumber >= 1 && partNumber <= parts);
  if (typeof upload_id !== "string" || !complete) {
    throw new MlflowProtocolError("WRONG_SHAPE", `logArtifact: expected addresses for ${parts} parts of an upload`);
  }
  return { uploadId: upload_id, credentials: read };
}

function readCredential(given: unknown): Credential {
  const { url, part_number, headers } = Object(given) as { url?: unknown; part_number?: unknown; headers?: unknown };
  if (typeof url !== "string" || !URL.canParse(url)) {
    throw new MlflowProtocolError("WRONG_SHAPE", "logArtifact: the server signed no address for a part");
  }
  const texts = Object.entries(Object(headers)).map(([name, value]) => [name, String(value)] as const);
  return { url, partNumber: Number(part_number), headers: Object.fromEntries(texts) };
}
