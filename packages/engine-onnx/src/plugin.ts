// The engines by name, with their options.
import { definePlugin } from "@merclab/core";
import { z } from "zod";
import { createOnnxEngine } from "./engine.ts";

export const onnxEngineOptions = z.strictObject({
  /** Threads of one operation; null = one per core. */
  threads: z.int().positive().nullable().default(null),
});

export const onnxPlugin = definePlugin({
  kind: "engine",
  name: "onnx",
  summary: "whole steps compiled, run by ONNX Runtime on the CPU",
  options: onnxEngineOptions,
  create: createOnnxEngine,
});

export const onnxWebgpuPlugin = definePlugin({
  kind: "engine",
  name: "onnx-webgpu",
  summary: "whole steps compiled, run by ONNX Runtime on any GPU with Vulkan, Metal or Direct3D 12",
  options: onnxEngineOptions,
  create: (options) => createOnnxEngine({ ...options, device: "webgpu" }),
});
