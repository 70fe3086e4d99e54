// Convolutions along two or three axes and their gradients. tfjs's 1-D convolution is one over a single row.
import type { GraphBuilder } from "../graph/builder.ts";
import { sizeOf, type Value } from "../graph/value.ts";
import { finishFused } from "./activations.ts";
import { reduceAxes } from "./reductions.ts";
import { attribute, expectDtype, operand, type Rule, type RuleCall, RuleRefusal } from "./rule.ts";
import { concatValues } from "./shapes.ts";
import {
  channelsFirst,
  channelsLast,
  convolutionWindows,
  isChannelsFirst,
  onnxWindows,
  type Windows,
  windowElements,
  windowsOfGradient,
} from "./windows.ts";

const floats = (call: RuleCall, name: string): Value => expectDtype(operand(call, name), "float32");

/** A window of one element that reads every element once. */
const isPointwise = ({ kernel, inputs, outputs, before }: Windows): boolean =>
  sizeOf(kernel) === 1 && inputs.every((count, i) => count === outputs[i] && before[i] === 0);

/** `[…kernel, channels, outChannels]` to `[outChannels, channels, …kernel]`, as ONNX has it. */
function onnxFilter(graph: GraphBuilder, filter: Value): Value {
  const axes = filter.shape.map((_, axis) => axis);
  return graph.transpose(filter, [...axes.slice(-2).reverse(), ...axes.slice(0, -2)]);
}

const rowsOf = (graph: GraphBuilder, x: Value): Value =>
  graph.reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1) ?? 0]);

/**
 * @param x `[batch, …inputs, channels]`
 * @param filter `[…kernel, channels / groups, outChannels]`
 * @returns `[batch, …outputs, outChannels]`
 */
function convolve(graph: GraphBuilder, x: Value, filter: Value, windows: Windows, groups = 1): Value {
  const batch = x.shape[0] ?? 0;
  const { outputs, outChannels } = windows;
  const shape = [batch, ...outputs, outChannels];
  if (groups === 1 && isPointwise(windows)) {
    const rows = rowsOf(graph, x);
    const output = { dtype: x.dtype, shape: [rows.shape[0] ?? 0, outChannels] };
    return graph.reshape(graph.emit("MatMul", [rows, rowsOf(graph, filter)], output), shape);
  }
  const convolved = graph.emit(
    "Conv",
    [channelsFirst(graph, x), onnxFilter(graph, filter)],
    { dtype: x.dtype, shape: [batch, outChannels, ...outputs] },
    { ...onnxWindows(windows), group: groups },
  );
  return channelsLast(graph, convolved);
}

/**
 * The gradient of a convolution by its operand.
 *
 * @param dy `[batch, …outputs, outChannels]`
 * @param filter `[…kernel, channels / groups, outChannels]`
 * @returns `[batch, …inputs, channels]`
 */
function convolveBack(graph: GraphBuilder, dy: Value, filter: Value, windows: Windows, groups = 1): Value {
  const batch = dy.shape[0] ?? 0;
  const channels = (filter.shape.at(-2) ?? 0) * groups;
  const { inputs, after } = windows;
  const shape = [batch, ...inputs, channels];
  if (groups === 1 && isPointwise(windows)) {
    const rows = rowsOf(graph, dy);
    const output = { dtype: dy.dtype, shape: [rows.shape[0] ?? 0, channels] };
    return graph.reshape(graph.emit("Gemm", [rows, rowsOf(graph, filter)], output, { transA: 0, transB: 1 }), shape);
  }
  const spread = graph.emit(
    "ConvTranspose",
    [channelsFirst(graph, dy), onnxFilter(graph, filter)],
    { dtype: dy.dtype, shape: [batch, channels, ...inputs] },
    { ...onnxWindows(windows), output_padding: after.map((count) => Math.max(-count, 0)), group: groups },
  );
  return channelsLast(graph, spread);
}

/**
 * The gradient by the filter: one product of all that windows see with all gradients.
 *
 * @returns `[…kernel, channels, outChannels]`
 */
function filterGradient(graph: GraphBuilder, x: Value, dy: Value, windows: Windows): Value {
  const seen = windowElements(graph, x, windows, 0);
  const columns = rowsOf(graph, concatValues(graph, seen, x.shape.length - 1)); // [windows, places × channels]
  const rows = rowsOf(graph, dy);
  const shape = [columns.shape[1] ?? 0, rows.shape[1] ?? 0];
  const product = graph.emit("Gemm", [columns, rows], { dtype: x.dtype, shape }, { transA: 1, transB: 0 });
  return graph.reshape(product, [...windows.kernel, x.shape.at(-1) ?? 0, rows.shape[1] ?? 0]);
}

