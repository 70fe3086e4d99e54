// Artifact addresses: which of a run's `artifact_uri`s we can write to, and which relative paths survive the trip.
// The server decodes a path twice, so a name that holds `%` and two hex digits would be stored under another name;
// `#` it refuses outright ("Invalid path").

import { MlflowConfigError, MlflowLimitError } from "./errors.ts";

/**
 * URL of the run's artifact folder on the proxy, without trailing slash.
 *
 * @param baseUrl the tracking server, without trailing slash
 * @param allowedHosts further `host[:port]`s that may be sent files and credentials
 * @param route of the proxy: `artifacts`, or one of those for uploads in parts
 * @throws MlflowConfigError for stores that are not proxied by the server, and for hosts not allowed
 */
export function proxyFolder(
  artifactUri: string,
  baseUrl: string,
  allowedHosts: readonly string[],
  route: string,
): string {
  const match = /^mlflow-artifacts:(?:\/\/([^/]*))?(\/.*)?$/.exec(artifactUri);
  if (match === null) throw unsupportedStore(artifactUri);
  const [, host = "", path = ""] = match;
  const base = new URL(baseUrl);
  const sameHost = host === "" || host === base.host;
  if (!sameHost && !allowedHosts.includes(host)) {
    throw new MlflowConfigError(
      "ARTIFACT_HOST_NOT_ALLOWED",
      `artifacts: the run keeps its files on ${host}, not on the tracking server ${base.host}; name it in artifactHosts to allow that`,
    );
  }
  const root = sameHost ? baseUrl : `${base.protocol}//${host}`;
  return `${root}/api/2.0/mlflow-artifacts/${route}${encodePath(path.replace(/\/+$/, ""))}`;
}

/** The error for files that are kept where only Python's client gets with credentials of its own. */
export function unsupportedStore(artifactUri: string, cause?: unknown): MlflowConfigError {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(artifactUri)?.[1] ?? "a local path";
  return new MlflowConfigError(
    "UNSUPPORTED_ARTIFACT_STORE",
    `artifacts: expected an mlflow-artifacts: location, got ${scheme}; run the server with --serve-artifacts ` +
      "(artifact locations of existing experiments do not change)",
    { cause },
  );
}

/** URL of one artifact; the path must have passed `checkArtifactPath`. */
export function artifactUrl(folderUrl: string, path: string): string {
  return `${folderUrl}/${encodePath(path)}`;
}

/** @throws MlflowLimitError when the path is not relative and normalised, or would not arrive as it is */
export function checkArtifactPath(path: string): void {
  const problem = artifactPathProblem(path);
  if (problem !== undefined)
    throw new MlflowLimitError("INVALID_ARTIFACT_PATH", `artifact path ${JSON.stringify(path)} ${problem}`);
}

/** Joins a folder, which may be absent, and a name. */
export function joinArtifactPath(folder: string | undefined, name: string): string {
  return folder === undefined || folder === "" ? name : `${folder.replace(/\/$/, "")}/${name}`;
}

function artifactPathProblem(path: string): string | undefined {
  if (path === "") return "is empty";
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    return "is not a relative normalised path: no leading, trailing or double slash, no . or .. between slashes";
  }
  if (/%[0-9a-f]{2}/i.test(path)) return "contains % and two hex digits, which the server would decode to another name";
  if (path.includes("#")) return "contains #, which the server refuses";
  if (path.includes("\\")) return "contains a backslash; separate folders by /";
  if (/\p{Cc}/u.test(path)) return "contains a control character";
  return undefined;
}

export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
