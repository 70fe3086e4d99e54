// Which launcher, and its options: a file of the config group `launcher`, or a launcher by its own name; the command line
// wins. A launcher changes no number, so none of this is part of an experiment or of a trial.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { MerclabError, suggestName } from "@merclab/core";
import { describeIssues, readYamlFile } from "@merclab/data";
import glob from "fast-glob";
import { z } from "zod";
import type { AssignmentValue, Axis } from "../config/assignments.ts";
import { assignmentValue } from "../config/groups.ts";
import { commandLauncher } from "./command.ts";
import { kubernetesLauncher } from "./kubernetes.ts";
import type { Launcher, LauncherKind } from "./launcher.ts";
import { slurmLauncher } from "./slurm.ts";

/** Trains on this machine, in worker processes. */
export const LOCAL_LAUNCHER = "local";

export const LAUNCHER_KINDS: readonly LauncherKind[] = [slurmLauncher, commandLauncher, kubernetesLauncher];

const choiceFile = z.strictObject({
  /** One line for `exp ls`. */
  summary: z.string().optional(),
  /** Kind of launcher; the file's own name when absent. */
  launcher: z.string().optional(),
  options: z.record(z.string(), assignmentValue).default({}),
});

export interface LauncherSettings {
  /** Of the choice. */
  readonly name: string;
  readonly kind: string;
  /** As given: defaults are the launcher's. */
  readonly options: Readonly<Record<string, AssignmentValue>>;
}

/** An override of the command line that is about launchers: `launcher=slurm`, `launcher.time=90`. */
export function isLauncherOverride({ key }: Pick<Axis, "key">): boolean {
  return key === "launcher" || key.startsWith("launcher.");
}

/**
 * @param name undefined: what `launcher=NAME` says among the overrides, else local
 * @param overrides those for which `isLauncherOverride` holds
 * @param folders config folders, the user's own first
 * @returns undefined for the local launcher
 * @throws MerclabError `config`
 */
export async function readLauncher(
  name: string | undefined,
  overrides: readonly Axis[],
  folders: readonly string[],
): Promise<LauncherSettings | undefined> {
  const chosen = overrides.findLast(({ key }) => key === "launcher");
  const own = overrides.filter(({ key }) => key !== "launcher");
  const choice = name ?? (chosen === undefined ? LOCAL_LAUNCHER : String(single(chosen)));
  const where = name === undefined ? chosen?.where : `command line: --launcher ${name}`;
  if (choice === LOCAL_LAUNCHER) {
    if (own[0] !== undefined) {
      throw new MerclabError("config", `launcher ${LOCAL_LAUNCHER} has no options`, {
        where: own[0].where,
        hint: "Choose another one with --launcher NAME; --jobs and --threads are for local runs.",
      });
    }
    return undefined;
  }
  const file = /^[\w.-]+$/.test(choice)
    ? folders.map((folder) => join(folder, "launcher", `${choice}.yaml`)).find((each) => existsSync(each))
    : undefined;
  const read = file === undefined ? undefined : await readYamlFile(file, choiceFile);
  const kind = read?.value.launcher ?? choice;
  const known = LAUNCHER_KINDS.find((each) => each.name === kind);
  if (known === undefined) {
    const names = read === undefined ? await launcherNames(folders) : LAUNCHER_KINDS.map((each) => each.name);
    throw new MerclabError("config", `unknown launcher "${kind}"`, {
      where: read === undefined ? where : `${file}:${read.lineOf(["launcher"])}`,
      hint: suggestName(kind, names),
    });
  }
  const options: Record<string, AssignmentValue> = { ...read?.value.options };
  const places = new Map(Object.keys(options).map((key) => [key, `${file}:${read?.lineOf(["options", key])}`]));
  for (const override of own) {
    const key = override.key.slice("launcher.".length);
    options[key] = single(override);
    places.set(key, override.where ?? "");
  }
  const parsed = known.options.safeParse(options);
  if (!parsed.success) {
    const [issue] = describeIssues(parsed.error, known.options, options);
    // An unknown key, a wrong one, or one that is missing altogether.
    const place = places.get(String(issue?.path[0])) ?? file ?? where;
    throw new MerclabError("config", `launcher ${choice}: ${issue?.message ?? parsed.error.message}`, { where: place });
  }
  return { name: choice, kind, options };
}

/** @throws MerclabError `storage` for what another version of merclab wrote */
export function createLauncher({ kind, options }: { readonly kind: string; readonly options: unknown }): Launcher {
  const known = LAUNCHER_KINDS.find(({ name }) => name === kind);
  const parsed = known?.options.safeParse(options);
  if (known === undefined || parsed?.success !== true) {
    throw new MerclabError("storage", `a stored submission has a launcher "${kind}" with options that are not known`, {
      hint: "Another version of merclab wrote it.",
    });
  }
  return known.create(options);
}

export interface LauncherChoice {
  readonly name: string;
  readonly summary: string | undefined;
}

/** The files of the group, which may stand for a kind of the same name. */
export async function listLaunchers(folders: readonly string[]): Promise<LauncherChoice[]> {
  const names = (await launcherNames(folders)).filter((name) => name !== LOCAL_LAUNCHER);
  return Promise.all(
    names.map(async (name) => {
      const file = folders.map((folder) => join(folder, "launcher", `${name}.yaml`)).find((each) => existsSync(each));
      return { name, summary: file === undefined ? undefined : (await readYamlFile(file, choiceFile)).value.summary };
    }),
  );
}

async function launcherNames(folders: readonly string[]): Promise<string[]> {
  const files = await Promise.all(folders.map((folder) => glob("launcher/*.yaml", { cwd: folder, onlyFiles: true })));
  const named = files.flat().map((file) => basename(file, ".yaml"));
  return [...new Set([LOCAL_LAUNCHER, ...named, ...LAUNCHER_KINDS.map(({ name }) => name)])].sort();
}

/** Several values would be a sweep, and a launcher sweeps nothing: lists are written in brackets. */
function single({ key, values, where }: Axis): AssignmentValue {
  const [value, ...more] = values;
  if (value === undefined || more.length > 0) {
    throw new MerclabError("config", `"${key}" takes one value`, {
      where,
      hint: `A list stands in brackets: ${key}=[a, b].`,
    });
  }
  return value;
}
