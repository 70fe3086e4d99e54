// Element-wise functions of one operand.
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import { choose } from "./logic.ts";
import { attribute, expectDtype, NUMBERS, operand, type Rule, RuleRefusal, unary, unaryOp } from "./rule.ts";

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

const isSmall = (graph: GraphBuilder, x: Value): Value =>
  graph.elementwise("Less", [graph.elementwise("Abs", [x]), graph.scalar(0.5)], "bool");

/** eˣ − 1; near 0 as 2t / (1 − t) with t = tanh(x/2), where the plain form cancels. */
function expm1(graph: GraphBuilder, x: Value): Value {
  const half = graph.elementwise("Tanh", [graph.elementwise("Mul", [x, graph.scalar(0.5)])]);
  const fine = graph.elementwise("Div", [
    graph.elementwise("Mul", [half, graph.scalar(2)]),
    graph.elementwise("Sub", [graph.scalar(1), half]),
  ]);
  const plain = graph.elementwise("Sub", [graph.elementwise("Exp", [x]), graph.scalar(1)]);
  return choose(graph, isSmall(graph, x), fine, plain);
}

/** log(1 + x); near 0 as 2 artanh(x / (2 + x)), where the plain form cancels. */
function log1p(graph: GraphBuilder, x: Value): Value {
  const ratio = graph.elementwise("Div", [x, graph.elementwise("Add", [x, graph.scalar(2)])]);
  const fine = graph.elementwise("Mul", [graph.elementwise("Atanh", [ratio]), graph.scalar(2)]);
  const plain = graph.elementwise("Log", [graph.elementwise("Add", [x, graph.scalar(1)])]);
  return choose(graph, isSmall(graph, x), fine, plain);
}

/** Integers are what they are rounded to. */
function rounding(op: string): Rule {
  return unary((graph, x) => (x.dtype === "int32" ? x : graph.elementwise(op, [x])), ...NUMBERS);
}

const cast: Rule = (call) => {
  const to = attribute<string>(call, "dtype");
  if (to !== "float32" && to !== "int32" && to !== "bool") {
    throw new RuleRefusal(`cannot cast to ${to}`);
  }
  const x = operand(call, "x");
  if (x.uniform !== undefined && to !== "bool" && x.dtype !== "float32") {
    return call.graph.full(x.shape, x.uniform, to);
  }
  return call.graph.cast(x, to);
};

const clip: Rule = (call) => {
  const x = expectDtype(operand(call, "x"), ...NUMBERS);
  const bound = (name: string): Value => {
    const value = attribute<number>(call, name);
    const held = x.dtype === "int32" ? Math.min(Math.max(value, INT32_MIN), INT32_MAX) : value;
    return call.graph.scalar(held, x.dtype);
  };
  return call.graph.emit("Clip", [x, bound("clipValueMin"), bound("clipValueMax")], x);
};

const likeFilled =
  (value: number): Rule =>
  (call) => {
    const x = operand(call, "x");
    return call.graph.full(x.shape, value, x.dtype);
  };

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  Abs: unaryOp("Abs", ...NUMBERS),
  Acos: unaryOp("Acos"),
  Acosh: unaryOp("Acosh"),
  Asin: unaryOp("Asin"),
  Asinh: unaryOp("Asinh"),
  Atan: unaryOp("Atan"),
  Atanh: unaryOp("Atanh"),
  Cast: cast,
  Ceil: rounding("Ceil"),
  ClipByValue: clip,
  Cos: unaryOp("Cos"),
  Cosh: unaryOp("Cosh"),
  Erf: unaryOp("Erf"),
  Exp: unary((graph, x) => graph.elementwise("Exp", [graph.cast(x, "float32")]), ...NUMBERS),
  Expm1: unary(expm1),
  Floor: rounding("Floor"),
  Identity: (call) => operand(call, "x"),
  Log: unaryOp("Log"),
  Log1p: unary(log1p),
  Neg: unaryOp("Neg", ...NUMBERS),
  OnesLike: likeFilled(1),
  Reciprocal: unaryOp("Reciprocal"),
  Round: rounding("Round"),
  Rsqrt: unary((graph, x) => graph.elementwise("Reciprocal", [graph.elementwise("Sqrt", [x])])),
  Sign: unaryOp("Sign", ...NUMBERS),
  Sin: unaryOp("Sin"),
  Sinh: unaryOp("Sinh"),
  Sqrt: unaryOp("Sqrt"),
  Square: unary((graph, x) => graph.elementwise("Mul", [x, x]), ...NUMBERS),
  Tan: unaryOp("Tan"),
  Tanh: unaryOp("Tanh"),
  ZerosLike: likeFilled(0),
};
