// The geometry of convolutions and pooling: windows that slide along the spatial axes of `[batch, …space, channels]`.
import { backend_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.ts";
import { sizeOf, type Value } from "../graph/value.ts";
import { padValue } from "./padding.ts";
import { attribute, type RuleCall, RuleRefusal } from "./rule.ts";
import { sliceValue } from "./shapes.ts";

/** One number per spatial axis: rows and columns, or depth, rows and columns. */
export interface Windows {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Elements of a window along each axis. */
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the first element. */
  readonly before: readonly number[];
  /** Padding after the last element that windows reach; negative where they leave elements out. */
  readonly after: readonly number[];
  readonly outChannels: number;
}

type Geometry = Pick<Windows, "inputs" | "outputs" | "kernel" | "strides" | "dilations" | "before" | "outChannels">;

/** @throws RuleRefusal where windows would begin inside the operand, as tfjs has it along three axes */
function withAfter(geometry: Geometry): Windows {
  const { inputs, outputs, strides, before } = geometry;
  const reach = reachOf(geometry);
  if (before.some((count) => count < 0)) {
    throw new RuleRefusal(
      `tfjs gives "same" windows that are shorter than their stride a negative padding (${before.join(", ")}); use "valid"`,
    );
  }
  const after = inputs.map((input, i) => {
    const end = ((outputs[i] ?? 1) - 1) * (strides[i] ?? 1) + (reach[i] ?? 1);
    return end - (before[i] ?? 0) - input;
  });
  return { ...geometry, after };
}

/** From the first to the last element of a window. */
const reachOf = ({ kernel, dilations }: Pick<Geometry, "kernel" | "dilations">): number[] =>
  kernel.map((length, i) => (length - 1) * (dilations[i] ?? 1) + 1);

/**
 * tfjs counts the windows along every axis by the height and the vertical stride of a window where the padding is a
 * number, and so leaves some out or makes up others.
 *
 * @throws RuleRefusal then
 */
function checkCounts(windows: Windows, pad: unknown): Windows {
  const { inputs, outputs, strides } = windows;
  const reach = reachOf(windows);
  const isWrong = outputs.some((count, i) => {
    const most = ((inputs[i] ?? 0) + 2 * (pad as number) - (reach[i] ?? 0)) / (strides[i] ?? 1) + 1;
    return count < Math.floor(most) || count > Math.ceil(most);
  });
  if (typeof pad === "number" && isWrong) {
    throw new RuleRefusal(
      `tfjs counts windows of different height and width wrongly where the padding is a number (${pad}); give "valid", ` +
        '"same" or the paddings of each edge',
    );
  }
  return windows;
}

function windows2d(info: backend_util.Conv2DInfo): Windows {
  return withAfter({
    inputs: [info.inHeight, info.inWidth],
    outputs: [info.outHeight, info.outWidth],
    kernel: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    before: [info.padInfo.top, info.padInfo.left],
    outChannels: info.outChannels,
  });
}

function windows3d(info: backend_util.Conv3DInfo): Windows {
  return withAfter({
    inputs: [info.inDepth, info.inHeight, info.inWidth],
    outputs: [info.outDepth, info.outHeight, info.outWidth],
    kernel: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    before: [info.padInfo.front, info.padInfo.top, info.padInfo.left],
    outChannels: info.outChannels,
  });
}

/** What tfjs's kernels of convolution and pooling are told; its own functions make sense of it. */
function slides(call: RuleCall) {
  return {
    strides: attribute<never>(call, "strides"),
    pad: attribute<never>(call, "pad"),
    rounding: call.attributes.dimRoundingMode as "floor" | "round" | "ceil" | undefined,
  };
}

export const isChannelsFirst = ({ attributes }: RuleCall): boolean => attributes.dataFormat === "NCHW";

/** @param input shape of the operand, @param filter shape of the filter, as tfjs has them */
export function convolutionWindows(
  call: RuleCall,
  input: readonly number[],
  filter: readonly number[],
  depthwise = false,
): Windows {
  const { strides, pad, rounding } = slides(call);
  const dilations = (call.attributes.dilations ?? 1) as never;
  const [shape, size] = [[...input] as never, [...filter] as never];
  if (input.length === 5) {
    return windows3d(backend_util.computeConv3DInfo(shape, size, strides, dilations, pad));
  }
  const layout = isChannelsFirst(call) ? "channelsFirst" : "channelsLast";
  const info = backend_util.computeConv2DInfo(shape, size, strides, dilations, pad, rounding, depthwise, layout);
  return checkCounts(windows2d(info), pad);
}

export function poolingWindows(call: RuleCall, input: readonly number[]): Windows {
  const { strides, pad, rounding } = slides(call);
  const [shape, size, one] = [[...input] as never, attribute<never>(call, "filterSize"), 1 as never];
  return input.length === 5
    ? windows3d(backend_util.computePool3DInfo(shape, size, strides, one, pad, rounding))
    : checkCounts(windows2d(backend_util.computePool2DInfo(shape, size, strides, one, pad, rounding)), pad);
}

/** A gradient has as many windows as its result had: tfjs does not tell gradients how that was rounded. */
export function windowsOfGradient(windows: Windows, dy: Value): Windows {
  return withAfter({ ...windows, outputs: dy.shape.slice(1, -1) });
}

/** ONNX's attributes of a convolution or pooling. */
export function onnxWindows({ kernel, strides, dilations, before, after }: Windows): Record<string, number[]> {
  return {
    kernel_shape: [...kernel],
    strides: [...strides],
    dilations: [...dilations],
    pads: [...before, ...after.map((count) => Math.max(count, 0))],
  };
}

const axesOf = (x: Value): number[] => x.shape.map((_, axis) => axis);

/** `[batch, …space, channels]` to `[batch, channels, …space]`, as ONNX has it. */
export function channelsFirst(graph: GraphBuilder, x: Value): Value {
  const [batch = 0, ...rest] = axesOf(x);
  return graph.transpose(x, [batch, rest.at(-1) ?? 0, ...rest.slice(0, -1)]);
}

/** The way back. */
export function channelsLast(graph: GraphBuilder, x: Value): Value {
  const [batch = 0, channels = 0, ...space] = axesOf(x);
  return graph.transpose(x, [batch, ...space, channels]);
}

/**
 * What windows see, place by place.
 *
 * @param x `[batch, …inputs, channels]`
 * @param outside value of the padding
 * @returns for every place in a window, in order, its element in each window: `[batch, …outputs, channels]`
 */
export function windowElements(graph: GraphBuilder, x: Value, windows: Windows, outside: number): Value[] {
  const { outputs, kernel, strides, dilations, before, after } = windows;
  const space = before.map((count, i): [number, number] => [count, Math.max(after[i] ?? 0, 0)]);
  const padded = padValue(graph, x, [[0, 0], ...space, [0, 0]], outside);
  const axes = kernel.map((_, i) => i + 1);
  const shape = [x.shape[0] ?? 0, ...outputs, x.shape.at(-1) ?? 0];
  return placesOf(kernel).map((place) => {
    const begins = place.map((at, i) => at * (dilations[i] ?? 1));
    if (strides.every((stride) => stride === 1)) {
      return sliceValue(graph, padded, [0, ...begins, 0], shape);
    }
    const ends = begins.map((begin, i) => begin + ((outputs[i] ?? 1) - 1) * (strides[i] ?? 1) + 1);
    const lists = [begins, ends, axes, strides].map((list) => graph.ints(list));
    return graph.emit("Slice", [padded, ...lists], { dtype: x.dtype, shape });
  });
}

/** Index vectors of every place in a window, the last axis fastest. */
export function placesOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (places, length) => places.flatMap((place) => Array.from({ length }, (_, at) => [...place, at])),
    [[]],
  );
}

