// One cell of an experiment to a resolved config: choices first, then options layer by layer, then each plugin's
// schema with all defaults. Later layers win: what a choice brings along, the experiment's base, its `when`, the
// matrix, the command line.
import { MerclabError, PLAIN_OBJECTIVES, type PluginRegistry, suggestName, type Task } from "@merclab/core";
import { selectionMetric, trainerOptions } from "@merclab/trainer";
import type { ResolvedConfig, ResolvedPart } from "../store/trial-files.ts";
import type { Assignment } from "./assignments.ts";
import { AUTO_ENGINE } from "./engines.ts";
import { type Choice, type ConfigGroups, GROUPS, type Group } from "./groups.ts";
import { type Chosen, resolvePart } from "./part-options.ts";

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
