// Reductions, softmax, and running sums and products.
import type { GraphBuilder } from "../graph/builder.ts";
import { frontAxis, type Value } from "../graph/value.ts";
import { attribute, expectDtype, operand, type Rule, type RuleCall, reducedAxes, refuseEmpty } from "./rule.ts";
import { concatValues, sliceAxis } from "./shapes.ts";

function withoutAxes(x: Value, axes: readonly number[], keepDims: boolean): number[] {
  return x.shape.flatMap((dim, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [dim]));
}

/** Reduces along these axes, counted from the front; none means that nothing is reduced. */
export function reduceAxes(
  graph: GraphBuilder,
  op: string,
  x: Value,
  axes: readonly number[],
  keepDims = false,
): Value {
  if (axes.length === 0) {
    return x; // in ONNX an empty list of axes would mean all
  }
  const output = { dtype: x.dtype, shape: withoutAxes(x, axes, keepDims) };
  return graph.emit(op, [x, graph.ints(axes)], output, { keepdims: keepDims ? 1 : 0 });
}

/** tfjs's kernels reduce what they are told to and drop the axes; its ops put kept ones back by a reshape. */
function reduce(call: RuleCall, op: string, x: Value): Value {
  const axes = reducedAxes(call.attributes.axis ?? call.attributes.reductionIndices, x.shape.length);
  return reduceAxes(call.graph, op, x, axes, call.attributes.keepDims === true);
}

/** Booleans count as 0 and 1; of nothing, the result is the neutral number. */
function counting(op: string): Rule {
  return (call) => reduce(call, op, asNumber(call));
}

function asNumber(call: RuleCall): Value {
  const x = operand(call, "x");
  return x.dtype === "bool" ? call.graph.cast(x, "int32") : x;
}

/** Over booleans, as minimum or maximum of integers. */
function extreme(op: string): Rule {
  return (call) => {
    const x = refuseEmpty(operand(call, "x"));
    return call.graph.cast(reduce(call, op, asNumber(call)), x.dtype);
  };
}

function logicalReduction(op: string): Rule {
  return (call) => {
    expectDtype(operand(call, "x"), "bool");
    return extreme(op)(call);
  };
}

function argReduction(op: "ArgMax" | "ArgMin"): Rule {
  return (call) => {
    refuseEmpty(operand(call, "x"));
    const x = asNumber(call);
    const [axis = 0] = reducedAxes(attribute<number | number[]>(call, "axis"), x.shape.length);
    return argExtreme(call.graph, op, x, axis);
  };
}

/** The first place of the greatest (`ArgMax`) or least (`ArgMin`) element along an axis, which is dropped. */
export function argExtreme(graph: GraphBuilder, op: "ArgMax" | "ArgMin", x: Value, axis: number): Value {
  const shape = withoutAxes(x, [axis], false);
  const found = graph.emit(op, [x], { dtype: "int64", shape }, { axis, keepdims: 0, select_last_index: 0 });
  return graph.cast(found, "int32");
}

const cumsum: Rule = (call) => {
  const x = asNumber(call);
  const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
  return call.graph.emit("CumSum", [x, call.graph.constant(BigInt64Array.of(BigInt(axis)), "int64", [])], x, {
    exclusive: call.attributes.exclusive === true ? 1 : 0,
    reverse: call.attributes.reverse === true ? 1 : 0,
  });
};

/** In log2(n) steps, each of which multiplies in the products of twice as many elements before. */
const cumprod: Rule = (call) => {
  const { graph } = call;
  const x = asNumber(call);
  const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
  const length = x.shape[axis] ?? 0;
  const backwards = call.attributes.reverse === true;
  /** Each element moved `by` places on, ones before them. */
  const moved = (value: Value, by: number): Value => {
    const ones = graph.full(
      value.shape.map((dim, i) => (i === axis ? by : dim)),
      1,
      value.dtype,
    );
    const kept = sliceAxis(graph, value, axis, backwards ? by : 0, length - by);
    return concatValues(graph, backwards ? [kept, ones] : [ones, kept], axis);
  };
  if (length === 0) {
    return x;
  }
  let product = call.attributes.exclusive === true ? moved(x, 1) : x;
  for (let by = 1; by < length; by *= 2) {
    product = graph.elementwise("Mul", [product, moved(product, by)]);
  }
  return product;
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
  Cumprod: cumprod,
  Cumsum: cumsum,
  LogSoftmax: logSoftmax,
  Max: extreme("ReduceMax"),
  Mean: (call) => reduce(call, "ReduceMean", call.graph.cast(refuseEmpty(operand(call, "x")), "float32")),
  Min: extreme("ReduceMin"),
  Prod: counting("ReduceProd"),
  Softmax: softmax,
  Sum: counting("ReduceSum"),
};
