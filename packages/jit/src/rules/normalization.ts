// Batch normalization by given moments, and normalization of an element by its neighbours along the channels.
import type { GraphBuilder } from "../graph/builder.ts";
import { sizeOf, type Value } from "../graph/value.ts";
import { attribute, expectDtype, operand, type Rule, type RuleCall } from "./rule.ts";

const floats = (call: RuleCall, name: string): Value => expectDtype(operand(call, name), "float32");

/** (x − mean) / √(variance + ε) · scale + offset. */
const batchNorm: Rule = (call) => {
  const { graph } = call;
  const x = floats(call, "x");
  const centred = graph.elementwise("Sub", [x, floats(call, "mean")]);
  const epsilon = graph.scalar((call.attributes.varianceEpsilon as number | null | undefined) ?? 0.001);
  const deviation = graph.elementwise("Sqrt", [graph.elementwise("Add", [floats(call, "variance"), epsilon])]);
  const normal = graph.elementwise("Div", [centred, deviation]);
  const [scale, offset] = [call.inputs.get("scale"), call.inputs.get("offset")];
  const scaled = scale === undefined ? normal : graph.elementwise("Mul", [normal, scale]);
  return offset === undefined ? scaled : graph.elementwise("Add", [scaled, offset]);
};

/** Sums each channel with its neighbours up to `radius` channels away. */
function sumNeighbours(graph: GraphBuilder, x: Value, radius: number): Value {
  const channels = x.shape.at(-1) ?? 0;
  const near = Float32Array.from({ length: channels * channels }, (_, i) =>
    Math.abs(Math.floor(i / channels) - (i % channels)) <= radius ? 1 : 0,
  );
  const rows = graph.reshape(x, [sizeOf(x.shape.slice(0, -1)), channels]);
  return graph.reshape(
    graph.emit("MatMul", [rows, graph.constant(near, "float32", [channels, channels])], rows),
    x.shape,
  );
}

/** n = bias + α · Σ x² over the neighbours, and n^−β. */
function neighbourNorm(call: RuleCall, x: Value): { norm: Value; power: Value } {
  const { graph } = call;
  const squares = sumNeighbours(graph, graph.elementwise("Mul", [x, x]), attribute<number>(call, "depthRadius"));
  const scaled = graph.elementwise("Mul", [squares, graph.scalar(attribute<number>(call, "alpha"))]);
  const norm = graph.elementwise("Add", [scaled, graph.scalar(attribute<number>(call, "bias"))]);
  return { norm, power: graph.elementwise("Pow", [norm, graph.scalar(-attribute<number>(call, "beta"))]) };
}

/** y = x n^−β. */
const localResponse: Rule = (call) => {
  const x = floats(call, "x");
  return call.graph.elementwise("Mul", [x, neighbourNorm(call, x).power]);
};

/** dx = dy n^−β − 2αβ x · Σ (dy y / n) over the neighbours. */
const localResponseGrad: Rule = (call) => {
  const { graph } = call;
  const [x, y, dy] = [floats(call, "x"), floats(call, "y"), floats(call, "dy")];
  const { norm, power } = neighbourNorm(call, x);
  const shares = graph.elementwise("Div", [graph.elementwise("Mul", [dy, y]), norm]);
  const sum = sumNeighbours(graph, shares, attribute<number>(call, "depthRadius"));
  const factor = graph.scalar(2 * attribute<number>(call, "alpha") * attribute<number>(call, "beta"));
  const through = graph.elementwise("Mul", [graph.elementwise("Mul", [x, factor]), sum]);
  return graph.elementwise("Sub", [graph.elementwise("Mul", [dy, power]), through]);
};

export const normalizationRules: Readonly<Record<string, Rule>> = {
  FusedBatchNorm: batchNorm,
  LRN: localResponse,
  LRNGrad: localResponseGrad,
};
