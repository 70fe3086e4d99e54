// Where the bytes of an artifact go: the server's `mlflow-artifacts:` proxy, or, for `s3:`, an address that the server
// signs for one file (3.x). Anything else is refused, never guessed. A signed address gets no credentials of ours.

import { type ArtifactOwner, artifactUriOf } from "./artifact-owner.ts";
import { artifactUrl, proxyFolder, unsupportedStore } from "./artifact-path.ts";
import { MlflowApiError, MlflowProtocolError } from "./errors.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import type { MultipartOptions } from "./multipart.ts";

/** What artifact calls need to know of their client. */
export interface ArtifactStore {
  readonly http: MlflowHttp;
  readonly artifactHosts: readonly string[];
  readonly multipart: MultipartOptions | false;
}

export interface Address {
  readonly url: string;
  /** Of a signed address: these headers and none of ours. */
  readonly foreignHeaders?: Readonly<Record<string, string>>;
}

export interface ArtifactTarget {
  /** URL of the owner's folder below a route of the proxy; undefined without a proxy. */
  readonly proxyFolder?: (route: "artifacts" | "mpu/create" | "mpu/complete" | "mpu/abort") => string;
  upload(path: string): Promise<Address>;
  download(path: string): Promise<Address>;
}

/** @throws MlflowConfigError for a store that this client cannot reach, and for hosts not allowed */
export async function openTarget(
  { http, artifactHosts }: ArtifactStore,
  owner: ArtifactOwner,
  call: CallOptions,
): Promise<ArtifactTarget> {
  const artifactUri = await artifactUriOf(http, owner, call);
  if (/^s3:/i.test(artifactUri)) return signedTarget(http, owner, artifactUri, call);
  const folder: ArtifactTarget["proxyFolder"] = (route) => proxyFolder(artifactUri, http.baseUrl, artifactHosts, route);
  const address = async (path: string) => ({ url: artifactUrl(folder("artifacts"), path) });
  folder("artifacts"); // refuses here what cannot be reached
  return { proxyFolder: folder, upload: address, download: address };
}

function signedTarget(http: MlflowHttp, owner: ArtifactOwner, artifactUri: string, call: CallOptions): ArtifactTarget {
  const sign = async (ask: () => Promise<{ presigned_url?: string; headers?: Readonly<Record<string, string>> }>) => {
    try {
      const { presigned_url, headers = {} } = await ask();
      if (presigned_url === undefined || !URL.canParse(presigned_url)) {
        throw new MlflowProtocolError("WRONG_SHAPE", "artifacts: the server signed no address");
      }
      return { url: presigned_url, foreignHeaders: headers };
    } catch (error) {
      // Servers without this endpoint know no such address; stores that cannot sign answer 501.
      const cannot = error instanceof MlflowApiError && (error.httpStatus === 501 || isUnknownEndpoint(error));
      throw cannot ? unsupportedStore(artifactUri, error) : error;
    }
  };
  return {
    upload: (path) => {
      const whose = "runId" in owner ? { run_id: owner.runId } : { model_id: owner.modelId };
      return sign(() => http.call("presignedUpload", { ...whose, path }, call));
    },
    download: (path) => {
      // The server signs downloads for runs only.
      if ("modelId" in owner) throw unsupportedStore(artifactUri);
      return sign(() => http.call("presignedDownload", { run_id: owner.runId, path }, call));
    },
  };
}

function isUnknownEndpoint({ httpStatus, errorCode }: MlflowApiError): boolean {
  return (
    errorCode === "ENDPOINT_NOT_FOUND" || errorCode === "HTTP_404" || (httpStatus === 405 && errorCode === "HTTP_405")
  );
}
