// Hashes by which things are found again on the server and changes are noticed.
import { createHash } from "node:crypto";

export function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** Short enough for a tag or a name. */
export function shortHash(text: string): string {
  return sha256(text).slice(0, 26);
}
