import type { Plugin } from "@merclab/core";
import { sdtFusionPlugin } from "./fusion.ts";
import { selfDistillationPlugin } from "./self-distillation.ts";

export { createSdtFusion, type SdtFusionOptions, sdtFusionOptions } from "./fusion.ts";
export {
  createSelfDistillation,
  type SelfDistillationOptions,
  selfDistillationOptions,
} from "./self-distillation.ts";

export const plugins: readonly Plugin[] = [sdtFusionPlugin, selfDistillationPlugin];
