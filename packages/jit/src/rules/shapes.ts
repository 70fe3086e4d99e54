// Kernels that move elements without changing them.
import { slice_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.ts";
import { frontAxis, makeElements, sizeOf, type Value } from "../graph/value.ts";
import { choose } from "./logic.ts";
import { attribute, expectOneDtype, operand, operands, type Rule, RuleRefusal } from "./rule.ts";

/** Further out than any axis is long: for ONNX's Slice, "to the very start" of an axis that is read backwards. */
const BEFORE_START = -(2 ** 31);

export function sliceValue(graph: GraphBuilder, x: Value, begin: readonly number[], size: readonly number[]): Value {
  if (begin.every((start, i) => start === 0 && size[i] === x.shape[i])) {
    return x;
  }
  if (x.uniform !== undefined) {
    return graph.full(size, x.uniform, x.dtype);
  }
  const ends = begin.map((start, i) => start + (size[i] ?? 0));
  const axes = begin.map((_, i) => i);
  return graph.emit("Slice", [x, graph.ints(begin), graph.ints(ends), graph.ints(axes)], {
    dtype: x.dtype,
    shape: size,
  });
}

/** `length` elements of one axis, all of the others. */
export function sliceAxis(graph: GraphBuilder, x: Value, axis: number, begin: number, length: number): Value {
  const begins = x.shape.map((_, i) => (i === axis ? begin : 0));
  const sizes = x.shape.map((dim, i) => (i === axis ? length : dim));
  return sliceValue(graph, x, begins, sizes);
}

/** Parts without elements add to the shape alone. */
export function concatValues(graph: GraphBuilder, parts: readonly Value[], axis: number): Value {
  const [first] = parts;
  if (first === undefined) {
    throw new RuleRefusal("nothing to concatenate");
  }
  expectOneDtype(...parts);
  const shape = first.shape.map((dim, i) =>
    i === axis ? parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0) : dim,
  );
  if (sizeOf(shape) === 0) {
    return graph.constant(makeElements(first.dtype, []), first.dtype, shape);
  }
  const filled = parts.filter((part) => sizeOf(part.shape) > 0);
  if (filled.length === 1) {
    return filled[0] as Value;
  }
  return graph.emit("Concat", filled, { dtype: first.dtype, shape }, { axis });
}

const reshape: Rule = (call) => {
  const x = operand(call, "x");
  const wanted = attribute<readonly number[]>(call, "shape");
  const known = wanted.reduce((size, dim) => (dim === -1 ? size : size * dim), 1);
  const shape = wanted.map((dim) => (dim === -1 ? sizeOf(x.shape) / known : dim));
  return call.graph.reshape(x, shape);
};

const expandDims: Rule = (call) => {
  const x = operand(call, "input");
  const axis = frontAxis(attribute<number>(call, "dim"), x.shape.length + 1);
  return call.graph.reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]);
};

const transpose: Rule = (call) => call.graph.transpose(operand(call, "x"), attribute<number[]>(call, "perm"));

const slice: Rule = (call) => {
  const x = operand(call, "x");
  const shaped = { shape: [...x.shape], rank: x.shape.length } as never; // all that tfjs reads of the tensor
  const [begin, size] = slice_util.parseSliceParams(
    shaped,
    attribute<number | number[]>(call, "begin"),
    call.attributes.size as number | number[] | undefined,
  ) as [number[], number[]];
  slice_util.assertParamsValid(shaped, begin, size);
  return sliceValue(call.graph, x, begin, size);
};

const stridedSlice: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const info = slice_util.sliceInfo(
    [...x.shape],
    attribute<number[]>(call, "begin"),
    attribute<number[]>(call, "end"),
    attribute<number[]>(call, "strides"),
    attribute<number>(call, "beginMask"),
    attribute<number>(call, "endMask"),
    attribute<number>(call, "ellipsisMask"),
    attribute<number>(call, "newAxisMask"),
    attribute<number>(call, "shrinkAxisMask"),
  );
  const { finalShapeSparse, finalShape, isIdentity, begin, end, strides } = info;
  if (isIdentity) {
    return graph.reshape(x, finalShape);
  }
  if (sizeOf(finalShape) === 0) {
    return graph.constant(makeElements(x.dtype, []), x.dtype, finalShape);
  }
  const sparse = begin.map((start, i) => {
    const step = strides[i] ?? 1;
    return Math.max(0, Math.ceil(((end[i] ?? 0) - start) / step));
  });
  const ends = end.map((stop, i) => ((strides[i] ?? 1) < 0 && stop < 0 ? BEFORE_START : stop));
  const axes = begin.map((_, i) => i);
  const cut = graph.emit("Slice", [x, ...[begin, ends, axes, strides].map((list) => graph.ints(list))], {
    dtype: x.dtype,
    shape: sparse,
  });
  return graph.reshape(cut, sizeOf(sparse) === sizeOf(finalShape) ? finalShape : finalShapeSparse);
};

