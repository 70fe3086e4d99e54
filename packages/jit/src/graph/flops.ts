// Floating-point operations of a graph: one definition for everything that can be traced.
import { type Node, sizeOf } from "./value.ts";

export interface Flops {
  /** Matrix products and convolutions, a multiplication with its addition being 2: what papers' formulas count. */
  readonly products: number;
  /**
   * Everything else that computes on floats: one per element of the result, one per element of the operand in sums and
   * other reductions, five per element of a softmax. Copies, comparisons, selections and integers count nothing.
   */
  readonly elementwise: number;
}

export function flopsOf(nodes: readonly Node[]): Flops {
  let products = 0;
  let elementwise = 0;
  for (const node of nodes) {
    if (node.body === undefined) {
      products += productFlops(node);
      elementwise += elementwiseFlops(node);
    } else {
      const step = flopsOf(node.body.nodes);
      products += node.body.times * step.products;
      elementwise += node.body.times * step.elementwise;
    }
  }
  return { products, elementwise };
}

function productFlops({ op, inputs, output, attributes }: Node): number {
  const [a, b] = inputs;
  if (a === undefined || b === undefined) {
    return 0;
  }
  switch (op) {
    case "MatMul":
    case "Gemm":
      return 2 * sizeOf(output.shape) * (a.shape.at(attributes.transA === 1 ? -2 : -1) ?? 0);
    case "Conv": // the filter is [outChannels, channels / groups, …kernel]
      return 2 * sizeOf(output.shape) * sizeOf(b.shape.slice(1));
    case "ConvTranspose": // the filter is [channels, outChannels / groups, …kernel]
      return 2 * sizeOf(a.shape) * sizeOf(b.shape.slice(1));
    default:
      return 0;
  }
}

const PER_ELEMENT = new Set(
  (
    "Abs Acos Acosh Add Asin Asinh Atan Atanh Ceil Clip Cos Cosh CumSum Div Elu Erf Exp Floor LeakyRelu Log Max Min Mod Mul " +
    "Neg Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Sqrt Sub Tan Tanh"
  ).split(" "),
);
const SOFTMAX_STEPS = 5; // maximum, difference, exponential, sum, quotient

function elementwiseFlops(node: Node): number {
  const { op, inputs, output, attributes } = node;
  if (output.dtype !== "float32") {
    return 0;
  }
  if (PER_ELEMENT.has(op)) {
    return sizeOf(output.shape);
  }
  if (op === "Softmax" || op === "LogSoftmax") {
    return SOFTMAX_STEPS * sizeOf(output.shape);
  }
  if (op.startsWith("Reduce")) {
    return sizeOf(inputs[0]?.shape ?? []);
  }
  if (op === "AveragePool" || op === "MaxPool") {
    const kernel = attributes.kernel_shape;
    return sizeOf(output.shape) * (Array.isArray(kernel) ? sizeOf(kernel as readonly number[]) : 1);
  }
  return 0;
}
