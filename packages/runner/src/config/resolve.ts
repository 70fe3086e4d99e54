// One cell of an experiment to a resolved config: choices first, then options layer by layer, then each plugin's
// schema with all defaults. Later layers win: what a choice brings along, the experiment's base, its `when`, the
// matrix, the command line.
import { MerclabError, PLAIN_OBJECTIVES, type PluginRegistry, suggestName, type Task } from "@merclab/core";
import { describeIssues } from "@merclab/data";
import { selectionMetric, trainerOptions } from "@merclab/trainer";
import { z } from "zod";
import type { ResolvedConfig, ResolvedPart } from "../store/trial-files.ts";
import type { Assignment, AssignmentValue } from "./assignments.ts";
import { AUTO_ENGINE } from "./engines.ts";
import { parseKey } from "./experiment.ts";
import { type Choice, type ConfigGroups, GROUPS, type Group } from "./groups.ts";

/** What is chosen when nobody says anything; the objective is then the plain one of the task. */
const DEFAULT_CHOICES: Readonly<Record<Exclude<Group, "dataset" | "objective">, string>> = {
  encoder: "sdt",
  fusion: "sdt",
  balancer: "none",
  optimizer: "adam",
  trainer: "default",
  engine: AUTO_ENGINE,
};

export interface ResolvedCell {
  readonly config: ResolvedConfig;
  readonly choices: Readonly<Record<Group, string>>;
  /** Where each choice was made; undefined for a default. */
  readonly places: Readonly<Record<Group, string | undefined>>;
  /** The explicit assignments that nothing stronger replaced and that speak of a choice made. */
  readonly effective: ReadonlySet<Assignment>;
  /** True where the engine is what `auto` stands for. */
  readonly isAutoEngine: boolean;
}

const noOptions = z.strictObject({});

interface DatasetChoice {
  readonly name: string;
  readonly where?: string | undefined;
}

/**
 * @param layers explicit assignments, weakest first
 * @param autoEngine the engine that `auto` stands for
 * @param taskOf what a data set is for: it settles what nobody chose, and what can be chosen
 * @throws MerclabError `config` with the place where the wrong value was written
 */
export async function resolveConfig(
  dataset: DatasetChoice,
  layers: readonly (readonly Assignment[])[],
  groups: ConfigGroups,
  registry: PluginRegistry,
  autoEngine: string,
  taskOf: (dataset: ResolvedPart) => Promise<Task>,
): Promise<ResolvedCell> {
  const explicit = layers.flat();
  const brought: Assignment[] = [];
  const parts: Partial<Record<Group, ResolvedPart>> = {};
  const choices: Partial<Record<Group, string>> = {};
  const places: Partial<Record<Group, string | undefined>> = {};
  const effective = new Set<Assignment>();
  let isAutoEngine = false;
  const task = () => taskOf(parts.dataset as ResolvedPart);
  for (const group of GROUPS) {
    // `with` of earlier groups is weaker than anything explicit.
    const named = await chooseIn(group, dataset, [...brought, ...explicit], groups, task);
    const isAuto = group === "engine" && named.choice.plugin === AUTO_ENGINE;
    isAutoEngine ||= isAuto;
    const chosen = isAuto ? { ...named, choice: standingFor(named.choice, autoEngine) } : named;
    const { choice } = chosen;
    choices[group] = choice.name;
    places[group] = chosen.where;
    brought.push(...choice.with);
    const candidates = [...choice.options, ...brought, ...explicit];
    const { part, setBy } = await resolvePart(chosen, candidates, groups, registry);
    parts[group] = group === "trainer" ? withSelection(part, await task(), candidates) : part;
    for (const assignment of [...(chosen.by === undefined ? [] : [chosen.by]), ...setBy]) {
      effective.add(assignment);
    }
  }
  return {
    config: parts as ResolvedConfig,
    choices: choices as ResolvedCell["choices"],
    places: places as ResolvedCell["places"],
    effective,
    isAutoEngine,
  };
}

