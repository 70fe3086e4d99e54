import type { Plugin } from "@merclab/core";
import { disparityRatioPlugin } from "./balancer.ts";
import { ada2iEncoderPlugin } from "./encoder.ts";
import { ada2iFusionPlugin } from "./fusion.ts";
import { modalCrossEntropyPlugin } from "./objective.ts";

export { disparityRatioPlugin } from "./balancer.ts";
export { type Ada2iEncoderOptions, ada2iEncoderOptions, createAda2iEncoder } from "./encoder.ts";
export { type Observed, pooledCores, weighFeatures, weightingSpecs } from "./feature-weighting.ts";
export { createAda2iFusion } from "./fusion.ts";
export { modalCrossEntropyOptions, modalCrossEntropyPlugin } from "./objective.ts";
export { type Ada2iFusionOptions, ada2iFusionOptions } from "./options.ts";
export { officialNumHeads } from "./transformer.ts";

/** What this package adds to merclab. */
export const plugins: readonly Plugin[] = [
  ada2iEncoderPlugin,
  ada2iFusionPlugin,
  modalCrossEntropyPlugin,
  disparityRatioPlugin,
];
