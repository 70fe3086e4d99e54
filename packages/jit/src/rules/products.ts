// Matrix products.
import type { GraphBuilder } from "../graph/builder.ts";
import { broadcastShape, type Value } from "../graph/value.ts";
import { finishFused } from "./activations.ts";
import { expectDtype, expectOneDtype, NUMBERS, operand, type Rule, type RuleCall } from "./rule.ts";

/**
 * From this many rows and columns on it pays to transpose the first operand once: ONNX Runtime's product does it again
 * for every 128 columns, and is a fifth slower. Other products may share the transposed operand.
 */
const LARGE = 512;

function product(call: RuleCall): Value {
  const { graph } = call;
  const a = expectDtype(operand(call, "a"), ...NUMBERS);
  const b = expectDtype(operand(call, "b"), ...NUMBERS);
  expectOneDtype(a, b);
  const transA = call.attributes.transposeA === true;
  const transB = call.attributes.transposeB === true;
  const rows = a.shape.at(transA ? -1 : -2) ?? 0;
  const columns = b.shape.at(transB ? -2 : -1) ?? 0;
  const outer = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const output = { dtype: a.dtype, shape: [...outer, rows, columns] };
  if (a.dtype === "float32" && a.shape.length === 2 && b.shape.length === 2 && (transA || transB)) {
    const move = transA && Math.min(rows, columns) >= LARGE;
    return graph.emit("Gemm", [move ? swapLast(graph, a) : a, b], output, {
      transA: transA && !move ? 1 : 0,
      transB: transB ? 1 : 0,
    });
  }
  return graph.emit("MatMul", [transA ? swapLast(graph, a) : a, transB ? swapLast(graph, b) : b], output);
}

/** ONNX Runtime reads the operand transposed instead of moving it. */
function swapLast(graph: GraphBuilder, x: Value): Value {
  const axes = x.shape.map((_, i) => i);
  axes.splice(-2, 2, axes.length - 1, axes.length - 2);
  return graph.transpose(x, axes);
}

export const productRules: Readonly<Record<string, Rule>> = {
  BatchMatMul: product,
  _FusedMatMul: (call) => finishFused(call, product(call)),
};
