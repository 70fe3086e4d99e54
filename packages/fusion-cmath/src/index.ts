import type { Plugin } from "@merclab/core";
import { hierarchicalDistillationPlugin } from "./distillation.ts";
import { cmathEncoderPlugin } from "./encoder.ts";
import { cmathFusionPlugin } from "./fusion.ts";

export { convolutionSpecs, convolve } from "./convolution.ts";
export {
  createHierarchicalDistillation,
  gaussianDivergence,
  type HierarchicalDistillationOptions,
  hierarchicalDistillationOptions,
} from "./distillation.ts";
export { type CmathEncoderOptions, cmathEncoderOptions, createCmathEncoder } from "./encoder.ts";
export { createCmathFusion } from "./fusion.ts";
export { mixture, priorDivergence, product } from "./granularity.ts";
export { type CmathFusionOptions, cmathFusionOptions } from "./options.ts";

/** What this package adds to merclab. */
export const plugins: readonly Plugin[] = [cmathEncoderPlugin, cmathFusionPlugin, hierarchicalDistillationPlugin];
