// Every rule, by tfjs's name of the kernel.
import { activationRules } from "./activations.ts";
import { arithmeticRules } from "./arithmetic.ts";
import { blockRules } from "./blocks.ts";
import { convolutionRules } from "./convolution.ts";
import { einsumRules } from "./einsum.ts";
import { elementwiseRules } from "./elementwise.ts";
import { fillRules } from "./fills.ts";
import { gatherRules } from "./gather.ts";
import { logicRules } from "./logic.ts";
import { normalizationRules } from "./normalization.ts";
import { paddingRules } from "./padding.ts";
import { poolingRules } from "./pooling.ts";
import { productRules } from "./products.ts";
import { rankingRules } from "./ranking.ts";
import { reductionRules } from "./reductions.ts";
import type { Rule } from "./rule.ts";
import { scatterRules } from "./scatter.ts";
import { shapeRules } from "./shapes.ts";

/** The rules of each family. */
export const FAMILIES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  elementwise: elementwiseRules,
  activations: activationRules,
  arithmetic: arithmeticRules,
  logic: logicRules,
  reductions: reductionRules,
  ranking: rankingRules,
  products: productRules,
  einsum: einsumRules,
  convolution: convolutionRules,
  pooling: poolingRules,
  normalization: normalizationRules,
  shapes: shapeRules,
  padding: paddingRules,
  blocks: blockRules,
  fills: fillRules,
  gather: gatherRules,
  scatter: scatterRules,
};

export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.values(FAMILIES).flatMap((rules) => Object.entries(rules)),
);
