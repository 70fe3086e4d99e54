// LMAM as a plugin.
import { definePlugin } from "@merclab/core";
import { createLmam } from "./fusion.ts";
import { lmamOptions } from "./options.ts";

export const lmam = definePlugin({
  kind: "fusion",
  name: "lmam",
  summary: "low-rank matching attention: one matching weight inside and between modalities (Shou et al. 2025)",
  options: lmamOptions,
  create: createLmam,
});
