// Maxima and means of windows along two or three axes, and their gradients. tfjs's 1-D pooling is one over a single row.
import type { GraphBuilder } from "../graph/builder.ts";
import { sizeOf, type Value } from "../graph/value.ts";
import { countUp } from "./fills.ts";
import { choose } from "./logic.ts";
import { argExtreme, reduceAxes } from "./reductions.ts";
import { expectDtype, operand, type Rule, type RuleCall, RuleRefusal } from "./rule.ts";
import { concatValues } from "./shapes.ts";
import {
  addWindows,
  channelsFirst,
  channelsLast,
  onnxWindows,
  placesOf,
  poolingWindows,
  type Windows,
  windowElements,
  windowsOfGradient,
} from "./windows.ts";

/** @throws RuleRefusal where a window may see padding only: it has no maximum and no mean */
function windowsOf(call: RuleCall, x: Value, dy?: Value): Windows {
  const given = poolingWindows(call, x.shape);
  const windows = dy === undefined ? given : windowsOfGradient(given, dy);
  const { kernel, before, after } = windows;
  if (kernel.some((length, i) => length <= (before[i] ?? 0) || length <= (after[i] ?? 0))) {
    throw new RuleRefusal("a window sees nothing but padding; pad less than the window is long");
  }
  return windows;
}

/** One window sees everything. */
const isGlobal = ({ outputs, inputs, kernel, before }: Windows): boolean =>
  sizeOf(outputs) === 1 && inputs.every((count, i) => (kernel[i] ?? 0) - (before[i] ?? 0) >= count);

const spaceOf = (x: Value): number[] =>
  x.shape.flatMap((_, axis) => (axis > 0 && axis < x.shape.length - 1 ? [axis] : []));

function pool(graph: GraphBuilder, x: Value, windows: Windows, kind: "Max" | "Mean"): Value {
  if (isGlobal(windows)) {
    return reduceAxes(graph, `Reduce${kind}`, x, spaceOf(x), true);
  }
  const pooled = graph.emit(
    kind === "Max" ? "MaxPool" : "AveragePool",
    [channelsFirst(graph, x)],
    { dtype: x.dtype, shape: [x.shape[0] ?? 0, x.shape.at(-1) ?? 0, ...windows.outputs] },
    { ...onnxWindows(windows), ...(kind === "Max" ? {} : { count_include_pad: 0 }) },
  );
  return channelsLast(graph, pooled);
}

const pooling =
  (kind: "Max" | "Mean"): Rule =>
  (call) => {
    const x = expectDtype(operand(call, "x"), "float32");
    return pool(call.graph, x, windowsOf(call, x), kind);
  };

/** `[batch, …outputs, channels]` as one place of a window: `[batch, …outputs, 1, channels]`. */
const perPlace = (graph: GraphBuilder, value: Value): Value =>
  graph.reshape(value, [...value.shape.slice(0, -1), 1, value.shape.at(-1) ?? 0]);

/** The gradient goes to the first of the greatest elements in a window. */
const maxPoolGrad: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "input"), "float32");
  const y = expectDtype(operand(call, "output"), "float32");
  const dy = expectDtype(operand(call, "dy"), "float32");
  const windows = windowsOf(call, x, dy);
  let found: Value | undefined;
  const parts = windowElements(graph, x, windows, Number.NEGATIVE_INFINITY).map((seen) => {
    const isGreatest = graph.elementwise("Equal", [seen, y], "bool");
    const isFirst =
      found === undefined ? isGreatest : graph.elementwise("And", [isGreatest, graph.elementwise("Not", [found])]);
    found = found === undefined ? isGreatest : graph.elementwise("Or", [found, isGreatest]);
    return perPlace(graph, choose(graph, isFirst, dy, graph.scalar(0)));
  });
  return addWindows(graph, concatValues(graph, parts, x.shape.length - 1), windows);
};

