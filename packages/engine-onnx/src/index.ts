import type { Plugin } from "@merclab/core";
import { onnxPlugin, onnxWebgpuPlugin } from "./plugin.ts";

export { createOnnxEngine } from "./engine.ts";

export const plugins: readonly Plugin[] = [onnxPlugin, onnxWebgpuPlugin];
