// Config groups as in Hydra, without its interpolation: `configs/<group>/<name>.yaml` names a plugin, sets options,
// and may say what goes with it. A plugin without a file is a choice by its own name, with its own defaults.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { MerclabError, type PluginRegistry, suggestName } from "@merclab/core";
import { readYamlFile } from "@merclab/data";
import glob from "fast-glob";
import { z } from "zod";
import type { Assignment, AssignmentValue } from "./assignments.ts";
import { AUTO_ENGINE } from "./engines.ts";

/** Groups in the order in which a choice may bring others along: `with` speaks of later groups only. */
export const GROUPS = [
  "dataset",
  "encoder",
  "fusion",
  "objective",
  "balancer",
  "optimizer",
  "trainer",
  "engine",
] as const;
export type Group = (typeof GROUPS)[number];

export function isGroup(name: string): name is Group {
  return (GROUPS as readonly string[]).includes(name);
}

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
export const assignmentValue: z.ZodType<AssignmentValue> = z.lazy(() =>
  z.union([scalar, z.array(assignmentValue), z.record(z.string(), assignmentValue)]),
);

const choiceFile = z.strictObject({
  /** One line for `exp ls`. */
  summary: z.string().optional(),
  /** Name of the plugin; the file's own name when absent. */
  plugin: z.string().optional(),
  options: z.record(z.string(), assignmentValue).default({}),
  /** Assignments to later groups that hold unless the experiment says otherwise. */
  with: z.record(z.string(), assignmentValue).default({}),
});

/** One choice of a group. */
export interface Choice {
  readonly group: Group;
  readonly name: string;
  /** undefined for the group `trainer`, which has no plugins; `auto` for the engine that is chosen when planning. */
  readonly plugin: string | undefined;
  readonly summary: string | undefined;
  /** Assignments to own options. */
  readonly options: readonly Assignment[];
  readonly with: readonly Assignment[];
}

/** Finds choices by group and name. */
export interface ConfigGroups {
  names(group: Group): Promise<string[]>;
  /** @throws MerclabError `config` with the nearest known name, at the place where the name was written */
  choice(group: Group, name: string, where: string | undefined): Promise<Choice>;
}

/** @param folders searched in order: the user's own `configs/` before the shipped one */
export function createConfigGroups(folders: readonly string[], registry: PluginRegistry): ConfigGroups {
  const cache = new Map<string, Promise<Choice>>();
  const fileOf = (group: Group, name: string) =>
    folders.map((folder) => join(folder, group, `${name}.yaml`)).find((file) => existsSync(file));
  const pluginNames = (group: Group) => {
    const plugins = group === "trainer" ? ["default"] : registry.names(group);
    return group === "engine" ? [AUTO_ENGINE, ...plugins] : plugins;
  };
  const listed = new Map<Group, Promise<string[]>>();
  const list = async (group: Group): Promise<string[]> => {
    const files = await Promise.all(folders.map((folder) => glob(`${group}/*.yaml`, { cwd: folder, onlyFiles: true })));
    const named = files.flat().map((file) => basename(file, ".yaml"));
    return [...new Set([...named, ...pluginNames(group)])].sort();
  };
  const names = (group: Group): Promise<string[]> => {
    const found = listed.get(group) ?? list(group);
    listed.set(group, found);
    return found;
  };

  const load = async (group: Group, name: string, where: string | undefined): Promise<Choice> => {
    const file = /^[\w.-]+$/.test(name) ? fileOf(group, name) : undefined;
    if (file !== undefined) {
      return readChoice(group, name, file, pluginNames(group));
    }
    if (!pluginNames(group).includes(name)) {
      throw new MerclabError("config", `unknown ${group} "${name}"`, {
        where,
        hint: suggestName(name, await names(group)),
      });
    }
    return { group, name, plugin: group === "trainer" ? undefined : name, summary: undefined, options: [], with: [] };
  };

  return {
    names,
    choice: (group, name, where) => {
      const id = `${group}/${name}`;
      const known = cache.get(id);
      if (known !== undefined) {
        return known;
      }
      const loading = load(group, name, where);
      cache.set(id, loading);
      // A failure names the place that asked, so it is not kept for others.
      loading.catch(() => cache.delete(id));
      return loading;
    },
  };
}

async function readChoice(group: Group, name: string, file: string, plugins: readonly string[]): Promise<Choice> {
  const { value, lineOf } = await readYamlFile(file, choiceFile);
  const own = Object.entries(value.options).map(([option, optionValue]) => ({
    key: `${group}.${option}`,
    value: optionValue,
    where: `${file}:${lineOf(["options", option])}`,
  }));
  const others = Object.entries(value.with).map(([key, otherValue]) => ({
    key,
    value: otherValue,
    where: `${file}:${lineOf(["with", key])}`,
  }));
  const later = GROUPS.slice(GROUPS.indexOf(group) + 1);
  for (const { key, where } of others) {
    const target = key.split(".")[0] ?? "";
    if (!(later as readonly string[]).includes(target)) {
      throw new MerclabError("config", `"with" of ${group} ${name} cannot set "${key}"`, {
        where,
        hint: `It may speak of ${later.join(", ")}.`,
      });
    }
  }
  const plugin = group === "trainer" ? undefined : (value.plugin ?? name);
  if (plugin !== undefined && !plugins.includes(plugin)) {
    throw new MerclabError("config", `${group} ${name} wants the unknown plugin "${plugin}"`, {
      where: `${file}:${lineOf(["plugin"])}`,
      hint: suggestName(plugin, plugins),
    });
  }
  return {
    group,
    name,
    plugin,
    summary: value.summary,
    options: own,
    with: others,
  };
}
