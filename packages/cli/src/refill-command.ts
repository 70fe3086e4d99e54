// The command that computes given trials of a cell and nothing else: the study's own command, narrowed to the choices
// of the cell, and to the seeds that are missing where others are there.
import { isDeepStrictEqual } from "node:util";
import type { TrialSpec } from "@merclab/runner";

/**
 * @param studyCommand as the study was last run, with its overrides and flags
 * @param wanted trials to compute
 * @param cell all trials that the plan has for the cell
 */
export function refillCommand(studyCommand: string, wanted: readonly TrialSpec[], cell: readonly TrialSpec[]): string {
  const [first] = wanted;
  // Trials that differ in more than their seed are no cell that overrides can name.
  if (first === undefined || wanted.some((spec) => !isDeepStrictEqual(spec.cell, first.cell))) {
    return studyCommand;
  }
  const assigned = Object.keys(first.cell).map((key): [string, string] => [
    key === "dataset" ? "datasets" : key,
    valueText(chosenValue(first, key)),
  ]);
  const replaced = new Set([...assigned.map(([key]) => key), "dataset"]);
  const [words, flags] = splitCommand(studyCommand);
  const kept = words.filter((word) => !replaced.has(unquoted(word).split("=", 1)[0] ?? ""));
  const overrides = assigned.map(([key, value]) => shellQuoted(`${key}=${value}`));
  const seeds = [...new Set(wanted.map(({ seed }) => seed))].sort((a, b) => a - b);
  if (seeds.length === new Set(cell.map(({ seed }) => seed)).size) {
    return [...kept, ...overrides, ...flags].join(" ");
  }
  const at = flags.indexOf("--seeds");
  const others = at < 0 ? flags : flags.toSpliced(at, 2);
  return [...kept, ...overrides, ...others, "--seeds", shellQuoted(seedsText(seeds))].join(" ");
}

/** For a POSIX shell. */
export function shellQuoted(text: string): string {
  return /^[\w.=,/:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** One seed is a list, since a bare number counts seeds. */
function seedsText(seeds: readonly number[]): string {
  return seeds.length === 1 ? `[${seeds[0]}]` : seeds.join(",");
}

/** Words before the first flag, and the flags with their values; quotes stay. */
function splitCommand(command: string): [words: string[], flags: string[]] {
  const all = command.match(/(?:'[^']*'|\\.|[^\s'\\])+/g) ?? [];
  const at = all.findIndex((word) => word.startsWith("--"));
  return at < 0 ? [[...all], []] : [all.slice(0, at), all.slice(at)];
}

function unquoted(word: string): string {
  return word.replaceAll("'", "");
}

/** A list or an object as its config has it, of which a cell has a label only. */
function chosenValue({ cell, config }: TrialSpec, key: string): unknown {
  const label = cell[key];
  const [group = "", ...path] = key.split(".");
  if (typeof label !== "string" || path.length === 0 || !Object.hasOwn(config, group)) {
    return label;
  }
  const { options } = config[group as keyof TrialSpec["config"]];
  for (const keys of [path, path.slice(1)]) {
    const value = keys.reduce<unknown>(
      (inner, part) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, part) : undefined),
      keys.length === 0 ? undefined : options,
    );
    if (typeof value === "object" && value !== null) {
      return value;
    }
  }
  return label;
}

/** As YAML reads it back. */
function valueText(value: unknown): string {
  const isPlainName = typeof value === "string" && /^[A-Za-z][\w./+-]*$/.test(value);
  return isPlainName && !/^(true|false|null|nan|inf)/i.test(value) ? value : JSON.stringify(value);
}
