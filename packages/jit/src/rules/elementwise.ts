// Element-wise kernels.
import type { GraphBuilder } from "../graph/builder.ts";
import { broadcastShape, type ElementType, type Value } from "../graph/value.ts";
import { attribute, expectDtype, operand, operands, type Rule, RuleRefusal } from "./rule.ts";

const NUMBERS: readonly ElementType[] = ["float32", "int32"];

/** A kernel with one operand `x`. */
function unary(make: (graph: GraphBuilder, x: Value) => Value, ...dtypes: readonly ElementType[]): Rule {
  return (call) =>
    make(call.graph, expectDtype(operand(call, "x"), ...(dtypes.length > 0 ? dtypes : ["float32" as const])));
}

/** A kernel with one operand that is one ONNX op. */
function unaryOp(op: string, ...dtypes: readonly ElementType[]): Rule {
  return unary((graph, x) => graph.elementwise(op, [x]), ...dtypes);
}

/** A kernel with operands `a` and `b` of one dtype. */
function binary(make: (graph: GraphBuilder, a: Value, b: Value) => Value, ...dtypes: readonly ElementType[]): Rule {
  return (call) => {
    const a = expectDtype(operand(call, "a"), ...dtypes);
    const b = expectDtype(operand(call, "b"), ...dtypes);
    if (a.dtype !== b.dtype) {
      throw new RuleRefusal("the operands have different dtypes");
    }
    return make(call.graph, a, b);
  };
}

function binaryOp(op: string): Rule {
  return binary((graph, a, b) => graph.elementwise(op, [a, b]), ...NUMBERS);
}

function comparison(op: string, ...dtypes: readonly ElementType[]): Rule {
  return binary((graph, a, b) => graph.elementwise(op, [a, b], "bool"), ...dtypes);
}

const like = (graph: GraphBuilder, x: Value, value: number): Value => graph.scalar(value, x.dtype);
const where = (graph: GraphBuilder, condition: Value, yes: Value, no: Value): Value => {
  const shape = broadcastShape(condition.shape, yes.shape, no.shape);
  return graph.emit("Where", [condition, yes, no], { dtype: yes.dtype, shape });
};
const isNegative = (graph: GraphBuilder, x: Value): Value => graph.elementwise("Less", [x, like(graph, x, 0)], "bool");

/** eˣ − 1; near 0 as 2t / (1 − t) with t = tanh(x/2), where the plain form cancels. */
function expm1(graph: GraphBuilder, x: Value): Value {
  const half = graph.elementwise("Tanh", [graph.elementwise("Mul", [x, like(graph, x, 0.5)])]);
  const fine = graph.elementwise("Div", [
    graph.elementwise("Mul", [half, like(graph, x, 2)]),
    graph.elementwise("Sub", [like(graph, x, 1), half]),
  ]);
  const plain = graph.elementwise("Sub", [graph.elementwise("Exp", [x]), like(graph, x, 1)]);
  const small = graph.elementwise("Less", [graph.elementwise("Abs", [x]), like(graph, x, 0.5)], "bool");
  return where(graph, small, fine, plain);
}

/** log(1 + x); near 0 as 2 artanh(x / (2 + x)), where the plain form cancels. */
function log1p(graph: GraphBuilder, x: Value): Value {
  const ratio = graph.elementwise("Div", [x, graph.elementwise("Add", [x, like(graph, x, 2)])]);
  const fine = graph.elementwise("Mul", [graph.elementwise("Atanh", [ratio]), like(graph, x, 2)]);
  const plain = graph.elementwise("Log", [graph.elementwise("Add", [x, like(graph, x, 1)])]);
  const small = graph.elementwise("Less", [graph.elementwise("Abs", [x]), like(graph, x, 0.5)], "bool");
  return where(graph, small, fine, plain);
}

