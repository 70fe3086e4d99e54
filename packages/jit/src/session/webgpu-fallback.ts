// Nodes that ONNX Runtime 1.30 claims for WebGPU but fails on or gets wrong there, so that the processor must run them.
import type { Graph } from "../graph/onnx.ts";
import { type Node, sameShape, sizeOf } from "../graph/value.ts";

/** Names of the nodes, as they stand in the model. */
export function nodesForProcessor({ nodes }: Pick<Graph, "nodes">): string[] {
  return nodes.filter(failsOnWebgpu).map(({ output }) => output.name);
}

function failsOnWebgpu(node: Node): boolean {
  const { op, inputs, attributes } = node;
  switch (op) {
    case "Pow": // of rows of four, say, by a column it has no program
      return isBroadcast(inputs);
    case "Slice": // backwards from near the beginning it starts at the wrong element
      return Array.from(inputs[4]?.constant ?? [], Number).some((step) => step < 0);
    case "Conv": // an empty result is an invalid size of a dispatch; a product that stands in for it forgets padding
      return sizeOf(node.output.shape) === 0 || isProductWithPadding(node);
    case "ConvTranspose": // along three axes it is refused, and groups of several channels get the wrong ones
      return (inputs[0]?.shape.length ?? 0) > 4 || attributes.group !== 1 || sizeOf(node.output.shape) === 0;
    default:
      return false;
  }
}

/** Between arrays of different shapes, of which none is a scalar. */
function isBroadcast(inputs: Node["inputs"]): boolean {
  const shapes = inputs.flatMap((input) => (input === undefined || input.shape.length === 0 ? [] : [input.shape]));
  const [first = []] = shapes;
  return shapes.some((shape) => !sameShape(shape, first));
}

/** Windows of one element, or of the whole input, are taken for a matrix product when nothing pads the beginning. */
function isProductWithPadding({ inputs: [x, filter], attributes: { pads } }: Node): boolean {
  const window = filter?.shape.slice(2) ?? [];
  const isProduct = window.every((dim) => dim === 1) || window.every((dim, i) => dim === x?.shape[2 + i]);
  return isProduct && Array.isArray(pads) && pads.some((pad) => pad > 0);
}
