// Element-wise arithmetic on two operands that broadcast against each other, and the sum of many.
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import { choose, isNegative } from "./logic.ts";
import { binary, expectDtype, expectOneDtype, NUMBERS, operands, type Rule, RuleRefusal } from "./rule.ts";

function binaryOp(op: string): Rule {
  return binary((graph, a, b) => graph.elementwise(op, [a, b]), ...NUMBERS);
}

const multiply = binary(
  (graph, a, b) => graph.elementwise(a.dtype === "bool" ? "And" : "Mul", [a, b]),
  ...NUMBERS,
  "bool",
);

const addN: Rule = (call) => {
  const [first, ...rest] = operands(call);
  if (first === undefined) {
    throw new RuleRefusal("nothing to add");
  }
  expectDtype(first, ...NUMBERS);
  expectOneDtype(first, ...rest);
  return rest.reduce((sum, next) => call.graph.elementwise("Add", [sum, next]), first);
};

const equals = (graph: GraphBuilder, x: Value, value: number): Value =>
  graph.elementwise("Equal", [x, graph.scalar(value, x.dtype)], "bool");

/** The divisor with 1 in place of what integers cannot be divided by, and where that is; absent where nothing is. */
function safeDivisor(graph: GraphBuilder, b: Value, ...refused: readonly number[]): { b: Value; bad?: Value } {
  const known = b.uniform === undefined ? (b.constant as Int32Array | undefined) : Int32Array.of(b.uniform);
  if (known !== undefined && refused.every((value) => !known.includes(value))) {
    return { b };
  }
  const bad = refused.map((value) => equals(graph, b, value)).reduce((x, y) => graph.elementwise("Or", [x, y]));
  return { b: choose(graph, bad, graph.scalar(1, "int32"), b), bad };
}

/** Rounds towards minus infinity; tfjs gives int32 for floats as well, and 0 where integers are divided by 0. */
function floorDiv(graph: GraphBuilder, a: Value, b: Value): Value {
  if (a.dtype === "float32") {
    return graph.cast(graph.elementwise("Floor", [graph.elementwise("Div", [a, b])]), "int32");
  }
  const safe = safeDivisor(graph, b, 0);
  const quotient = graph.elementwise("Div", [a, safe.b]);
  const rest = graph.elementwise("Sub", [a, graph.elementwise("Mul", [quotient, safe.b])]);
  const sameSign = graph.elementwise("Equal", [isNegative(graph, rest), isNegative(graph, safe.b)], "bool");
  const keep = graph.elementwise("Or", [equals(graph, rest, 0), sameSign]);
  const floored = choose(graph, keep, quotient, graph.elementwise("Sub", [quotient, graph.scalar(1, "int32")]));
  return safe.bad === undefined ? floored : choose(graph, safe.bad, graph.scalar(0, "int32"), floored);
}

/** The rest with the sign of the divisor. */
function floorMod(graph: GraphBuilder, a: Value, b: Value): Value {
  if (a.dtype === "int32") {
    return graph.elementwise("Mod", [a, safeDivisor(graph, b, 0, -1).b]); // 0 by 0 in tfjs; −1 overflows on int32's least
  }
  const rest = graph.elementwise("Mod", [a, b], "float32", { fmod: 1 });
  const sameSign = graph.elementwise("Equal", [isNegative(graph, a), isNegative(graph, b)], "bool");
  const moved = graph.elementwise("Mod", [graph.elementwise("Add", [rest, b]), b], "float32", { fmod: 1 });
  return choose(graph, sameSign, rest, moved);
}

const squaredDifference = (graph: GraphBuilder, a: Value, b: Value): Value => {
  const difference = graph.elementwise("Sub", [a, b]);
  return graph.elementwise("Mul", [difference, difference]);
};

/** The angle of the point (b, a): atan(a / b), and half a turn more where b is negative. Zeros count as positive. */
function atan2(graph: GraphBuilder, a: Value, b: Value): Value {
  const zero = graph.scalar(0);
  const angle = graph.elementwise("Atan", [graph.elementwise("Div", [a, b])]);
  const halfTurn = choose(graph, isNegative(graph, a), graph.scalar(-Math.PI), graph.scalar(Math.PI));
  const turned = choose(graph, isNegative(graph, b), graph.elementwise("Add", [angle, halfTurn]), angle);
  // Div gives an infinity of the sign of b's zero; the angle there is that of a alone.
  const right = choose(graph, isNegative(graph, a), graph.scalar(-Math.PI / 2), graph.scalar(Math.PI / 2));
  const upright = choose(graph, equals(graph, a, 0), zero, right);
  return choose(graph, equals(graph, b, 0), upright, turned);
}

export const arithmeticRules: Readonly<Record<string, Rule>> = {
  Add: binaryOp("Add"),
  AddN: addN,
  Atan2: binary(atan2, "float32"),
  BitwiseAnd: binary((graph, a, b) => graph.elementwise("BitwiseAnd", [a, b]), "int32"),
  FloorDiv: binary(floorDiv, ...NUMBERS),
  Maximum: binaryOp("Max"), // takes NaN from either side, as tfjs does
  Minimum: binaryOp("Min"),
  Mod: binary(floorMod, ...NUMBERS),
  Multiply: multiply,
  Pow: binaryOp("Pow"),
  RealDiv: binary((graph, a, b) => graph.elementwise("Div", [a, b]), "float32"),
  SquaredDifference: binary(squaredDifference, ...NUMBERS),
  Sub: binaryOp("Sub"),
};