/** Rounds towards minus infinity; tfjs gives int32 for floats as well. */
function floorDiv(graph: GraphBuilder, a: Value, b: Value): Value {
  if (a.dtype === "float32") {
    return graph.cast(graph.elementwise("Floor", [graph.elementwise("Div", [a, b])]), "int32");
  }
  const quotient = graph.elementwise("Div", [a, b]);
  const rest = graph.elementwise("Sub", [a, graph.elementwise("Mul", [quotient, b])]);
  const exact = graph.elementwise("Equal", [rest, like(graph, a, 0)], "bool");
  const sameSign = graph.elementwise("Equal", [isNegative(graph, rest), isNegative(graph, b)], "bool");
  const keep = graph.elementwise("Or", [exact, sameSign], "bool");
  return where(graph, keep, quotient, graph.elementwise("Sub", [quotient, like(graph, a, 1)]));
}

/** The rest with the sign of the divisor. */
function floorMod(graph: GraphBuilder, a: Value, b: Value): Value {
  if (a.dtype === "int32") {
    return graph.elementwise("Mod", [a, b]);
  }
  const rest = graph.elementwise("Mod", [a, b], "float32", { fmod: 1 });
  const sameSign = graph.elementwise("Equal", [isNegative(graph, a), isNegative(graph, b)], "bool");
  const moved = graph.elementwise("Mod", [graph.elementwise("Add", [rest, b]), b], "float32", { fmod: 1 });
  return where(graph, sameSign, rest, moved);
}

const select: Rule = (call) => {
  const { graph } = call;
  const condition = expectDtype(operand(call, "condition"), "bool");
  const yes = operand(call, "t");
  const no = operand(call, "e");
  if (yes.dtype !== no.dtype) {
    throw new RuleRefusal("the operands have different dtypes");
  }
  const rank = yes.shape.length;
  const rows = condition.shape.length === 1 && rank > 1;
  const aligned = rows
    ? graph.reshape(condition, [...condition.shape, ...new Array<number>(rank - 1).fill(1)])
    : condition;
  return where(graph, aligned, yes, no);
};

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
  const bound = (name: string): Value => call.graph.scalar(attribute<number>(call, name), x.dtype);
  return call.graph.emit("Clip", [x, bound("clipValueMin"), bound("clipValueMax")], x);
};

const addN: Rule = (call) => {
  const [first, ...rest] = operands(call);
  if (first === undefined) {
    throw new RuleRefusal("nothing to add");
  }
  expectDtype(first, ...NUMBERS);
  return rest.reduce((sum, next) => call.graph.elementwise("Add", [sum, next]), first);
};

const prelu: Rule = (call) => {
  const x = expectDtype(operand(call, "x"), "float32");
  const slope = expectDtype(operand(call, "alpha"), "float32");
  return where(call.graph, isNegative(call.graph, x), call.graph.elementwise("Mul", [x, slope]), x);
};

const step: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), "float32");
  const positive = graph.elementwise("Greater", [x, graph.scalar(0)], "bool");
  const stepped = where(graph, positive, graph.scalar(1), graph.scalar(attribute<number>(call, "alpha")));
  return where(graph, graph.elementwise("IsNaN", [x], "bool"), x, stepped);
};

const eluGrad: Rule = (call) => {
  const { graph } = call;
  const dy = operand(call, "dy");
  const y = operand(call, "y");
  const slope = where(graph, isNegative(graph, y), graph.elementwise("Add", [y, graph.scalar(1)]), graph.scalar(1));
  return graph.elementwise("Mul", [dy, slope]);
};

const leakyRelu: Rule = (call) => {
  const x = expectDtype(operand(call, "x"), "float32");
  return call.graph.emit("LeakyRelu", [x], x, { alpha: { float: attribute<number>(call, "alpha") } });
};

const broadcastTo = (x: Value, ...others: readonly Value[]): number[] =>
  broadcastShape(x.shape, ...others.map(({ shape }) => shape));

const squaredDifference = (graph: GraphBuilder, a: Value, b: Value): Value => {
  const difference = graph.elementwise("Sub", [a, b]);
  return graph.elementwise("Mul", [difference, difference]);
};

/** ONNX's Max and Min take NaN from either side, as tfjs does. */
const extreme = (op: string): Rule =>
  binary((graph, a, b) => graph.emit(op, [a, b], { dtype: a.dtype, shape: broadcastTo(a, b) }), ...NUMBERS);