/**
 * Adds every element where its window took it from: the transpose of `windowElements`, for windows without dilation.
 * Places a stride apart fall on one grid, so that only a window's strides are added up, not its places.
 *
 * @param elements `[batch, …outputs, places, channels]`
 * @returns `[batch, …inputs, channels]`
 */
export function addWindows(graph: GraphBuilder, elements: Value, windows: Windows): Value {
  const { inputs, outputs, kernel, strides, before } = windows;
  const [batch, channels] = [elements.shape[0] ?? 0, elements.shape.at(-1) ?? 0];
  const rank = kernel.length;
  const steps = kernel.map((length, i) => Math.ceil(length / (strides[i] ?? 1)));
  const split = graph.reshape(elements, [batch, ...outputs, ...kernel, channels]);
  const fill = kernel.map((length, i): [number, number] => [0, (steps[i] ?? 1) * (strides[i] ?? 1) - length]);
  const none = outputs.map((): [number, number] => [0, 0]);
  const whole = padValue(graph, split, [[0, 0], ...none, ...fill, [0, 0]], 0);
  const pairs = steps.flatMap((count, i) => [count, strides[i] ?? 1]);
  const grids = graph.reshape(whole, [batch, ...outputs, ...pairs, channels]);
  // axes: batch, outputs, (step, place in stride) per axis, channels → steps, batch, (output, place) per axis, channels
  const stepAxes = kernel.map((_, i) => 1 + rank + 2 * i);
  const gridAxes = kernel.flatMap((_, i) => [1 + i, 2 + rank + 2 * i]);
  const moved = graph.transpose(grids, [...stepAxes, 0, ...gridAxes, 1 + 3 * rank]);
  const size = outputs.map((count, i) => count * (strides[i] ?? 1));
  const flat = graph.reshape(moved, [sizeOf(steps), batch, ...size, channels]);
  const sum = placesOf(steps)
    .map((place, i) => {
      const grid = graph.reshape(
        sliceValue(graph, flat, [i, 0, ...none.map(() => 0), 0], [1, batch, ...size, channels]),
        [batch, ...size, channels],
      );
      const shift = place.map((step, axis): [number, number] => {
        const stride = strides[axis] ?? 1;
        return [step * stride, ((steps[axis] ?? 1) - 1 - step) * stride];
      });
      return padValue(graph, grid, [[0, 0], ...shift, [0, 0]], 0);
    })
    .reduce((a, b) => graph.elementwise("Add", [a, b]));
  const missing = inputs.map((input, i): [number, number] => [
    0,
    Math.max(0, (before[i] ?? 0) + input - (sum.shape[i + 1] ?? 0)),
  ]);
  const enough = padValue(graph, sum, [[0, 0], ...missing, [0, 0]], 0);
  return sliceValue(graph, enough, [0, ...before, 0], [batch, ...inputs, channels]);
}