/** How many elements each window sees: `[1, …outputs, 1]`. */
function countSeen(graph: GraphBuilder, { inputs, outputs, kernel, strides, before }: Windows): Value {
  const counts = placesOf(outputs).map((window) =>
    sizeOf(
      window.map((at, i) => {
        const begin = at * (strides[i] ?? 1) - (before[i] ?? 0);
        return Math.min(begin + (kernel[i] ?? 1), inputs[i] ?? 1) - Math.max(begin, 0);
      }),
    ),
  );
  return graph.constant(Float32Array.from(counts), "float32", [1, ...outputs, 1]);
}

/** Every element that a window sees takes an equal share of its gradient. */
const avgPoolGrad: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "input");
  const dy = expectDtype(operand(call, "dy"), "float32");
  const windows = windowsOf(call, x, dy);
  const share = graph.elementwise("Div", [dy, countSeen(graph, windows)]);
  if (isGlobal(windows)) {
    return graph.expand(share, x.shape);
  }
  const [batch, channels] = [x.shape[0] ?? 0, x.shape.at(-1) ?? 0];
  const { inputs, outputs, kernel, after } = windows;
  const planes = graph.reshape(channelsFirst(graph, share), [batch * channels, 1, ...outputs]);
  const spread = graph.emit(
    "ConvTranspose",
    [planes, graph.full([1, 1, ...kernel], 1, "float32")],
    { dtype: "float32", shape: [batch * channels, 1, ...inputs] },
    { ...onnxWindows(windows), output_padding: after.map((count) => Math.max(-count, 0)), group: 1 },
  );
  return channelsLast(graph, graph.reshape(spread, [batch, channels, ...inputs]));
};

/** Maxima, and where they stand in the operand, counted through rows, columns and channels, or the batch as well. */
const maxPoolWithArgmax: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), "float32");
  const windows = windowsOf(call, x);
  const { inputs, outputs, kernel, strides, before } = windows;
  const [batch, channels] = [x.shape[0] ?? 0, x.shape.at(-1) ?? 0];
  const seen = windowElements(graph, x, windows, Number.NEGATIVE_INFINITY).map((each) => perPlace(graph, each));
  const place = argExtreme(graph, "ArgMax", concatValues(graph, seen, x.shape.length - 1), x.shape.length - 1);
  const [rows = 1, columns = 1] = inputs;
  const int = (values: number[], shape: number[]): Value => graph.constant(Int32Array.from(values), "int32", shape);
  const width = graph.scalar(kernel[1] ?? 1, "int32");
  const down = graph.elementwise("Div", [place, width]);
  const right = graph.elementwise("Sub", [place, graph.elementwise("Mul", [down, width])]);
  const corners = placesOf(outputs).map((window) =>
    window.map((at, i) => at * (strides[i] ?? 1) - (before[i] ?? 0)),
  ) as [number, number][];
  const grid = [1, ...outputs, 1];
  const row = graph.elementwise("Add", [
    down,
    int(
      corners.map(([top]) => top),
      grid,
    ),
  ]);
  const column = graph.elementwise("Add", [
    right,
    int(
      corners.map(([, left]) => left),
      grid,
    ),
  ]);
  const inImage = graph.elementwise("Add", [
    graph.elementwise("Mul", [row, graph.scalar(columns * channels, "int32")]),
    graph.elementwise("Mul", [column, graph.scalar(channels, "int32")]),
  ]);
  const flat = graph.elementwise("Add", [inImage, countUp(graph, channels)]);
  if (call.attributes.includeBatchInIndex !== true) {
    return [pool(graph, x, windows, "Max"), flat];
  }
  const starts = Array.from({ length: batch }, (_, i) => i * rows * columns * channels);
  return [pool(graph, x, windows, "Max"), graph.elementwise("Add", [flat, int(starts, [batch, 1, 1, 1])])];
};

export const poolingRules: Readonly<Record<string, Rule>> = {
  AvgPool: pooling("Mean"),
  AvgPool3D: pooling("Mean"),
  AvgPool3DGrad: avgPoolGrad,
  AvgPoolGrad: avgPoolGrad,
  MaxPool: pooling("Max"),
  MaxPool3D: pooling("Max"),
  MaxPool3DGrad: maxPoolGrad,
  MaxPoolGrad: maxPoolGrad,
  MaxPoolWithArgmax: maxPoolWithArgmax,
};
