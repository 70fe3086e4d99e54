// Names a config by its content, seed and data left out: trials of one cell share it.
import { createHash } from "node:crypto";
import type { ResolvedConfig } from "@merclab/runner";

/** The seeds of a plan's cell share one object. */
const hashes = new WeakMap<ResolvedConfig, string>();

/** First 12 hex digits of SHA-256 over the config as JSON with sorted keys. */
export function configHash(config: ResolvedConfig): string {
  const hash = hashes.get(config) ?? createHash("sha256").update(canonicalJson(config)).digest("hex").slice(0, 12);
  hashes.set(config, hash);
  return hash;
}

/** Paths at which configs differ, e.g. ["engine.name", "trainer.options.epochs"], sorted. */
export function differingPaths(configs: readonly ResolvedConfig[]): string[] {
  return differingValues(configs).map(({ path }) => path);
}

/** The same with the values that stand there, as JSON, sorted; "absent" where there is none. */
export function differingValues(trees: readonly unknown[]): { readonly path: string; readonly values: string[] }[] {
  if (trees.length < 2) {
    return [];
  }
  const leaves = trees.map((tree) => new Map(leavesOf(tree, "")));
  const paths = [...new Set(leaves.flatMap((each) => [...each.keys()]))].sort();
  return paths
    .map((path) => ({ path, values: [...new Set(leaves.map((each) => each.get(path) ?? "absent"))].sort() }))
    .filter(({ values }) => values.length > 1);
}

/** One path at which two configs differ, with what each has there as JSON; absent where it has nothing. */
export interface ConfigDifference {
  readonly path: string;
  readonly first?: string;
  readonly second?: string;
}

export function configDifferences(first: ResolvedConfig, second: ResolvedConfig): ConfigDifference[] {
  const [one, other] = [new Map(leavesOf(first, "")), new Map(leavesOf(second, ""))];
  return differingPaths([first, second]).map((path) => {
    const [a, b] = [one.get(path), other.get(path)];
    return { path, ...(a === undefined ? {} : { first: a }), ...(b === undefined ? {} : { second: b }) };
  });
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(withSortedKeys(value));
}

function withSortedKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(withSortedKeys);
  }
  const source = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(source).sort();
  return Object.fromEntries(keys.map((key) => [key, withSortedKeys(source[key])]));
}

function leavesOf(value: unknown, path: string): [string, string][] {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, each]) => leavesOf(each, path === "" ? key : `${path}.${key}`))
    : [[path, JSON.stringify(value)]];
}
