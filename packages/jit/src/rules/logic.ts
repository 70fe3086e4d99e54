// Comparisons, logical kernels, tests for NaN and infinity, and the choice between two operands.
import type { GraphBuilder } from "../graph/builder.ts";
import type { ElementType, Value } from "../graph/value.ts";
import { binary, expectDtype, NUMBERS, operand, type Rule, RuleRefusal } from "./rule.ts";

/** Element-wise `condition ? yes : no`, broadcast; both of one dtype. */
export function choose(graph: GraphBuilder, condition: Value, yes: Value, no: Value): Value {
  if (yes.dtype !== "bool") {
    return graph.elementwise("Where", [condition, yes, no], yes.dtype);
  }
  const otherwise = graph.elementwise("Not", [condition]); // ONNX Runtime has no Where of booleans
  return graph.elementwise("Or", [
    graph.elementwise("And", [condition, yes]),
    graph.elementwise("And", [otherwise, no]),
  ]);
}

export const isNegative = (graph: GraphBuilder, x: Value): Value =>
  graph.elementwise("Less", [x, graph.scalar(0, x.dtype)], "bool");

/** Of booleans, as integers: ONNX orders numbers only. */
function ordering(op: string): Rule {
  return binary(
    (graph, a, b) => {
      const [x, y] = a.dtype === "bool" ? [graph.cast(a, "int32"), graph.cast(b, "int32")] : [a, b];
      return graph.elementwise(op, [x, y], "bool");
    },
    ...NUMBERS,
    "bool",
  );
}

const equal = (graph: GraphBuilder, a: Value, b: Value): Value => graph.elementwise("Equal", [a, b], "bool");

const notEqual = (graph: GraphBuilder, a: Value, b: Value): Value => graph.elementwise("Not", [equal(graph, a, b)]);

function logical(op: string): Rule {
  return binary((graph, a, b) => graph.elementwise(op, [a, b]), "bool");
}

/** A test that no integer passes, or that every one does. */
function floatTest(test: (graph: GraphBuilder, x: Value) => Value, ofIntegers: 0 | 1): Rule {
  return (call) => {
    const x = operand(call, "x");
    return x.dtype === "float32" ? test(call.graph, x) : call.graph.full(x.shape, ofIntegers, "bool");
  };
}

const RANKS: readonly ElementType[] = ["bool", "int32", "float32"];

/** A vector of conditions chooses whole rows of operands of higher rank. */
const select: Rule = (call) => {
  const { graph } = call;
  const condition = expectDtype(operand(call, "condition"), "bool");
  const [yes, no] = [operand(call, "t"), operand(call, "e")];
  const dtype = RANKS[Math.max(RANKS.indexOf(yes.dtype), RANKS.indexOf(no.dtype))];
  if (dtype === undefined) {
    throw new RuleRefusal(`cannot choose between ${yes.dtype} and ${no.dtype}`);
  }
  const rank = yes.shape.length;
  const rows = condition.shape.length === 1 && rank > 1;
  const aligned = rows
    ? graph.reshape(condition, [...condition.shape, ...new Array<number>(rank - 1).fill(1)])
    : condition;
  return graph.expand(choose(graph, aligned, graph.cast(yes, dtype), graph.cast(no, dtype)), yes.shape);
};

export const logicRules: Readonly<Record<string, Rule>> = {
  Equal: binary(equal, ...NUMBERS, "bool"),
  Greater: ordering("Greater"),
  GreaterEqual: ordering("GreaterOrEqual"),
  IsFinite: floatTest(
    (graph, x) => graph.elementwise("Less", [graph.elementwise("Abs", [x]), graph.scalar(Infinity)], "bool"),
    1, // a comparison with NaN is false
  ),
  IsInf: floatTest((graph, x) => graph.elementwise("IsInf", [x], "bool"), 0),
  IsNan: floatTest((graph, x) => graph.elementwise("IsNaN", [x], "bool"), 0),
  Less: ordering("Less"),
  LessEqual: ordering("LessOrEqual"),
  LogicalAnd: logical("And"),
  LogicalNot: (call) => call.graph.elementwise("Not", [expectDtype(operand(call, "x"), "bool")]),
  LogicalOr: logical("Or"),
  LogicalXor: binary(notEqual, "bool"),
  NotEqual: binary(notEqual, ...NUMBERS, "bool"),
  Select: select,
};
