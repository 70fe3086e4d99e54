// The experiment file: what to compare, on which data, with how many seeds, and which tables to print.
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { MerclabError, suggestName } from "@merclab/core";
import { readYamlFile } from "@merclab/data";
import glob from "fast-glob";
import { z } from "zod";
import type { Assignment, AssignmentValue, Axis } from "./assignments.ts";
import { assignmentValue, GROUPS, isGroup } from "./groups.ts";
import { DEFAULT_TABLE, type TableSpec, tableSpec } from "./table-spec.ts";

/** More is a slip: somebody meant the list [12345]. */
export const MAX_SEEDS = 1000;

const assignments = z.record(z.string(), assignmentValue);

const experimentFile = z.strictObject({
  title: z.string(),
  /** Datasets by name; those that the data root lacks are left out, and without any the synthetic corpus is used. */
  datasets: z.array(z.string()).min(1),
  /** Assignments that hold for every trial. */
  base: assignments.default({}),
  /** Assignments for some datasets. */
  when: z.array(z.strictObject({ dataset: z.union([z.string(), z.array(z.string())]), set: assignments })).default([]),
  /** Axes to sweep: every combination is trained. */
  matrix: assignments.default({}),
  /** A number of seeds (0, 1, …) or a list of them. */
  seeds: z.union([z.int().positive().max(MAX_SEEDS), z.array(z.int().nonnegative()).min(1)]).default(1),
  tables: z.array(tableSpec).optional(),
});

/** A file that has no trials of its own, only tables over those of a study. */
const viewFile = z.strictObject({
  title: z.string(),
  /** Name of the experiment whose trials these are. */
  study: z.string(),
  tables: z.array(tableSpec).min(1),
});

/** Tables over the trials of a study. */
export interface View {
  readonly file: string;
  readonly title: string;
  readonly tables: readonly TableSpec[];
}

export interface Experiment {
  /** Present where the file that was asked for is a view of this experiment. */
  readonly view?: View;
  /** The file's name without extension. */
  readonly name: string;
  readonly file: string;
  readonly title: string;
  readonly datasets: readonly { readonly name: string; readonly where: string }[];
  readonly base: readonly Assignment[];
  readonly when: readonly {
    readonly datasets: readonly string[];
    readonly set: readonly Assignment[];
    readonly where: string;
  }[];
  readonly matrix: readonly Axis[];
  readonly seeds: readonly number[];
  readonly tables: readonly TableSpec[];
}

/**
 * Finds an experiment by name or path and reads it; for a view, the experiment that it is about, with the view.
 *
 * @param folders searched in order for `<name>.yaml`, sub-folders included
 */
export async function readExperiment(nameOrFile: string, folders: readonly string[]): Promise<Experiment> {
  const file = await findExperiment(nameOrFile, folders);
  const view = await readView(file);
  if (view === undefined) {
    return readStudyFile(file);
  }
  const { study, title, tables } = view;
  // Where a view comes by its path, its study lies in the folder above, or beside it.
  const near = [dirname(dirname(file)), dirname(file)];
  const studied = await findExperiment(study, [...folders, ...(folders.length === 0 ? near : [])]).catch(
    (error: unknown) => {
      throw error instanceof MerclabError
        ? new MerclabError(error.code, error.message, { where: `${file} (study)`, hint: error.hint, cause: error })
        : error;
    },
  );
  const named = tables.map((table) => ({ ...table, title: table.title ?? title }));
  return { ...(await readStudyFile(studied)), view: { file, title, tables: named } };
}

/** @returns undefined for a file with trials of its own */
async function readView(file: string): Promise<z.output<typeof viewFile> | undefined> {
  const { value } = await readYamlFile(file, z.looseObject({ study: z.unknown().optional() }));
  return value.study === undefined ? undefined : (await readYamlFile(file, viewFile)).value;
}

async function readStudyFile(file: string): Promise<Experiment> {
  const { value, lineOf } = await readYamlFile(file, experimentFile);
  const at = (...path: PropertyKey[]) => `${file}:${lineOf(path)}`;
  const list = (section: Readonly<Record<string, AssignmentValue>>, ...path: PropertyKey[]): Assignment[] =>
    Object.entries(section).map(([key, each]) => ({ key, value: each, where: at(...path, key) }));
  return {
    name: basename(file, extname(file)),
    file,
    title: value.title,
    datasets: value.datasets.map((name, i) => ({ name, where: at("datasets", i) })),
    base: list(value.base, "base"),
    when: value.when.map(({ dataset, set }, i) => ({
      datasets: typeof dataset === "string" ? [dataset] : dataset,
      set: list(set, "when", i, "set"),
      where: at("when", i, "dataset"),
    })),
    matrix: list(value.matrix, "matrix").map(({ key, value: values, where }) => toAxis(key, values, where)),
    seeds: typeof value.seeds === "number" ? seedList(value.seeds) : value.seeds,
    tables: value.tables ?? [DEFAULT_TABLE],
  };
}

/** 0 … count − 1. */
export function seedList(count: number): number[] {
  return Array.from({ length: count }, (_, seed) => seed);
}

function toAxis(key: string, values: AssignmentValue, where: string | undefined): Axis {
  if (!Array.isArray(values) || values.length === 0) {
    throw new MerclabError("config", `matrix axis "${key}" needs a list of values`, { where, hint: `${key}: [a, b]` });
  }
  return { key, values: values as readonly AssignmentValue[], where };
}

/** File of every experiment in the folders, by name: its path in the folder, without extension. */
export async function listExperiments(folders: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    for (const file of (await glob("**/*.yaml", { cwd: folder, onlyFiles: true })).sort()) {
      const name = file.slice(0, -extname(file).length);
      if (!found.has(name)) {
        found.set(name, join(folder, file));
      }
    }
  }
  return found;
}

async function findExperiment(nameOrFile: string, folders: readonly string[]): Promise<string> {
  if (/\.ya?ml$/.test(nameOrFile)) {
    if (!existsSync(nameOrFile)) {
      throw new MerclabError("config", `no experiment file ${nameOrFile}`);
    }
    return nameOrFile;
  }
  const known = await listExperiments(folders);
  // In a sub-folder the last part of a name is enough, where nothing nearer has it.
  const file = known.get(nameOrFile) ?? [...known].find(([name]) => basename(name) === nameOrFile)?.[1];
  if (file === undefined) {
    throw new MerclabError("config", `unknown experiment "${nameOrFile}"`, {
      hint: suggestName(nameOrFile, known.keys()),
    });
  }
  return file;
}

/**
 * The parts of an assignment key.
 *
 * @param others what may stand there besides a group
 * @throws MerclabError `config` for a key that names no group, or nothing in it
 */
export function parseKey(
  assignment: Pick<Assignment, "key" | "where">,
  others: readonly string[] = [],
): {
  group: (typeof GROUPS)[number];
  rest: string[];
} {
  const [group = "", ...rest] = assignment.key.split(".");
  if (!isGroup(group)) {
    throw new MerclabError("config", `unknown group "${group}" in "${assignment.key}"`, {
      where: assignment.where,
      hint: suggestName(group, [...GROUPS, ...others]),
    });
  }
  if (rest.some((part) => part === "" || part === "__proto__")) {
    throw new MerclabError("config", `"${assignment.key}" names no option`, {
      where: assignment.where,
      hint: `Options look like ${group}.NAME, as in optimizer.lr.`,
    });
  }
  return { group, rest };
}
