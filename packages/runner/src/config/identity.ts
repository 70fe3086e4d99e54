// What names trials, cells and configs: hashes over their content, of the JSON with sorted keys.
import { createHash, type Hash } from "node:crypto";
import stringify from "safe-stable-stringify";
import type { ResolvedConfig, TrialSpec } from "../store/trial-files.ts";

/** Hash of everything that changes a number. */
export function trialId({ config, seed, data }: Pick<TrialSpec, "config" | "seed" | "data">): string {
  return shortHash(cellHash(config, data), `,"seed":${stringify(seed)}}`);
}

/** Hash of what the seeds of a cell have in common. */
export function cellId({ config, data }: Pick<TrialSpec, "config" | "data">): string {
  const hash = cellHash(config, data);
  const id = cellIds.get(hash) ?? shortHash(hash, "}");
  cellIds.set(hash, id);
  return id;
}

/** Names a config by its content, seed and data left out. */
export function configHash(config: ResolvedConfig): string {
  const id = configIds.get(config) ?? shortHash(createHash("sha256"), stringify(config));
  configIds.set(config, id);
  return id;
}

/** Kept, since all seeds of a cell have the same objects. */
const configIds = new WeakMap<ResolvedConfig, string>();
const cellIds = new WeakMap<Hash, string>();
const cellHashes = new WeakMap<ResolvedConfig, { readonly data: TrialSpec["data"]; readonly hash: Hash }>();

/** Over what the JSON of all seeds begins with. */
function cellHash(config: ResolvedConfig, data: TrialSpec["data"]): Hash {
  const known = cellHashes.get(config);
  if (known !== undefined && (known.data === data || stringify(known.data) === stringify(data))) {
    return known.hash;
  }
  const hash = createHash("sha256").update(`{"config":${stringify(config)},"data":${stringify(data)}`);
  cellHashes.set(config, { data, hash });
  return hash;
}

/** First 12 hex digits once the rest of the text is there. */
function shortHash(begun: Hash, rest: string): string {
  return begun.copy().update(rest).digest("hex").slice(0, 12);
}
