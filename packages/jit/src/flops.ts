// Counts what a function would compute, from a trace alone: nothing is run, and ONNX Runtime is not loaded.
import { type DataType, Tensor } from "@tensorflow/tfjs-core";
import { type Flops, flopsOf } from "./graph/flops.ts";
import { traceFunction } from "./trace/trace-function.ts";
import { flattenTree } from "./tree.ts";

export { JitError } from "./errors.ts";
export type { Flops } from "./graph/flops.ts";

/** A tensor without values, for `countFlops` only: it takes no memory and needs no disposal. */
export function placeholder(shape: readonly number[], dtype: DataType = "float32"): Tensor {
  return new Tensor([...shape], dtype, {}, -1);
}

/**
 * Floating-point operations of one call of a pure function over trees of tensors or placeholders. What does not depend
 * on an argument is known beforehand and counts nothing. A tfjs backend must have been chosen; it stays as it is.
 *
 * @throws JitError for what cannot be traced
 */
export function countFlops<A extends readonly unknown[]>(fn: (...args: A) => unknown, ...args: A): Flops {
  return flopsOf(traceFunction(fn as (...args: never[]) => unknown, flattenTree(args, "the arguments")).graph.nodes);
}
