// The options of one part of a config: those that assignments give to a choice, over its plugin's schema with all
// defaults; and where a wrong one was written, or belongs.
import { MerclabError, type PluginRegistry } from "@merclab/core";
import { describeIssues } from "@merclab/data";
import { trainerOptions } from "@merclab/trainer";
import { z } from "zod";
import type { ResolvedPart } from "../store/trial-files.ts";
import type { Assignment, AssignmentValue } from "./assignments.ts";
import { AUTO_ENGINE } from "./engines.ts";
import { parseKey } from "./experiment.ts";
import type { Choice, ConfigGroups, Group } from "./groups.ts";

const noOptions = z.strictObject({});

export interface Chosen {
  readonly choice: Choice;
  /** The assignment that chose, where it was one. */
  readonly by: Assignment | undefined;
  readonly where: string | undefined;
}

interface SettledPart {
  readonly part: ResolvedPart;
  /** Whose values stand in its options. */
  readonly setBy: readonly Assignment[];
}

/** What follows from a list of assignments: its own value, and by the next assignment that of longer lists. */
interface Remembered {
  settled: SettledPart | undefined;
  readonly next: WeakMap<Assignment, Remembered>;
}

/** By choice, which belongs to one plan's groups: most cells of a study have most of their parts in common. */
const remembered = new WeakMap<Choice, Remembered>();

/** A choice with the options that assignments to its group give it; the same object for the same assignments. */
export async function resolvePart(
  chosen: Chosen,
  assignments: readonly Assignment[],
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<SettledPart> {
  const { choice } = chosen;
  const own = assignments.filter((assignment) => parsedKey(assignment).group === choice.group);
  let known = remembered.get(choice) ?? { settled: undefined, next: new WeakMap() };
  remembered.set(choice, known);
  for (const assignment of own) {
    const longer: Remembered = known.next.get(assignment) ?? { settled: undefined, next: new WeakMap() };
    known.next.set(assignment, longer);
    known = longer;
  }
  if (known.settled === undefined) {
    const { options, setBy } = await resolveOptions(chosen, own, groups, registry);
    known.settled = { part: resolvedPart(choice, options, registry), setBy: [...setBy] };
  }
  return known.settled;
}

function resolvedPart({ group, plugin }: Choice, options: ResolvedPart["options"], registry: PluginRegistry) {
  const code = group === "trainer" ? undefined : registry.get(group, plugin ?? "").code;
  return { name: plugin ?? group, options, ...(code === undefined ? {} : { code }) };
}

const keys = new WeakMap<Assignment, ReturnType<typeof parseKey>>();

function parsedKey(assignment: Assignment): ReturnType<typeof parseKey> {
  const key = keys.get(assignment) ?? parseKey(assignment);
  keys.set(assignment, key);
  return key;
}

/** @param assignments to the choice's group */
async function resolveOptions(
  { choice, where }: Chosen,
  assignments: readonly Assignment[],
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<{ options: Record<string, unknown>; setBy: Iterable<Assignment> }> {
  const names = await groups.names(choice.group);
  const given: Record<string, AssignmentValue> = {};
  /** By path, the assignment whose value stands there. */
  const setBy = new Map<string, Assignment>();
  for (const assignment of assignments) {
    const { rest } = parsedKey(assignment);
    if (rest.length === 0) {
      continue; // it chose
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
    const own = path.join(".");
    for (const below of [...setBy.keys()].filter((each) => `${each}.`.startsWith(`${own}.`))) {
      setBy.delete(below);
    }
    setBy.set(own, assignment);
  }
  const schema = optionsSchema(choice, registry);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = describeIssues(parsed.error, schema, given);
    const path = issue?.path ?? [];
    throw new MerclabError("config", `${choice.group} ${choice.name}: ${issue?.message ?? parsed.error.message}`, {
      where: placeOf(path, setBy) ?? where,
      hint: await whereItBelongs(choice, path.map(String), valueAt(given, path), groups, registry),
    });
  }
  return { options: parsed.data as Record<string, unknown>, setBy: setBy.values() };
}

/** Where the value at a path, or the nearest one around it or in it, was written. */
function placeOf(path: readonly PropertyKey[], setBy: ReadonlyMap<string, Assignment>): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const around = path.slice(0, length).map(String).join(".");
    const assignment = setBy.get(around) ?? [...setBy].find(([each]) => each.startsWith(`${around}.`))?.[1];
    if (assignment !== undefined) {
      return assignment.where;
    }
  }
  return undefined;
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
  const issue = issueOf(other, path, assignment.value, registry);
  if (issue !== undefined) {
    throw new MerclabError("config", `${group} ${name}: ${issue}`, { where: assignment.where });
  }
}

/** What is wrong with one option of a choice, if anything is. */
function issueOf(
  choice: Choice,
  path: readonly string[],
  value: AssignmentValue,
  registry: PluginRegistry,
): string | undefined {
  const given: Record<string, AssignmentValue> = {};
  setDeep(given, path, value);
  const schema = optionsSchema(choice, registry);
  const parsed = schema.safeParse(given);
  return parsed.success
    ? undefined
    : describeIssues(parsed.error, schema, given).find((each) => each.path[0] === path[0])?.message;
}

/** For an option that this choice refuses and others of its group take: how to set it for those alone. */
async function whereItBelongs(
  { group, name }: Choice,
  path: readonly string[],
  value: AssignmentValue | undefined,
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<string | undefined> {
  if (path.length === 0 || value === undefined) {
    return undefined;
  }
  for (const other of (await groups.names(group)).filter((each) => each !== name)) {
    const choice = await groups.choice(group, other, undefined);
    if (issueOf(choice, path, value, registry) === undefined) {
      return `It is an option of ${other}: ${group}.${other}.${path.join(".")} sets it there only.`;
    }
  }
  return undefined;
}

function valueAt(given: AssignmentValue, path: readonly PropertyKey[]): AssignmentValue | undefined {
  return path.reduce<AssignmentValue | undefined>(
    (value, part) =>
      typeof value === "object" && value !== null
        ? (value as Readonly<Record<PropertyKey, AssignmentValue>>)[part]
        : undefined,
    given,
  );
}

function optionsSchema(choice: Pick<Choice, "group" | "plugin">, registry: PluginRegistry): z.ZodType {
  if (choice.group === "trainer") {
    return trainerOptions;
  }
  if (choice.group === "engine" && choice.plugin === AUTO_ENGINE) {
    return noOptions; // those of an engine are set by its name: engine.NAME.OPTION
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
