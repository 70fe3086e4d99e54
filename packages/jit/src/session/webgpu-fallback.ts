// Nodes that ONNX Runtime 1.30 claims for WebGPU but fails on or gets wrong there, so that the processor must run them.
import type { Graph } from "../graph/onnx.ts";
import type { Node } from "../graph/value.ts";

/** Names of the nodes, as they stand in the model. */
export function nodesForProcessor({ nodes }: Pick<Graph, "nodes">): string[] {
  return nodes.filter(failsOnWebgpu).map(({ output }) => output.name);
}

function failsOnWebgpu({ op, inputs }: Node): boolean {
  switch (op) {
    case "Pow": // its kernel knows floats only
      return inputs.some((input) => input?.dtype !== "float32");
    case "Slice": // backwards it starts at the wrong element
      return Array.from(inputs[4]?.constant ?? [], Number).some((step) => step < 0);
    default:
      return false;
  }
}
