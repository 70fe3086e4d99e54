// Matrix products.
import type { GraphBuilder } from "../graph/builder.ts";
import { broadcastShape, type Value } from "../graph/value.ts";
import { elementwiseRules } from "./elementwise.ts";
import { expectDtype, operand, type Rule, type RuleCall, RuleRefusal } from "./rule.ts";

function product(call: RuleCall): Value {
  const { graph } = call;
  const a = expectDtype(operand(call, "a"), "float32");
  const b = expectDtype(operand(call, "b"), "float32");
  const transA = call.attributes.transposeA === true;
  const transB = call.attributes.transposeB === true;
  const rows = a.shape.at(transA ? -1 : -2) ?? 0;
  const columns = b.shape.at(transB ? -2 : -1) ?? 0;
  const outer = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const output = { dtype: "float32" as const, shape: [...outer, rows, columns] };
  if (a.shape.length === 2 && b.shape.length === 2 && (transA || transB)) {
    return graph.emit("Gemm", [a, b], output, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 });
  }
  return graph.emit("MatMul", [transA ? swapLast(graph, a) : a, transB ? swapLast(graph, b) : b], output);
}

/** ONNX Runtime reads the operand transposed instead of moving it. */
function swapLast(graph: GraphBuilder, x: Value): Value {
  const axes = x.shape.map((_, i) => i);
  axes.splice(-2, 2, axes.length - 1, axes.length - 2);
  return graph.transpose(x, axes);
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  elu: "Elu",
  leakyrelu: "LeakyRelu",
  relu: "Relu",
  relu6: "Relu6",
  sigmoid: "Sigmoid",
};

const fusedMatMul: Rule = (call) => {
  const { graph } = call;
  const bias = call.inputs.get("bias");
  const plain = product(call);
  const sum = bias === undefined ? plain : graph.elementwise("Add", [plain, bias]);
  const activation = (call.attributes.activation as string | null | undefined) ?? "linear";
  if (activation === "linear") {
    return sum;
  }
  if (activation === "prelu") {
    const alpha = operand(call, "preluActivationWeights");
    return (elementwiseRules.Prelu as Rule)({
      ...call,
      inputs: new Map([
        ["x", sum],
        ["alpha", alpha],
      ]),
    });
  }
  const rule = elementwiseRules[ACTIVATIONS[activation] ?? ""];
  if (rule === undefined) {
    throw new RuleRefusal(`the activation ${activation} is unknown`);
  }
  return rule({ ...call, inputs: new Map([["x", sum]]), attributes: { alpha: call.attributes.leakyreluAlpha } });
};

export const productRules: Readonly<Record<string, Rule>> = {
  BatchMatMul: product,
  _FusedMatMul: fusedMatMul,
};
