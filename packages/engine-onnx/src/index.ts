import type { Plugin } from "@merclab/core";
import { onnxPlugin } from "./plugin.ts";

export { createOnnxEngine, type OnnxEngineOptions } from "./engine.ts";

export const plugins: readonly Plugin[] = [onnxPlugin];
