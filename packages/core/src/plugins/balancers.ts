// Balancers by name.
import { z } from "zod";
import { createModulation, meanOfOthers, modulationOptions } from "../balancers/modulation.ts";
import { definePlugin } from "../contracts/plugins.ts";
import { TASK_TYPES } from "../contracts/task.ts";

export const noBalancerPlugin = definePlugin({
  kind: "balancer",
  name: "none",
  tasks: TASK_TYPES,
  summary: "Gradients as they are",
  options: z.strictObject({}),
  create: () => ({ needs: new Set<never>(), balance: (gradients) => ({ gradients, shown: {} }) }),
});

export const ogmGePlugin = definePlugin({
  kind: "balancer",
  name: "ogm-ge",
  tasks: ["single-label"],
  summary: "OGM-GE: damps modalities that score above the others' mean, adds noise of the gradients' own size",
  options: z.strictObject({
    ...modulationOptions,
    alpha: modulationOptions.alpha.default(0.5),
    noise: z
      .boolean()
      .default(true)
      .describe("generalisation enhancement: normal noise with the standard deviation of each unscaled gradient"),
  }),
  create: ({ noise, ...options }, site) =>
    createModulation({ reference: meanOfOthers, noise: noise ? "unscaled" : "none" }, options, site),
});
