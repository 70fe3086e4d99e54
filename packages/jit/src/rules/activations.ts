// Activation functions, and what fused products do with their result.
import { backend_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import { choose, isNegative } from "./logic.ts";
import {
  attribute,
  expectDtype,
  NUMBERS,
  operand,
  type Rule,
  type RuleCall,
  RuleRefusal,
  unary,
  unaryOp,
} from "./rule.ts";

const relu = (graph: GraphBuilder, x: Value): Value =>
  x.dtype === "int32" ? graph.emit("Max", [x, graph.scalar(0, "int32")], x) : graph.elementwise("Relu", [x]);

const relu6 = (graph: GraphBuilder, x: Value): Value =>
  graph.emit("Clip", [x, graph.scalar(0, x.dtype), graph.scalar(6, x.dtype)], x);

const leakyRelu = (graph: GraphBuilder, x: Value, alpha: number): Value =>
  graph.emit("LeakyRelu", [x], x, { alpha: { float: alpha } });

const prelu = (graph: GraphBuilder, x: Value, slope: Value): Value =>
  choose(graph, isNegative(graph, x), graph.elementwise("Mul", [x, slope]), x);

const step: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), "float32");
  const positive = graph.elementwise("Greater", [x, graph.scalar(0)], "bool");
  const stepped = choose(graph, positive, graph.scalar(1), graph.scalar(attribute<number>(call, "alpha")));
  return choose(graph, graph.elementwise("IsNaN", [x], "bool"), x, stepped);
};

const eluGrad: Rule = (call) => {
  const { graph } = call;
  const dy = operand(call, "dy");
  const y = operand(call, "y");
  const slope = choose(graph, isNegative(graph, y), graph.elementwise("Add", [y, graph.scalar(1)]), graph.scalar(1));
  return graph.elementwise("Mul", [dy, slope]);
};

/**
 * Adds the bias of a fused product and applies its activation.
 *
 * @param plain the product, `[batch, …, channels]`, or `[batch, channels, …]` where `channelsFirst`
 */
export function finishFused(call: RuleCall, plain: Value, channelsFirst = false): Value {
  const { graph } = call;
  const perChannel = (value: Value): Value => {
    const vector = value.shape.length === 1 && value.shape[0] !== 1;
    return channelsFirst && vector
      ? graph.reshape(value, [...value.shape, ...new Array<number>(plain.shape.length - 2).fill(1)])
      : value;
  };
  const bias = call.inputs.get("bias");
  const sum = bias === undefined ? plain : graph.elementwise("Add", [plain, perChannel(bias)]);
  const activation = (call.attributes.activation as string | null | undefined) ?? "linear";
  switch (activation) {
    case "linear":
      return sum;
    case "elu":
      return graph.elementwise("Elu", [sum]);
    case "leakyrelu":
      return leakyRelu(graph, sum, attribute<number>(call, "leakyreluAlpha"));
    case "prelu":
      return prelu(graph, sum, perChannel(operand(call, "preluActivationWeights")));
    case "relu":
      return relu(graph, sum);
    case "relu6":
      return relu6(graph, sum);
    case "sigmoid":
      return graph.elementwise("Sigmoid", [sum]);
    default:
      throw new RuleRefusal(`the activation ${activation} is unknown; apply it after the product`);
  }
}

export const activationRules: Readonly<Record<string, Rule>> = {
  Elu: unaryOp("Elu"),
  EluGrad: eluGrad,
  LeakyRelu: (call) => {
    const x = expectDtype(operand(call, "x"), ...NUMBERS);
    return leakyRelu(call.graph, call.graph.cast(x, "float32"), attribute<number>(call, "alpha"));
  },
  Prelu: (call) => {
    const [x, alpha] = [operand(call, "x"), operand(call, "alpha")].map((each) =>
      call.graph.cast(expectDtype(each, ...NUMBERS), "float32"),
    ) as [Value, Value];
    return prelu(call.graph, x, alpha);
  },
  Relu: unary(relu, ...NUMBERS),
  Relu6: unary(relu6, ...NUMBERS),
  Selu: unary((graph, x) => {
    const { SELU_SCALE, SELU_SCALEALPHA } = backend_util;
    return graph.emit("Selu", [x], x, {
      alpha: { float: SELU_SCALEALPHA / SELU_SCALE },
      gamma: { float: SELU_SCALE },
    });
  }),
  Sigmoid: unaryOp("Sigmoid"),
  Softplus: unaryOp("Softplus"),
  Step: step,
};