/** `[height, width, channels, multiplier]` as the filter of a convolution with one group per channel. */
const depthwiseFilter = (graph: GraphBuilder, filter: Value): Value =>
  graph.reshape(filter, [...filter.shape.slice(0, 2), 1, sizeOf(filter.shape.slice(2))]);

/** The gradient by a depthwise filter, place by place. @returns `[height, width, channels, multiplier]` */
function depthwiseFilterGradient(graph: GraphBuilder, x: Value, dy: Value, windows: Windows): Value {
  const channels = x.shape.at(-1) ?? 0;
  const multiplier = windows.outChannels / channels;
  const weights = graph.reshape(dy, [...dy.shape.slice(0, -1), channels, multiplier]);
  const places = windowElements(graph, x, windows, 0).map((seen) => {
    const weighted = graph.elementwise("Mul", [graph.reshape(seen, [...seen.shape, 1]), weights]);
    return graph.reshape(reduceAxes(graph, "ReduceSum", weighted, [0, 1, 2]), [1, channels, multiplier]);
  });
  return graph.reshape(concatValues(graph, places, 0), [...windows.kernel, channels, multiplier]);
}

/** Puts operands whose layout is NCHW into the other one. */
const toLast = (call: RuleCall, x: Value): Value => (isChannelsFirst(call) ? channelsLast(call.graph, x) : x);
const fromLast = (call: RuleCall, x: Value): Value => (isChannelsFirst(call) ? channelsFirst(call.graph, x) : x);

function convolution(call: RuleCall): Value {
  const [x, filter] = [floats(call, "x"), floats(call, "filter")];
  const windows = convolutionWindows(call, x.shape, filter.shape);
  return fromLast(call, convolve(call.graph, toLast(call, x), filter, windows));
}

function depthwise(call: RuleCall): Value {
  const { graph } = call;
  if (isChannelsFirst(call)) {
    throw new RuleRefusal(
      "tfjs's gradient of it takes channels that come last (NHWC) only; transpose before and after",
    );
  }
  const [x, filter] = [floats(call, "x"), floats(call, "filter")];
  const windows = convolutionWindows(call, x.shape, filter.shape, true);
  return convolve(graph, x, depthwiseFilter(graph, filter), windows, filter.shape[2] ?? 0);
}

/** `dy` and its windows over an operand and filter of these shapes. */
function gradientOf(
  call: RuleCall,
  input: readonly number[],
  filter: readonly number[],
  isDepthwise = false,
): { dy: Value; windows: Windows } {
  const dy = toLast(call, floats(call, "dy"));
  return { dy, windows: windowsOfGradient(convolutionWindows(call, input, filter, isDepthwise), dy) };
}

const backpropInput: Rule = (call) => {
  const filter = floats(call, "filter");
  const { dy, windows } = gradientOf(call, attribute<number[]>(call, "inputShape"), filter.shape);
  return fromLast(call, convolveBack(call.graph, dy, filter, windows));
};

const backpropFilter: Rule = (call) => {
  const x = floats(call, "x");
  const { dy, windows } = gradientOf(call, x.shape, attribute<number[]>(call, "filterShape"));
  return filterGradient(call.graph, toLast(call, x), dy, windows);
};

const depthwiseBackpropInput: Rule = (call) => {
  const filter = floats(call, "filter");
  const { dy, windows } = gradientOf(call, attribute<number[]>(call, "inputShape"), filter.shape, true);
  return convolveBack(call.graph, dy, depthwiseFilter(call.graph, filter), windows, filter.shape[2] ?? 0);
};

const depthwiseBackpropFilter: Rule = (call) => {
  const x = floats(call, "x");
  const { dy, windows } = gradientOf(call, x.shape, attribute<number[]>(call, "filterShape"), true);
  return depthwiseFilterGradient(call.graph, x, dy, windows);
};

export const convolutionRules: Readonly<Record<string, Rule>> = {
  Conv2D: convolution,
  Conv2DBackpropFilter: backpropFilter,
  Conv2DBackpropInput: backpropInput,
  Conv3D: convolution,
  Conv3DBackpropFilterV2: backpropFilter,
  Conv3DBackpropInputV2: backpropInput,
  DepthwiseConv2dNative: depthwise,
  DepthwiseConv2dNativeBackpropFilter: depthwiseBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseBackpropInput,
  FusedConv2D: (call) => finishFused(call, convolution(call), isChannelsFirst(call)),
  FusedDepthwiseConv2D: (call) => finishFused(call, depthwise(call)),
};