/** The trainer's options with the metric that chooses the epoch. @throws MerclabError `config` where it fits no task */
function withSelection(part: ResolvedPart, task: Task, assignments: readonly Assignment[]): ResolvedPart {
  const known = selections.get(part);
  if (known?.task === task) {
    return known.part;
  }
  try {
    const selectBy = selectionMetric(trainerOptions.parse(part.options), task);
    const settled = { ...part, options: { ...part.options, selectBy } };
    selections.set(part, { task, part: settled });
    return settled;
  } catch (error) {
    if (!(error instanceof MerclabError)) {
      throw error;
    }
    const where = assignments.findLast(({ key }) => key.startsWith("trainer.") && key.endsWith("selectBy"))?.where;
    throw new MerclabError(error.code, error.message, { where, hint: error.hint, cause: error });
  }
}

const selections = new WeakMap<ResolvedPart, { readonly task: Task; readonly part: ResolvedPart }>();

/** The choice `auto`, or a user's own one of it, as a choice of the engine itself. */
function standingFor(choice: Choice, engine: string): Choice {
  const known = standIns.get(choice);
  if (known?.plugin === engine) {
    return known;
  }
  const standIn = { ...choice, name: choice.name === AUTO_ENGINE ? engine : choice.name, plugin: engine };
  standIns.set(choice, standIn);
  return standIn;
}

const standIns = new WeakMap<Choice, Choice>();

/** The first part of `resolveConfig`: which data set, with which options. */
export async function resolveDataset(
  dataset: DatasetChoice,
  layers: readonly (readonly Assignment[])[],
  groups: ConfigGroups,
  registry: PluginRegistry,
): Promise<ResolvedPart> {
  const explicit = layers.flat();
  const chosen = await chosenDataset(dataset, explicit, groups);
  const { choice } = chosen;
  const { part } = await resolvePart(chosen, [...choice.options, ...explicit], groups, registry);
  return part;
}

function resolvedPart({ group, plugin }: Choice, options: ResolvedPart["options"], registry: PluginRegistry) {
  const code = group === "trainer" ? undefined : registry.get(group, plugin ?? "").code;
  return { name: plugin ?? group, options, ...(code === undefined ? {} : { code }) };
}

interface Chosen {
  readonly choice: Choice;
  /** The assignment that chose, where it was one. */
  readonly by: Assignment | undefined;
  readonly where: string | undefined;
}

/** The data set, which assignments cannot choose. */
async function chosenDataset(
  { name, where }: DatasetChoice,
  assignments: readonly Assignment[],
  groups: ConfigGroups,
): Promise<Chosen> {
  const by = assignments.findLast(({ key }) => key === "dataset");
  if (by !== undefined) {
    throw new MerclabError("config", "data sets are not chosen here", {
      where: by.where,
      hint: "An experiment lists them under datasets; the command line has datasets=meld,iemocap.",
    });
  }
  return { choice: await groups.choice("dataset", name, where), by: undefined, where };
}

async function chooseIn(
  group: Group,
  dataset: DatasetChoice,
  assignments: readonly Assignment[],
  groups: ConfigGroups,
  task: () => Promise<Task>,
): Promise<Chosen> {
  if (group === "dataset") {
    return chosenDataset(dataset, assignments, groups);
  }
  const by = assignments.findLast(({ key }) => key === group);
  if (by !== undefined && typeof by.value !== "string") {
    const isSection = typeof by.value === "object" && by.value !== null && !Array.isArray(by.value);
    const [option = "NAME"] = isSection ? Object.keys(by.value) : [];
    throw new MerclabError("config", `${group} must be a name, got ${JSON.stringify(by.value)}`, {
      where: by.where,
      hint: isSection
        ? `Options have a line each, with the group before the dot, such as ${group}.${option}.`
        : suggestName(String(by.value), await groups.names(group)),
    });
  }
  const plain = async () => (group === "objective" ? PLAIN_OBJECTIVES[(await task()).type] : DEFAULT_CHOICES[group]);
  const name = (by?.value as string | undefined) ?? (await plain());
  return { choice: await groups.choice(group, name, by?.where), by, where: by?.where };
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
async function resolvePart(
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

export function optionsSchema(choice: Pick<Choice, "group" | "plugin">, registry: PluginRegistry): z.ZodType {
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