const likeFilled =
  (value: number): Rule =>
  (call) => {
    const x = operand(call, "x");
    return call.graph.full(x.shape, value, x.dtype);
  };

const identity: Rule = (call) => operand(call, "x");

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  Abs: unaryOp("Abs", ...NUMBERS),
  Acos: unaryOp("Acos"),
  Acosh: unaryOp("Acosh"),
  Asin: unaryOp("Asin"),
  Asinh: unaryOp("Asinh"),
  Atan: unaryOp("Atan"),
  Atanh: unaryOp("Atanh"),
  Ceil: unaryOp("Ceil"),
  Cos: unaryOp("Cos"),
  Cosh: unaryOp("Cosh"),
  Elu: unaryOp("Elu"),
  Erf: unaryOp("Erf"),
  Exp: unaryOp("Exp"),
  Expm1: unary(expm1),
  Floor: unaryOp("Floor"),
  IsFinite: unary((graph, x) => {
    const finite = graph.elementwise("Less", [graph.elementwise("Abs", [x]), graph.scalar(Infinity)], "bool");
    return finite; // a comparison with NaN is false
  }),
  IsInf: unary((graph, x) => graph.elementwise("IsInf", [x], "bool")),
  IsNan: unary((graph, x) => graph.elementwise("IsNaN", [x], "bool")),
  LeakyRelu: leakyRelu,
  Log: unaryOp("Log"),
  Log1p: unary(log1p),
  LogicalNot: unaryOp("Not", "bool"),
  Neg: unaryOp("Neg", ...NUMBERS),
  Reciprocal: unaryOp("Reciprocal"),
  Relu: unaryOp("Relu"),
  Relu6: unary((graph, x) => graph.emit("Clip", [x, graph.scalar(0), graph.scalar(6)], x)),
  Round: unaryOp("Round"),
  Rsqrt: unary((graph, x) => graph.elementwise("Reciprocal", [graph.elementwise("Sqrt", [x])])),
  Selu: unary((graph, x) =>
    graph.emit("Selu", [x], x, { alpha: { float: 1.6732632423543772 }, gamma: { float: 1.0507009873554805 } }),
  ),
  Sigmoid: unaryOp("Sigmoid"),
  Sign: unaryOp("Sign"),
  Sin: unaryOp("Sin"),
  Sinh: unaryOp("Sinh"),
  Softplus: unaryOp("Softplus"),
  Sqrt: unaryOp("Sqrt"),
  Square: unary((graph, x) => graph.elementwise("Mul", [x, x]), ...NUMBERS),
  Step: step,
  Tan: unaryOp("Tan"),
  Tanh: unaryOp("Tanh"),
  Cast: cast,
  ClipByValue: clip,
  EluGrad: eluGrad,
  Identity: identity,
  OnesLike: likeFilled(1),
  ZerosLike: likeFilled(0),
  Add: binaryOp("Add"),
  AddN: addN,
  Equal: comparison("Equal", ...NUMBERS, "bool"),
  FloorDiv: binary(floorDiv, ...NUMBERS),
  Greater: comparison("Greater", ...NUMBERS),
  GreaterEqual: comparison("GreaterOrEqual", ...NUMBERS),
  Less: comparison("Less", ...NUMBERS),
  LessEqual: comparison("LessOrEqual", ...NUMBERS),
  LogicalAnd: comparison("And", "bool"),
  LogicalOr: comparison("Or", "bool"),
  Maximum: extreme("Max"),
  Minimum: extreme("Min"),
  Mod: binary(floorMod, ...NUMBERS),
  Multiply: binaryOp("Mul"),
  NotEqual: binary(
    (graph, a, b) => graph.elementwise("Not", [graph.elementwise("Equal", [a, b], "bool")]),
    ...NUMBERS,
    "bool",
  ),
  Pow: binary((graph, a, b) => graph.elementwise("Pow", [a, b]), ...NUMBERS),
  Prelu: prelu,
  RealDiv: binary((graph, a, b) => graph.elementwise("Div", [a, b]), "float32"),
  Select: select,
  SquaredDifference: binary(squaredDifference, ...NUMBERS),
  Sub: binaryOp("Sub"),
};
