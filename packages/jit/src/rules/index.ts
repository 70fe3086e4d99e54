// Every rule, by tfjs's name of the kernel.
import { elementwiseRules } from "./elementwise.ts";
import { gatherRules } from "./gather.ts";
import { productRules } from "./products.ts";
import { reductionRules } from "./reductions.ts";
import type { Rule } from "./rule.ts";
import { shapeRules } from "./shapes.ts";

export const RULES: ReadonlyMap<string, Rule> = new Map(
  [elementwiseRules, reductionRules, shapeRules, gatherRules, productRules].flatMap((rules) => Object.entries(rules)),
);