const concat: Rule = (call) => {
  const parts = operands(call);
  const axis = frontAxis(attribute<number>(call, "axis"), parts[0]?.shape.length ?? 0);
  return concatValues(call.graph, parts, axis);
};

const pack: Rule = (call) => {
  const parts = operands(call);
  const axis = frontAxis(attribute<number>(call, "axis"), (parts[0]?.shape.length ?? 0) + 1);
  const rows = parts.map((part) =>
    call.graph.reshape(part, [...part.shape.slice(0, axis), 1, ...part.shape.slice(axis)]),
  );
  return concatValues(call.graph, rows, axis);
};

/** Parts of `x` along an axis, of these lengths. */
function splitValue(graph: GraphBuilder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  let start = 0;
  return sizes.map((length) => {
    start += length;
    return sliceAxis(graph, x, axis, start - length, length);
  });
}

const split: Rule = (call) => {
  const x = operand(call, "x");
  const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
  const given = attribute<number | number[]>(call, "numOrSizeSplits");
  const dim = x.shape[axis] ?? 0;
  if (typeof given === "number") {
    if (dim % given !== 0) {
      throw new RuleRefusal(`an axis of ${dim} does not split into ${given} equal parts`);
    }
    return splitValue(call.graph, x, axis, new Array<number>(given).fill(dim / given));
  }
  const known = given.reduce((sum, size) => sum + Math.max(size, 0), 0);
  return splitValue(
    call.graph,
    x,
    axis,
    given.map((size) => (size === -1 ? dim - known : size)),
  );
};

const unpack: Rule = (call) => {
  const x = operand(call, "value");
  const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
  const rest = x.shape.filter((_, i) => i !== axis);
  const rows = splitValue(call.graph, x, axis, new Array<number>(x.shape[axis] ?? 0).fill(1));
  return rows.map((row) => call.graph.reshape(row, rest));
};

const tile: Rule = (call) => {
  const x = operand(call, "x");
  const reps = attribute<number[]>(call, "reps");
  if (reps.every((times) => times === 1)) {
    return x;
  }
  const shape = x.shape.map((dim, i) => dim * (reps[i] ?? 1));
  return call.graph.emit("Tile", [x, call.graph.ints(reps)], { dtype: x.dtype, shape });
};

const broadcastTo: Rule = (call) => call.graph.expand(operand(call, "x"), attribute<number[]>(call, "shape"));

function reverseAxes(graph: GraphBuilder, x: Value, axes: readonly number[]): Value {
  if (axes.length === 0) {
    return x;
  }
  const lists = [axes.map(() => -1), axes.map(() => BEFORE_START), axes, axes.map(() => -1)];
  return graph.emit("Slice", [x, ...lists.map((list) => graph.ints(list))], x);
}

const reverse: Rule = (call) => {
  const x = operand(call, "x");
  const axes = [attribute<number | number[]>(call, "dims")].flat().map((axis) => frontAxis(axis, x.shape.length));
  return reverseAxes(call.graph, x, axes);
};

/** Of images, `[batch, height, width, channels]`. */
const flipLeftRight: Rule = (call) => reverseAxes(call.graph, operand(call, "image"), [2]);

/** The elements on the diagonal of a matrix of zeros; axes of `x` come twice. */
const diag: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const size = sizeOf(x.shape);
  const isDiagonal = Uint8Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const mask = graph.constant(isDiagonal, "bool", [size, size]);
  const row = graph.reshape(x, [1, size]);
  return graph.reshape(choose(graph, mask, row, graph.scalar(0, x.dtype)), [...x.shape, ...x.shape]);
};

export const shapeRules: Readonly<Record<string, Rule>> = {
  BroadcastTo: broadcastTo,
  Concat: concat,
  Diag: diag,
  ExpandDims: expandDims,
  FlipLeftRight: flipLeftRight,
  Pack: pack,
  Reshape: reshape,
  Reverse: reverse,
  Slice: slice,
  SplitV: split,
  StridedSlice: stridedSlice,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
};
