// Engines by name.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { version_core } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { EngineProbe } from "../contracts/engine.ts";
import { definePlugin } from "../contracts/plugins.ts";
import { createEagerEngine } from "../engine/eager.ts";

/** The types of Node lack it. */
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<unknown> };

const noOptions = z.strictObject({});

export const wasmPlugin = definePlugin({
  kind: "engine",
  name: "wasm",
  summary: "tfjs on WebAssembly SIMD, one op at a time, one thread",
  rank: 70,
  threads: "one",
  // SDT on IEMOCAP, batches of 16: 631 MB at width 128 (0.56 million parameters), 1.40 GB at 512 (8.7 million).
  memory: { baseBytes: 600e6, bytesPerParameter: 95 },
  options: noOptions,
  probe: probeWasm,
  create: () => createEagerEngine("wasm"),
});

export const cpuPlugin = definePlugin({
  kind: "engine",
  name: "cpu",
  summary: "tfjs in plain JavaScript: slow, the reference for correctness",
  rank: 90,
  threads: "one",
  // SDT on IEMOCAP at width 64: 434 MB; what a parameter adds is that of wasm.
  memory: { baseBytes: 420e6, bytesPerParameter: 95 },
  options: noOptions,
  probe: async (): Promise<EngineProbe> => ({
    state: "works",
    found: `tfjs ${version_core} in plain JavaScript`,
    versions: {},
  }),
  create: () => createEagerEngine("cpu"),
});

/** Compiles what the engine would run, without making it the backend of this process. */
async function probeWasm(): Promise<EngineProbe> {
  const require = createRequire(import.meta.url);
  try {
    const file = require.resolve("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm");
    await WebAssembly.compile(await readFile(file));
    return { state: "works", found: `tfjs ${version_core} on WebAssembly SIMD`, versions: {} };
  } catch (error) {
    return {
      state: "broken",
      found: `WebAssembly SIMD does not run here: ${(error as Error).message}`,
      versions: {},
      hint: "Install the packages again; a processor without SIMD can use the engine cpu.",
    };
  }
}
