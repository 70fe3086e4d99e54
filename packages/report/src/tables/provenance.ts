// Where the numbers of a cell come from, and what would compute them again.
import { configHash, type TrialSpec } from "@merclab/runner";
import { codeStates } from "./code-states.ts";
import type { Missing, Planned, Provenance, TableCell } from "./table.ts";

export interface Origin extends Pick<TableCell, "trials" | "data" | "configs" | "missing" | "provenance"> {
  /** Computes what is missing; absent where nothing is. */
  readonly fill: string | undefined;
}

/** @param group every trial that the plan has for the cell, by seed */
export function originOf(
  group: readonly Planned[],
  command: (wanted: readonly TrialSpec[], cell: readonly TrialSpec[]) => string,
): Origin {
  const specs = group.map(({ spec }) => spec);
  const done = group.filter(({ result }) => result !== undefined);
  const lacking = group.filter(({ result }) => result === undefined).map(({ spec }) => spec);
  const sources = new Set(specs.map((spec) => spec.data.source));
  const fill = lacking.length === 0 ? undefined : command(lacking, specs);
  const missing: Missing | undefined =
    fill === undefined
      ? undefined
      : { wanted: group.length, have: done.length, trials: lacking.map(({ id }) => id), command: fill };
  return {
    trials: done.map(({ spec }) => spec.id),
    data: sources.size > 1 ? "mixed" : sources.has("synthetic") ? "synthetic" : "real",
    configs: distinct(specs.map(({ config }) => configHash(config))),
    provenance: provenanceOf(group, specs.length === 0 ? "" : command(specs, specs)),
    ...(missing === undefined ? {} : { missing }),
    fill,
  };
}

function provenanceOf(group: readonly Planned[], command: string): Provenance {
  const done = group.filter(({ result }) => result !== undefined);
  const versions = done.flatMap(({ result }) =>
    Object.entries(result?.versions ?? {}).map(([name, version]) => `${name} ${version}`),
  );
  return {
    seeds: done.map(({ spec }) => spec.seed),
    fingerprints: distinct(group.map(({ spec }) => spec.data.fingerprint)),
    engines: distinct(group.map(({ spec }) => spec.config.engine.name)),
    versions: distinct(versions),
    ...(done.some((trial) => "environment" in trial)
      ? { code: distinct(done.flatMap(({ environment }) => codeStates(environment))) }
      : {}),
    command,
  };
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
