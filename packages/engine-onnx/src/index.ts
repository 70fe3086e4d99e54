import type { Plugin } from "@merclab/core";
import { onnxPlugin } from "./plugin.ts";

export { createOnnxEngine } from "./engine.ts";

export const plugins: readonly Plugin[] = [onnxPlugin];
