import type { Plugin } from "@merclab/core";
import { onnxPlugin, onnxWebgpuPlugin } from "./plugin.ts";

export { createOnnxEngine, type OnnxEngineOptions } from "./engine.ts";

export const plugins: readonly Plugin[] = [onnxPlugin, onnxWebgpuPlugin];
