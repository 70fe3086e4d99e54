// Ada2I's balancer: gradient modulation by the disparity ratio, each modality's score over the weakest one's, for any
// number of modalities. Order of the official code: clip, scale, add noise of the scaled gradient's size.
import { createModulation, definePlugin, modulationOptions, weakest } from "@merclab/core";
import { z } from "zod";

export const disparityRatioPlugin = definePlugin({
  kind: "balancer",
  name: "disparity-ratio",
  tasks: ["single-label"],
  summary: "Ada2I: damps the gradients of every modality's encoder but the weakest one's, and adds noise",
  options: z.strictObject({
    ...modulationOptions,
    alpha: modulationOptions.alpha.default(0.5),
    maxGradientNorm: modulationOptions.maxGradientNorm.default(2),
    noise: z
      .boolean()
      .default(true)
      .describe("normal noise with the standard deviation of each scaled gradient, on every modality's encoder"),
  }),
  create: ({ noise, ...options }, site) =>
    createModulation({ reference: weakest, noise: noise ? "scaled" : "none" }, options, site),
});
