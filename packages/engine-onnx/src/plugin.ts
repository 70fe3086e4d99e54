// The engines by name, and whether they work here.
import { definePlugin, type EngineProbe, MerclabError } from "@merclab/core";
import { z } from "zod";
import { createOnnxEngine } from "./engine.ts";

export const onnxPlugin = definePlugin({
  kind: "engine",
  name: "onnx",
  summary: "whole steps compiled, run by ONNX Runtime on the CPU",
  rank: 30,
  threads: "many",
  // SDT on IEMOCAP's lengths, batches of 16: 1.7 GB at width 256 (5.6 million parameters), 2.9 GB at 1024 (79.7 million).
  memory: { baseBytes: 1.6e9, bytesPerParameter: 17 },
  options: z.strictObject({}),
  probe: probeOnnx,
  create: (_options, site) => createOnnxEngine(site),
});

export const onnxWebgpuPlugin = definePlugin({
  kind: "engine",
  name: "onnx-webgpu",
  summary: "whole steps compiled, run by ONNX Runtime on any GPU with Vulkan, Metal or Direct3D 12",
  // Last, so that `auto` never takes it: ONNX Runtime does not tell a GPU from a software adapter, which is slower than
  // any other engine.
  rank: 95,
  threads: "one",
  gpu: "adapter", // Dawn asks Vulkan, Metal or Direct3D for the default adapter; CUDA_VISIBLE_DEVICES says nothing there
  memory: { baseBytes: 1.6e9, bytesPerParameter: 17 },
  options: z.strictObject({}),
  probe: probeWebgpu,
  create: (_options, site) => createOnnxEngine(site, "webgpu"),
});

/** Starts the engine, which computes one sum, and lets go of it. */
async function probeWebgpu(): Promise<EngineProbe> {
  const library = await probeOnnx();
  if (library.state !== "works") {
    return library;
  }
  const engine = createOnnxEngine({ threads: 1 }, "webgpu");
  try {
    await engine.start();
    return { ...library, found: `${library.found}, a GPU adapter of WebGPU` };
  } catch (error) {
    const hint = error instanceof MerclabError ? error.hint : undefined;
    const state = firstLine(error).includes("no GPU adapter") ? "absent" : "broken";
    return { state, found: firstLine(error), versions: {}, ...(hint === undefined ? {} : { hint }) };
  } finally {
    await engine.dispose();
    const { releaseDevice } = await import("tfjs-jit");
    releaseDevice();
  }
}

/** Loads ONNX Runtime's library and asks what it was built with; no session is made. */
async function probeOnnx(): Promise<EngineProbe> {
  try {
    const { env, listSupportedBackends } = await import("onnxruntime-node");
    const version = env.versions.node ?? env.versions.common;
    if (!listSupportedBackends().some(({ name }) => name === "cpu")) {
      throw new Error("this build has no CPU provider");
    }
    return { state: "works", found: `ONNX Runtime ${version}`, versions: { onnxruntime: version } };
  } catch (error) {
    const message = firstLine(error);
    const isMissingBuild = (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
    const place = `${process.platform} ${process.arch}`;
    return isMissingBuild
      ? {
          state: "absent",
          found: `ONNX Runtime's package holds no build for ${place}`,
          versions: {},
          hint: "Use another engine here, e.g. --engine wasm.",
        }
      : {
          state: "broken",
          found: `ONNX Runtime cannot be loaded: ${message}`,
          versions: {},
          hint: "Install the packages again (its Linux builds need glibc), or use another engine, e.g. --engine wasm.",
        };
  }
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}
