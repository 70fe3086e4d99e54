// Names of metrics, params and tags. The server wants letters, digits and `_-. /` in the shape of a normalised path;
// we hold to ASCII, which every store and every server platform takes (MLflow on Linux would take `:` and é).

import { createHash } from "node:crypto";
import { MlflowLimitError } from "./errors.ts";

export const MAX_KEY_LENGTH = 250;
const REFUSED_CHARACTERS = /[^A-Za-z0-9_\-. /]/g;

/** The rule `key` breaks, undefined when it is fine. */
export function keyProblem(key: string): string | undefined {
  if (typeof key !== "string" || key === "") return "must be a non-empty string";
  if (key.length > MAX_KEY_LENGTH) return `has ${key.length} characters, at most ${MAX_KEY_LENGTH} are allowed`;
  const [refused] = key.match(REFUSED_CHARACTERS) ?? [];
  if (refused !== undefined) return `contains ${JSON.stringify(refused)}; allowed are A-Z a-z 0-9 _ - . space /`;
  if (key.split("/").some((part) => part === "" || part === "." || part === "..")) {
    return "is not a normalised path: no leading, trailing or double slash, no . or .. between slashes";
  }
  return undefined;
}

/** @throws MlflowLimitError when the server would refuse the key, or store it differently elsewhere. */
export function checkKey(what: "metric" | "param" | "tag", key: string): void {
  const problem = keyProblem(key);
  if (problem !== undefined) {
    const shown = JSON.stringify(String(key).slice(0, 80));
    throw new MlflowLimitError("INVALID_KEY", `${what} key ${shown} ${problem}; sanitizeKey() makes an allowed one`);
  }
}

/**
 * An allowed key for any string: allowed keys stay as they are; others have their offending parts replaced and a
 * hash of the original appended, so that two keys never merge into one.
 */
export function sanitizeKey(key: string): string {
  if (keyProblem(key) === undefined) return key;
  const hash = createHash("sha256").update(key, "utf8").digest("hex").slice(0, 10);
  const parts = key
    .replace(REFUSED_CHARACTERS, "_")
    .split("/")
    .filter((part) => part !== "")
    .map((part) => (part === "." || part === ".." ? part.replaceAll(".", "_") : part));
  const stem = parts
    .join("/")
    .slice(0, MAX_KEY_LENGTH - hash.length - 1)
    .replace(/\/$/, "");
  return stem === "" ? hash : `${stem}-${hash}`;
}
