// Runs on one tfjs backend after the other: the backend is global to a process.
import { createEagerEngine, type EagerBackend } from "@merclab/core";
import { engine } from "@tensorflow/tfjs-core";

const engines = { wasm: createEagerEngine("wasm"), cpu: createEagerEngine("cpu") };

/** The result of `fn` on a backend; tensors that it made are freed. */
export async function onBackend<T>(backend: EagerBackend, fn: () => T): Promise<T> {
  await engines[backend].start();
  engine().startScope();
  try {
    return fn();
  } finally {
    engine().endScope();
  }
}
