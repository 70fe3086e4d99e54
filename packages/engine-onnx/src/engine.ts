// The engines `onnx` and `onnx-webgpu`: a function is traced once per set of shapes and run by ONNX Runtime, on the CPU
// or on a GPU through WebGPU. Tensors live on jit's host backend, but for weights and moments in training on a GPU, which
// stay there; what is computed outside compiled functions runs on the host with tfjs's cpu kernels.
import {
  type CompileOptions,
  type Engine,
  type EngineSite,
  isKeyedSource,
  type Key,
  MerclabError,
} from "@merclab/core";
import { add, enableProdMode, scalar, setBackend, type Tensor } from "@tensorflow/tfjs-core";
import type * as Jit from "tfjs-jit";
import { createTracedSource } from "./random.ts";

/** Compiled graphs that stay for the next trial of a process: about as many as a data set has shapes. */
const KEPT_GRAPHS = 12;

/** The name that the engine of a device has on the command line. */
export const ENGINE_NAMES = { cpu: "onnx", webgpu: "onnx-webgpu" } as const satisfies Record<Jit.Device, string>;

export function createOnnxEngine({ threads, cacheFolder }: EngineSite, device: Jit.Device = "cpu"): Engine {
  const name = ENGINE_NAMES[device];
  let jit: typeof Jit | undefined;
  const compiled: { dispose(): Promise<void> }[] = [];
  return {
    name,
    compilesShapes: true,
    async start() {
      enableProdMode();
      try {
        // Loaded here, so that a machine without ONNX Runtime's binary can use the other engines.
        jit = await import("tfjs-jit");
        jit.hostBackend();
        await setBackend(jit.HOST_BACKEND);
        if (device !== "cpu") {
          await runOnce(jit, device);
        }
      } catch (cause) {
        if (jit !== undefined && cause instanceof jit.JitError && cause.code === "device") {
          throw noAdapter(name, cause);
        }
        throw new MerclabError("engine", `engine ${name} did not start: ${String(cause)}`, {
          hint: 'Use --engine wasm, or run "exp doctor" to see which engines work here.',
          cause,
        });
      }
    },
    compile: <A extends readonly unknown[], R>(fn: (...args: A) => R, { donate = [] }: CompileOptions = {}) => {
      if (jit === undefined) {
        throw new MerclabError("engine", `engine ${name}: compile was called before start`);
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
      const jitted = loaded.jit(traced, { donate, device, threads, keepIdle: KEPT_GRAPHS, ...cache });
      compiled.push(jitted);
      const call = async (...args: A): Promise<R> => {
        try {
          return await jitted(...args.map((arg) => (isKeyedSource(arg) ? hostValue(arg.key) : arg)));
        } catch (cause) {
          throw cause instanceof loaded.JitError ? inTermsOfTraining(name, cause) : cause;
        }
      };
      return Object.assign(call, { explain: jitted.explain });
    },
    async dispose() {
      await Promise.all(compiled.splice(0).map((each) => each.dispose()));
    },
  };
}

/** A run of one sum, since a device shows only in use whether it is there. */
async function runOnce(jit: typeof Jit, device: Jit.Device): Promise<void> {
  const double = jit.jit((x: Tensor) => add(x, x), { device });
  const x = scalar(1);
  try {
    const result = await double(x);
    const [value] = result.dataSync();
    result.dispose();
    if (value !== 2) {
      throw new Error(`${device} says that 1 + 1 = ${value}`);
    }
  } finally {
    x.dispose();
    await double.dispose();
  }
}

/** What a user can do something about; other errors are the model's author's to read. */
function inTermsOfTraining(name: string, cause: Jit.JitError): Error {
  if (cause.code === "diverged") {
    return new MerclabError("diverged", `engine ${name}: parameters are no longer finite`, {
      hint: "Try a smaller optimizer.lr, or optimizer.maxGradientNorm=1.",
      cause,
    });
  }
  if (cause.code === "memory") {
    return new MerclabError("engine", `engine ${name}: there is not enough memory: ${cause.message}`, {
      hint: "Try a smaller trainer.batchSize or encoder.dim, or another engine.",
      cause,
    });
  }
  return cause;
}

function noAdapter(name: string, cause: unknown): MerclabError {
  return new MerclabError("engine", `engine ${name}: no GPU adapter was found`, {
    hint:
      "On Linux it takes the Vulkan loader (package libvulkan1) and the GPU maker's Vulkan driver (mesa-vulkan-drivers " +
      "for AMD and Intel, the NVIDIA driver for NVIDIA); macOS and Windows bring what it takes. Or use --engine onnx.",
    cause,
  });
}
