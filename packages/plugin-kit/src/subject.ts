// What laws are checked on: a whole model, since a part by itself computes nothing, with one part of interest in it.
import { createModel, type Model, type ModelParts } from "@merclab/trainer";
import { CLASSES, DIMS, MODALITIES } from "./material/batch.ts";

/** Kinds that a model is made of, and laws are known for. */
export const TESTED_KINDS = ["encoder", "fusion", "objective", "balancer"] as const;
export type TestedKind = (typeof TESTED_KINDS)[number];

export interface Subject {
  /** The part of interest. */
  readonly kind: TestedKind;
  readonly parts: ModelParts;
  /** Names of parameters that need not learn from three small dialogues, where all others must. */
  readonly idle?: RegExp;
  /** Whether the method may refuse these modalities; any may be refused where absent. */
  readonly mayRefuse?: (modalities: readonly string[]) => boolean;
}

/** The model over these modalities. @throws MerclabError `combination` where a part refuses them */
export function modelOf({ parts }: Pick<Subject, "parts">, modalities: readonly string[] = MODALITIES): Model {
  return createModel(parts, {
    modalities: modalities.map((name) => ({ name, dim: DIMS[name] ?? 0 })),
    numSpeakers: 2,
    task: { type: "single-label", classes: CLASSES },
    trainClassCounts: [3, 2, 4],
    trainUtterances: 9,
  });
}
