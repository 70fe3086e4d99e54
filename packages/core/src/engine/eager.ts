// Eager engines: every op runs at once on a tfjs backend. The reference for correctness, and what runs everywhere.
import {
  dispose,
  enableProdMode,
  ready,
  setBackend,
  type TensorContainer,
  tensor_util,
  tidy,
} from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
// The Node bundle of tfjs-layers registers the gradient of every op; tfjs-core's own module for that cannot be
// resolved by Node (extensionless imports).
import "@tensorflow/tfjs-layers";
import type { Engine } from "../contracts/engine.ts";
import { MerclabError } from "../errors.ts";
import { startWasmBackend } from "./wasm.ts";

export const EAGER_BACKENDS = ["wasm", "cpu"] as const;
export type EagerBackend = (typeof EAGER_BACKENDS)[number];

/** @param backend `wasm` (SIMD, one thread) or `cpu` (plain JavaScript, slow, for reference) */
export function createEagerEngine(backend: EagerBackend): Engine {
  return {
    name: backend,
    async start() {
      enableProdMode();
      try {
        if (backend === "wasm") {
          await startWasmBackend();
        } else {
          await setBackend(backend);
          await ready();
        }
      } catch (cause) {
        throw new MerclabError("engine", `engine ${backend} did not start: ${String(cause)}`, {
          hint: 'Run "exp doctor" to see which engines work here.',
          cause,
        });
      }
    },
    compile:
      (fn, { donate = [] } = {}) =>
      async (...args) => {
        // tidy's type of a tensor tree lacks readonly and interface types; at run time it walks any plain object.
        const result = tidy(() => fn(...args) as TensorContainer);
        const kept = new Set(tensor_util.getTensorsInContainer(result));
        const donated = tensor_util.getTensorsInContainer(donate.map((at) => args[at]) as TensorContainer);
        dispose(donated.filter((tensor) => !kept.has(tensor)));
        return result as ReturnType<typeof fn>;
      },
    async dispose() {},
  };
}
