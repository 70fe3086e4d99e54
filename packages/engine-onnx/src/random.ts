// Random tensors of a compiled step: each site becomes an input of the graph, filled on every run by asking the random
// source of that run for the same site. So the bits are those of an eager run, whatever the source is.
import type { RandomSource } from "@merclab/core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { HostElements, HostValue } from "tfjs-jit";

/** @param fromHost of the package that compiles: makes the graph's input */
export function createTracedSource(
  source: HostValue<RandomSource>,
  fromHost: typeof import("tfjs-jit").fromHost,
  path: readonly string[] = [],
): RandomSource {
  const draw = (shape: readonly number[], make: (source: RandomSource) => Tensor): Tensor =>
    fromHost(source, shape, "float32", (given) =>
      elementsOf(make(path.reduce((within, name) => within.within(name), given))),
    );
  return {
    dropoutMask: (site, shape, rate) => draw(shape, (given) => given.dropoutMask(site, shape, rate)),
    normal: (site, shape) => draw(shape, (given) => given.normal(site, shape)),
    within: (name) => createTracedSource(source, fromHost, [...path, name]),
  };
}

function elementsOf(tensor: Tensor): HostElements {
  const elements = tensor.dataSync() as HostElements;
  tensor.dispose();
  return elements;
}
