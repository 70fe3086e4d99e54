// A plugin to a subject: a small model around it, of parts that give it what it needs.
import { createEagerEngine, MerclabError, type PluginRegistry } from "@merclab/core";
import type { ModelParts } from "@merclab/trainer";
import { modelOf, type Subject, type TestedKind } from "./subject.ts";

type Options = Readonly<Record<string, unknown>>;
type Choice = readonly [name: string, options?: Options];

/** Widths of the streams, of which the first that all parts accept is taken. */
const WIDTHS = [8, 16, 32, 64, 128] as const;

/** Fusions that give what an objective may need, the simplest first. */
const HOSTS: readonly Choice[] = [["concat"], ["cmath"], ["ada2i", { variant: "as-described" }]];

/** A subject, and what stands around the plugin. */
export interface Surrounded {
  readonly subject: Subject;
  /** Names of the parts, and the width of the streams. */
  readonly model: Readonly<Record<TestedKind | "dim", string | number>>;
}

/**
 * @param given options of the plugin; where it is an encoder with an option `dim`, a small one is set unless given
 * @throws MerclabError `config` for wrong options, `combination` where no width works
 */
export async function subjectOf(
  registry: PluginRegistry,
  kind: TestedKind,
  name: string,
  given: Options = {},
  more: Pick<Subject, "idle"> = {},
): Promise<Surrounded> {
  await createEagerEngine("wasm").start();
  const options = readOptions(registry, kind, name, given);
  let refusal: unknown;
  for (const dim of WIDTHS) {
    for (const fusion of kind === "objective" ? HOSTS : ([["concat"]] as const)) {
      const choices: Record<TestedKind, Choice> = {
        encoder: kind === "balancer" ? ["linear", { dim }] : ["transformer", { dim, numHeads: 2, dropout: 0.1 }],
        fusion,
        objective: ["cross-entropy"],
        balancer: ["none"],
        [kind]: [name, kind === "encoder" ? withWidth(registry, name, given, dim) : options],
      };
      const subject: Subject = { kind, parts: partsOf(registry, choices), ...more };
      try {
        modelOf(subject);
      } catch (error) {
        if (!(error instanceof MerclabError) || error.code !== "combination") {
          throw error;
        }
        refusal ??= error;
        continue;
      }
      return withBalancer(registry, choices, { ...subject }, dim);
    }
  }
  throw refusal;
}

/** A fusion that can tell what it makes of one modality alone is asked to. */
function withBalancer(
  registry: PluginRegistry,
  choices: Record<TestedKind, Choice>,
  subject: Subject,
  dim: number,
): Surrounded {
  const named = (chosen: Record<TestedKind, Choice>) => ({
    ...(Object.fromEntries(Object.entries(chosen).map(([kind, [name]]) => [kind, name])) as Record<TestedKind, string>),
    dim,
  });
  if (subject.kind === "fusion") {
    const balanced = { ...choices, balancer: ["ogm-ge"] as Choice };
    const parts = partsOf(registry, balanced);
    try {
      modelOf({ parts });
      return { subject: { ...subject, parts }, model: named(balanced) };
    } catch (error) {
      if (!(error instanceof MerclabError)) {
        throw error;
      }
    }
  }
  return { subject, model: named(choices) };
}

function partsOf(registry: PluginRegistry, choices: Record<TestedKind, Choice>): ModelParts {
  const part = <K extends TestedKind>(kind: K) => {
    const [name, given = {}] = choices[kind];
    return { plugin: registry.get(kind, name), options: readOptions(registry, kind, name, given) };
  };
  return {
    encoder: part("encoder"),
    fusion: part("fusion"),
    objective: part("objective"),
    balancer: part("balancer"),
  };
}

function readOptions(registry: PluginRegistry, kind: TestedKind, name: string, given: Options): Options {
  const read = registry.get(kind, name).options.safeParse(given);
  if (!read.success) {
    const [issue] = read.error.issues;
    const path = issue?.path.length ? `"${issue.path.map(String).join(".")}": ` : "";
    throw new MerclabError("config", `${kind} ${name}: ${path}${issue?.message ?? read.error.message}`, {
      hint: `"exp plugin show ${kind}/${name}" lists its options.`,
    });
  }
  return read.data as Options;
}

function withWidth(registry: PluginRegistry, name: string, given: Options, dim: number): Options {
  const small = { dim, ...given };
  return registry.get("encoder", name).options.safeParse(small).success ? small : given;
}
