// One cell of an experiment to a resolved config: choices first, then options layer by layer, then each plugin's
// schema with all defaults. Later layers win: what a choice brings along, the experiment's base, its `when`, the
// matrix, the command line.
import { MerclabError, type PluginRegistry, suggestName } from "@merclab/core";
import { describeIssues } from "@merclab/data";
import { trainerOptions } from "@merclab/trainer";
import type { z } from "zod";
import type { ResolvedConfig, ResolvedPart } from "../store/trial-files.ts";
import type { Assignment, AssignmentValue } from "./assignments.ts";
import { parseKey } from "./experiment.ts";
import { type Choice, type ConfigGroups, GROUPS, type Group } from "./groups.ts";

/** What is chosen when nobody says anything. */
const DEFAULT_CHOICES: Readonly<Record<Exclude<Group, "dataset">, string>> = {
  encoder: "sdt",
  fusion: "sdt",
  objective: "cross-entropy",
  optimizer: "adam",
  trainer: "default",
  engine: "wasm",
};

/**
 * @param layers explicit assignments, weakest first
 * @throws MerclabError `config` with the place where the wrong value was written
 */
export async function resolveConfig(
  dataset: { readonly name: string; readonly where?: string | undefined },
  layers: readonly (readonly Assignment[])[],
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<{ readonly config: ResolvedConfig; readonly choices: Readonly<Record<Group, string>> }> {
  const explicit = layers.flat();
  const brought: Assignment[] = [];
  const parts: Partial<Record<Group, ResolvedPart>> = {};
  const choices: Partial<Record<Group, string>> = {};
  for (const group of GROUPS) {
    // `with` of earlier groups is weaker than anything explicit.
    const choice = await chooseIn(group, dataset, [...brought, ...explicit], groups);
    choices[group] = choice.name;
    brought.push(...choice.with);
    const candidates = [...choice.options, ...brought, ...explicit];
    parts[group] = {
      name: choice.plugin ?? choice.group,
      options: await resolveOptions(choice, candidates, groups, registry),
    };
  }
  return { config: parts as ResolvedConfig, choices: choices as Record<Group, string> };
}

async function chooseIn(
  group: Group,
  dataset: { readonly name: string; readonly where?: string | undefined },
  assignments: readonly Assignment[],
  groups: ConfigGroups,
): Promise<Choice> {
  if (group === "dataset") {
    return groups.choice(group, dataset.name, dataset.where);
  }
  const chosen = assignments.filter(({ key }) => key === group).at(-1);
  if (chosen !== undefined && typeof chosen.value !== "string") {
    throw new MerclabError("config", `${group} must be a name, got ${JSON.stringify(chosen.value)}`, {
      where: chosen.where,
      hint: suggestName(String(chosen.value), await groups.names(group)),
    });
  }
  return groups.choice(group, (chosen?.value as string | undefined) ?? DEFAULT_CHOICES[group], chosen?.where);
}

async function resolveOptions(
  choice: Choice,
  assignments: readonly Assignment[],
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<Record<string, unknown>> {
  const names = await groups.names(choice.group);
  const given: Record<string, AssignmentValue> = {};
  const places = new Map<string, string | undefined>();
  for (const assignment of assignments) {
    const { group, rest } = parseKey(assignment);
    if (group !== choice.group || rest.length === 0) {
      continue;
    }
    const [first = "", ...deeper] = rest;
    // `fusion.lmam.rank` holds where lmam is chosen; a name that is both a choice and an option is read as a choice.
    const conditional = deeper.length > 0 && names.includes(first);
    if (conditional && first !== choice.name) {
      await checkConditional(choice.group, first, deeper, assignment, groups, registry);
      continue;
    }
    const path = conditional ? deeper : rest;
    setDeep(given, path, assignment.value);
    places.set(path[0] ?? "", assignment.where);
  }
  const schema = optionsSchema(choice, registry);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = describeIssues(parsed.error, schema, given);
    const where = places.get(String(issue?.path[0] ?? "")) ?? [...places.values()].at(-1);
    throw new MerclabError("config", `${choice.group} ${choice.name}: ${issue?.message ?? parsed.error.message}`, {
      where,
    });
  }
  return parsed.data as Record<string, unknown>;
}

/** An option for a choice that this cell does not make must still exist: a misspelling must not be silent. */
async function checkConditional(
  group: Group,
  name: string,
  path: readonly string[],
  assignment: Assignment,
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<void> {
  const other = await groups.choice(group, name, assignment.where);
  const given: Record<string, AssignmentValue> = {};
  setDeep(given, path, assignment.value);
  const schema = optionsSchema(other, registry);
  const parsed = schema.safeParse(given);
  const issue = parsed.success
    ? undefined
    : describeIssues(parsed.error, schema, given).find((each) => each.path[0] === path[0]);
  if (issue !== undefined) {
    throw new MerclabError("config", `${group} ${name}: ${issue.message}`, { where: assignment.where });
  }
}

export function optionsSchema(choice: Pick<Choice, "group" | "plugin">, registry: PluginRegistry): z.ZodType {
  if (choice.group === "trainer") {
    return trainerOptions;
  }
  return registry.get(choice.group, choice.plugin ?? "").options;
}

function setDeep(target: Record<string, AssignmentValue>, path: readonly string[], value: AssignmentValue): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner = target[first];
  const next = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? { ...inner } : {};
  setDeep(next as Record<string, AssignmentValue>, rest, value);
  target[first] = next;
}
