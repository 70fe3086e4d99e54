// Engines by name.
import { z } from "zod";
import { definePlugin } from "../contracts/plugins.ts";
import { createEagerEngine } from "../engine/eager.ts";

const noOptions = z.strictObject({});

export const wasmPlugin = definePlugin({
  kind: "engine",
  name: "wasm",
  summary: "tfjs on WebAssembly SIMD, one op at a time, one thread",
  options: noOptions,
  create: () => createEagerEngine("wasm"),
});

export const cpuPlugin = definePlugin({
  kind: "engine",
  name: "cpu",
  summary: "tfjs in plain JavaScript: slow, the reference for correctness",
  options: noOptions,
  create: () => createEagerEngine("cpu"),
});
