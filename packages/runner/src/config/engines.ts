// Which engine trains. `auto` is the fastest that works on this machine, unless trials of the plan are stored on another
// one that works: a study that began on one engine goes on with it, so that no table mixes engines by itself.
import { type EngineProbe, MerclabError, type PluginRegistry } from "@merclab/core";

/** The choice in the group `engine` that stands for one of the plugins. */
export const AUTO_ENGINE = "auto";

/** An engine, and what its probe found on this machine. */
export interface EngineState extends EngineProbe {
  readonly name: string;
  readonly rank: number;
  readonly threads: "one" | "many";
}

/** An engine of a plan. */
export interface EngineChoice {
  readonly name: string;
  /** Why this one: what `auto` went by, or where it was asked for. */
  readonly why: string;
  /** What runs; undefined where nothing is left to train, and nothing was probed. */
  readonly found: string | undefined;
}

/** Trials of a plan that are stored on an engine, out of all. */
export interface StoredCount {
  readonly stored: number;
  readonly of: number;
}

export type EngineProber = (name: string) => Promise<EngineState>;

/** Probes each engine once. */
export function createEngineProber(registry: PluginRegistry): EngineProber {
  const probed = new Map<string, Promise<EngineState>>();
  const probe = async (name: string): Promise<EngineState> => {
    const plugin = registry.get("engine", name);
    return { ...(await plugin.probe()), name, rank: plugin.rank, threads: plugin.threads };
  };
  return (name) => {
    const state = probed.get(name) ?? probe(name);
    probed.set(name, state);
    return state;
  };
}

/** Names of all engines, the fastest first. */
export function enginesByRank(registry: PluginRegistry): string[] {
  const rank = (name: string) => registry.get("engine", name).rank;
  return [...registry.names("engine")].sort((a, b) => rank(a) - rank(b));
}

/**
 * What `auto` stands for.
 *
 * @param stored how many of the trials that are to run on it are stored, if they run on this engine
 * @throws MerclabError `engine` when none works
 */
export async function chooseAutoEngine(
  registry: PluginRegistry,
  probe: EngineProber,
  stored: (engine: string) => Promise<StoredCount>,
): Promise<EngineChoice> {
  const names = enginesByRank(registry);
  const counts = new Map<string, StoredCount>();
  for (const name of names) {
    counts.set(name, await stored(name));
  }
  const begun = names.filter((name) => (counts.get(name)?.stored ?? 0) > 0);
  const mostFirst = begun.sort((a, b) => (counts.get(b)?.stored ?? 0) - (counts.get(a)?.stored ?? 0));
  const lost: string[] = [];
  for (const name of mostFirst) {
    const { stored: done, of } = counts.get(name) as StoredCount;
    if (done === of) {
      return { name, why: `auto: all ${of} trials are stored on it`, found: undefined };
    }
    const state = await probe(name);
    if (state.state === "works") {
      const { works } = await fastest(names.slice(0, names.indexOf(name)), probe);
      const faster =
        works === undefined ? "" : `; ${works.name} is faster here, --engine ${works.name} trains all anew`;
      return { name, why: `auto: ${done} of ${of} trials are stored on it${faster}`, found: state.found };
    }
    lost.push(
      `${done} of ${of} trials are stored on ${name} and train again, since it does not work here (${state.found})`,
    );
  }
  const { works, failing } = await fastest(names, probe);
  if (works === undefined) {
    throw new MerclabError("engine", `no engine works here: ${failing.map(describeObstacle).join("; ")}`, {
      hint: '"exp doctor" says what each needs.',
    });
  }
  const others = lost.length > 0 ? lost : failing.map(describeObstacle);
  return { name: works.name, why: ["auto: the fastest that works here", ...others].join("; "), found: works.found };
}

/** @throws MerclabError `engine` when an engine that was asked for does not work */
export async function requireEngine(
  name: string,
  where: string | undefined,
  probe: EngineProber,
): Promise<EngineChoice> {
  const { state, found, hint } = await probe(name);
  if (state !== "works") {
    throw new MerclabError("engine", `engine ${name} does not work here: ${found}`, {
      where,
      hint: [hint, "--engine auto takes the fastest that works."].filter((each) => each !== undefined).join(" "),
    });
  }
  return { name, why: where ?? "asked for", found };
}

/** The first engine that works, and those before it that do not. */
async function fastest(
  names: readonly string[],
  probe: EngineProber,
): Promise<{ works: EngineState | undefined; failing: EngineState[] }> {
  const failing: EngineState[] = [];
  for (const name of names) {
    const state = await probe(name);
    if (state.state === "works") {
      return { works: state, failing };
    }
    failing.push(state);
  }
  return { works: undefined, failing };
}

function describeObstacle({ name, found }: EngineState): string {
  return `${name} does not (${found})`;
}
