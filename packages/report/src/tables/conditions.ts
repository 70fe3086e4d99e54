// What a reader must know beside a number: missing seeds, mixed conditions, data that is no data. Found by looking,
// never declared.
import { configHash } from "@merclab/runner";
import type { TableAxes } from "./axes.ts";
import { differingPaths, differingValues } from "./config-differences.ts";
import { groupBy } from "./group-by.ts";
import type { CellState, Planned } from "./table.ts";

/** Trials of one row and one group of columns, by seed. */
export interface CellGroup {
  readonly trials: readonly Planned[];
  /** Computes what is missing; absent where that is told for the whole table. */
  readonly command: string | undefined;
  /** Largest number of trials planned for any group of the table. */
  readonly mostWanted: number;
  /** Some, but not all data of the table is synthetic: then it is said beside each. */
  readonly partlySynthetic: boolean;
}

/** About all numbers of a group. */
export function groupConditions({ trials, command, mostWanted, partlySynthetic }: CellGroup): string[] {
  const missing = trials.filter((trial) => trial.result === undefined);
  const have = trials.length - missing.length;
  const notes: string[] = [];
  if (missing.length > 0) {
    const failed = missing.filter((trial) => trial.status?.state === "failed");
    const errors = distinct(failed.map((trial) => trial.status?.error ?? "no reason stored"));
    const failures = failed.length === 0 ? "" : `; ${failed.length} failed (${errors.join("; ")})`;
    const found = have === 0 ? "no result yet" : `fewer seeds than planned: ${have} of ${trials.length}`;
    notes.push(`${found}${failures}${command === undefined ? "" : `; to compute: ${command}`}`);
  }
  if (trials.length < mostWanted) {
    notes.push(`fewer seeds planned than elsewhere in this table: ${trials.length} of ${mostWanted}`);
  }
  if (partlySynthetic && trials.some((trial) => trial.spec.data.source === "synthetic")) {
    notes.push("synthetic data");
  }
  const fingerprints = distinct(trials.map((trial) => trial.spec.data.fingerprint));
  if (fingerprints.length > 1) {
    notes.push(`different data or features in one cell: ${fingerprints.map(shorten).join(", ")}`);
  }
  const engines = distinct(trials.map((trial) => trial.spec.config.engine.name));
  if (engines.length > 1) {
    notes.push(`different engines in one cell: ${engines.join(", ")}`);
  }
  const configs = [...new Map(trials.map(({ spec }) => [configHash(spec.config), spec.config])).values()];
  const paths = differingPaths(configs).filter((path) => path !== "engine.name");
  if (paths.length > 0) {
    notes.push(`different configs in one cell: ${paths.join(", ")}`);
  }
  return notes;
}

/** About one metric of a group. */
export function metricConditions(label: string, state: CellState, stray: readonly number[], n: number): string[] {
  if (state === "not-a-number") {
    return [`${label} is no finite number for seed ${stray.join(", ")} (${stray.length} of ${n} trials)`];
  }
  return state === "not-scored" ? [`${label} was not scored here`] : [];
}

/** About the whole table. */
export function tableConditions(trials: readonly Planned[], { added, unused, rows, columns }: TableAxes): string[] {
  const notes: string[] = [];
  if (added.length > 0) {
    notes.push(`Split by ${added.join(", ")} as well: only seeds are averaged.`);
  }
  if (unused.length > 0) {
    notes.push(`No trial has a value for ${unused.join(", ")}: left out.`);
  }
  const byDataset = groupBy(trials, (trial) => trial.spec.config.dataset.name);
  for (const [dataset, members] of [...byDataset].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const fingerprints = distinct(members.map((trial) => trial.spec.data.fingerprint));
    if (fingerprints.length > 1) {
      notes.push(`Rows differ in the data or features of ${dataset}: ${fingerprints.map(shorten).join(", ")}.`);
    }
    const differences = protocolDifferences(members, [...rows, ...columns]);
    if (differences.length > 0) {
      notes.push(`Rows on ${dataset} differ in protocol or recipe: ${differences.join("; ")}.`);
    }
  }
  const results = trials.flatMap((trial) => trial.result ?? []);
  const packages = distinct(results.flatMap((result) => Object.keys(result.versions)));
  for (const name of packages) {
    const versions = distinct(results.map((result) => result.versions[name] ?? "unknown"));
    if (versions.length > 1) {
      notes.push(`Trials ran with different versions of ${name}: ${versions.join(", ")}.`);
    }
  }
  return notes;
}

/** Parts of a config that should be the same for all rows unless a table is about them. */
const PROTOCOL = ["dataset", "trainer", "optimizer", "engine"] as const;

/** "trainer.epochs 20, 40": what rows on the same data differ in without showing it. */
function protocolDifferences(trials: readonly Planned[], axes: readonly string[]): string[] {
  const configs = [...new Map(trials.map(({ spec: { config } }) => [configHash(config), config])).values()];
  const differing = PROTOCOL.flatMap((part) => {
    // Most parts are the same object in many configs.
    const distinctParts = [...new Set(configs.map((config) => config[part]))];
    return differingValues(distinctParts.map(({ name, options }) => ({ [part]: { ...options, name } })));
  });
  return differing
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, values }) => ({ path: path.replace(/\.name$/, ""), values }))
    .filter(({ path }) => !axes.some((axis) => path === axis || path.startsWith(`${axis}.`)))
    .map(({ path, values }) => `${path} ${values.join(", ")}`);
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

function shorten(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}
