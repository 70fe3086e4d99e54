// The laws of packages/plugin-kit on whole models: what `exp plugin test` checks for one plugin.
import { checkLaw, LAWS, type Subject, type TestedKind } from "@merclab/plugin-kit";
import { describe, expect, it } from "vitest";
import { type ModelChoice, partsOf } from "./contract.ts";

export interface Method extends ModelChoice {
  readonly name: string;
  /** Parameters that need not learn: those that only some modalities or batches reach. */
  readonly idle?: RegExp;
  /** It cannot do with one modality. */
  readonly pair?: boolean;
  /** It cannot do without the text. */
  readonly text?: boolean;
  /** The part whose options and shapes are looked at; the fusion where absent. */
  readonly kind?: TestedKind;
}

/** All parameters must learn, but for those that a method names. */
const NONE = /^$/;

function subjectOf(method: Method): Subject {
  const { idle = NONE, pair = false, text = false, kind = "fusion" } = method;
  return {
    kind,
    parts: partsOf(method),
    idle,
    mayRefuse: (modalities) => (pair && modalities.length < 2) || (text && !modalities.includes("text")),
  };
}

/** Declares the tests of all laws for these methods, but for learning: that is shown by combinations.test.ts. */
export function describeLaws(methods: readonly Method[]): void {
  describe.each(LAWS.filter(({ name }) => name !== "learning"))("$name: $says", (law) => {
    it.each(methods)("$name", async (method) => {
      expect((await checkLaw(law, subjectOf(method))).problems).toEqual([]);
    });
  });
}
