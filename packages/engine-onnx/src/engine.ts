// The engine `onnx`: a function is traced once per set of shapes and run by ONNX Runtime on the CPU. Tensors live on
// jit's host backend; what is computed outside compiled functions runs there with tfjs's cpu kernels.
import {
  type CompileOptions,
  type Engine,
  type EngineSite,
  isKeyedSource,
  type Key,
  MerclabError,
} from "@merclab/core";
import { enableProdMode, setBackend } from "@tensorflow/tfjs-core";
import type * as Jit from "tfjs-jit";
import { createTracedSource } from "./random.ts";

/** Compiled graphs that stay for the next trial of a process: about as many as a data set has shapes. */
const KEPT_GRAPHS = 12;

export function createOnnxEngine({ threads, cacheFolder }: EngineSite): Engine {
  let jit: typeof Jit | undefined;
  const compiled: { dispose(): Promise<void> }[] = [];
  return {
    name: "onnx",
    compilesShapes: true,
    async start() {
      enableProdMode();
      try {
        // Loaded here, so that a machine without ONNX Runtime's binary can use the other engines.
        jit = await import("tfjs-jit");
        jit.hostBackend();
        await setBackend(jit.HOST_BACKEND);
      } catch (cause) {
        throw new MerclabError("engine", `engine onnx did not start: ${String(cause)}`, {
          hint: 'Use --engine wasm, or run "exp doctor" to see which engines work here.',
          cause,
        });
      }
    },
    compile: <A extends readonly unknown[], R>(fn: (...args: A) => R, { donate = [] }: CompileOptions = {}) => {
      if (jit === undefined) {
        throw new MerclabError("engine", "engine onnx: compile was called before start");
      }
      const loaded = jit;
      const { HostValue, hostValue } = loaded;
      const traced = (...args: unknown[]): R =>
        fn(
          ...(args.map((arg) =>
            arg instanceof HostValue ? createTracedSource(arg as Jit.HostValue<Key>, loaded) : arg,
          ) as unknown as A),
        );
      const cache = cacheFolder === undefined ? {} : { cacheFolder };
      const jitted = loaded.jit(traced, { donate, threads, keepIdle: KEPT_GRAPHS, ...cache });
      compiled.push(jitted);
      const call = (...args: A) => jitted(...args.map((arg) => (isKeyedSource(arg) ? hostValue(arg.key) : arg)));
      return Object.assign(call, { explain: jitted.explain });
    },
    async dispose() {
      await Promise.all(compiled.splice(0).map((each) => each.dispose()));
    },
  };
}
