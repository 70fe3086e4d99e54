// Reductions, running sums and softmax.
import { frontAxis, type Value } from "../graph/value.ts";
import { attribute, expectDtype, operand, type Rule, type RuleCall, reducedAxes, refuseEmpty } from "./rule.ts";

function withoutAxes(x: Value, axes: readonly number[], keepDims: boolean): number[] {
  return x.shape.flatMap((dim, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [dim]));
}

/** tfjs's kernels reduce what they are told to and drop the axes; its ops put kept ones back by a reshape. */
function reduction(op: string, ...dtypes: readonly ("float32" | "int32")[]): Rule {
  return (call) => reduce(call, op, expectDtype(operand(call, "x"), ...dtypes));
}

function reduce(call: RuleCall, op: string, x: Value): Value {
  const axes = reducedAxes(call.attributes.axis ?? call.attributes.reductionIndices, x.shape.length);
  const keepDims = call.attributes.keepDims === true;
  const shape = withoutAxes(x, axes, keepDims);
  if (axes.length === 0) {
    return x; // in ONNX an empty list of axes would mean all
  }
  return call.graph.emit(op, [x, call.graph.ints(axes)], { dtype: x.dtype, shape }, { keepdims: keepDims ? 1 : 0 });
}

/** Over booleans, as minimum or maximum of integers. */
function logicalReduction(op: string): Rule {
  return (call) => {
    const x = call.graph.cast(expectDtype(refuseEmpty(operand(call, "x")), "bool"), "int32");
    return call.graph.cast(reduce(call, op, x), "bool");
  };
}

function argReduction(op: string): Rule {
  return (call) => {
    const x = expectDtype(refuseEmpty(operand(call, "x")), "float32", "int32");
    const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
    const shape = withoutAxes(x, [axis], false);
    const found = call.graph.emit(op, [x], { dtype: "int64", shape }, { axis, keepdims: 0, select_last_index: 0 });
    return call.graph.cast(found, "int32");
  };
}

const cumsum: Rule = (call) => {
  const x = expectDtype(operand(call, "x"), "float32", "int32");
  const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
  return call.graph.emit("CumSum", [x, call.graph.constant(BigInt64Array.of(BigInt(axis)), "int64", [])], x, {
    exclusive: call.attributes.exclusive === true ? 1 : 0,
    reverse: call.attributes.reverse === true ? 1 : 0,
  });
};

const softmax: Rule = (call) => {
  const x = expectDtype(operand(call, "logits"), "float32");
  return call.graph.emit("Softmax", [x], x, { axis: frontAxis(attribute<number>(call, "dim"), x.shape.length) });
};

const logSoftmax: Rule = (call) => {
  const x = expectDtype(operand(call, "logits"), "float32");
  return call.graph.emit("LogSoftmax", [x], x, { axis: frontAxis(attribute<number>(call, "axis"), x.shape.length) });
};

export const reductionRules: Readonly<Record<string, Rule>> = {
  All: logicalReduction("ReduceMin"),
  Any: logicalReduction("ReduceMax"),
  ArgMax: argReduction("ArgMax"),
  ArgMin: argReduction("ArgMin"),
  Cumsum: cumsum,
  LogSoftmax: logSoftmax,
  Max: (call) => reduce(call, "ReduceMax", expectDtype(refuseEmpty(operand(call, "x")), "float32", "int32")),
  Mean: (call) => reduce(call, "ReduceMean", call.graph.cast(refuseEmpty(operand(call, "x")), "float32")),
  Min: (call) => reduce(call, "ReduceMin", expectDtype(refuseEmpty(operand(call, "x")), "float32", "int32")),
  Prod: reduction("ReduceProd", "float32", "int32"),
  Softmax: softmax,
  Sum: reduction("ReduceSum", "float32", "int32"),
};
