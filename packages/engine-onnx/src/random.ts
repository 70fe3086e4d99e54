// Random tensors of a compiled step: each site becomes an input of the graph, and every run writes the numbers that an
// eager run would draw under the same key straight into its memory.
import { type Draw, drawMasksInto, fillRandom, foldKey, type Key, type RandomSource } from "@merclab/core";
import type * as Jit from "tfjs-jit";

/** @param key of the step, a host value */
export function createTracedSource(
  key: Jit.HostValue<Key>,
  jit: typeof Jit,
  path: readonly string[] = [],
): RandomSource {
  const drawn = (site: string, draw: Draw, shape: readonly number[]) =>
    jit.fromHost(key, shape, "float32", (given, out) => {
      reachMemoryOf(out, jit);
      fillRandom(foldKey(given, ...path), site, draw, shape, out as Float32Array);
    });
  return {
    dropoutMask: (site, shape, rate) => drawn(site, { kind: "dropout-mask", rate }, shape),
    normal: (site, shape) => drawn(site, { kind: "normal" }, shape),
    within: (name) => createTracedSource(key, jit, [...path, name]),
  };
}

const reached = new WeakSet<object>();

/** Masks are written into jit's memory without a copy. */
function reachMemoryOf(out: Jit.HostElements, jit: typeof Jit): void {
  const memory = jit.hostBackend().store.memoryOf(out);
  if (memory !== undefined && !reached.has(memory)) {
    reached.add(memory);
    drawMasksInto(memory);
  }
}
