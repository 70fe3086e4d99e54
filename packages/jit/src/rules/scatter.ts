// Kernels that write or sum rows by index.
import type { GraphBuilder } from "../graph/builder.ts";
import { makeElements, sizeOf, type Value } from "../graph/value.ts";
import { choose } from "./logic.ts";
import { reduceAxes } from "./reductions.ts";
import { attribute, expectDtype, expectOneDtype, NUMBERS, operand, type Rule, RuleRefusal } from "./rule.ts";
import { sliceAxis } from "./shapes.ts";

/**
 * Sums rows by their index; indices outside 0 … count − 1 count for nothing. One row more takes those. (ScatterElements
 * adds in order, so that equal inputs give equal bits; ScatterND does not promise that.)
 *
 * @param updates `[rows, width]`
 * @param places `[rows]` int32
 * @returns `[count, width]`
 */
function sumRows(graph: GraphBuilder, updates: Value, places: Value, count: number): Value {
  const outside = graph.elementwise("Or", [
    graph.elementwise("Less", [places, graph.scalar(0, "int32")], "bool"),
    graph.elementwise("GreaterOrEqual", [places, graph.scalar(count, "int32")], "bool"),
  ]);
  const kept = choose(graph, outside, graph.scalar(count, "int32"), places);
  const empty = graph.full([count + 1, updates.shape[1] ?? 0], 0, updates.dtype);
  const summed = scatterRows(graph, empty, updates, kept, "add");
  return sliceAxis(graph, summed, 0, 0, count);
}

/** Writes rows `[rows, width]` into `[count, width]` in their order, or adds them. */
function scatterRows(
  graph: GraphBuilder,
  into: Value,
  updates: Value,
  places: Value,
  reduction: "none" | "add",
): Value {
  if (sizeOf(updates.shape) === 0) {
    return into;
  }
  const spread = graph.expand(graph.reshape(places, [updates.shape[0] ?? 0, 1]), updates.shape);
  return graph.emit("ScatterElements", [into, spread, updates], into, { axis: 0, reduction });
}

/** Index vectors `[…, depth]` into the first axes of a shape, as row numbers of it flattened: `[rows]`. */
function rowNumbers(graph: GraphBuilder, indices: Value, shape: readonly number[]): Value {
  const depth = indices.shape.at(-1) ?? 1;
  const outer = shape.slice(0, depth);
  const rows = sizeOf(indices.shape.slice(0, -1));
  const strides = outer.map((_, i) => sizeOf(outer.slice(i + 1)));
  const weights = graph.constant(makeElements("int32", strides), "int32", [1, depth]);
  const weighted = graph.elementwise("Mul", [graph.reshape(indices, [rows, depth]), weights]);
  return reduceAxes(graph, "ReduceSum", weighted, [1]);
}

const unsortedSegmentSum: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), ...NUMBERS);
  const ids = expectDtype(operand(call, "segmentIds"), "int32");
  const count = attribute<number>(call, "numSegments");
  const [rows = 0, ...rest] = x.shape;
  if (ids.shape.length !== 1) {
    throw new RuleRefusal("expected segment ids of rank 1");
  }
  const flat = graph.reshape(x, [rows, sizeOf(rest)]);
  return graph.reshape(sumRows(graph, flat, ids, count), [count, ...rest]);
};

/** Updates of equal index add up. */
const scatterNd: Rule = (call) => {
  const { graph } = call;
  const indices = expectDtype(operand(call, "indices"), "int32");
  const updates = expectDtype(operand(call, "updates"), ...NUMBERS);
  const shape = attribute<number[]>(call, "shape");
  const outer = sizeOf(shape.slice(0, indices.shape.at(-1) ?? 1));
  const places = rowNumbers(graph, indices, shape);
  const flat = graph.reshape(updates, [...places.shape, sizeOf(shape) / outer]);
  return graph.reshape(sumRows(graph, flat, places, outer), shape);
};

/** Writes updates `[…, ...rest]` at index vectors `[…, depth]`; of equal indices the last one stays. */
function replaceAt(graph: GraphBuilder, into: Value, indices: Value, updates: Value): Value {
  expectOneDtype(into, updates);
  const outer = sizeOf(into.shape.slice(0, indices.shape.at(-1) ?? 1));
  const width = sizeOf(into.shape) / outer;
  const places = rowNumbers(graph, expectDtype(indices, "int32"), into.shape);
  const rows = [...places.shape, width];
  const flat = updates.shape.length === 0 ? graph.expand(updates, rows) : graph.reshape(updates, rows);
  return graph.reshape(scatterRows(graph, graph.reshape(into, [outer, width]), flat, places, "none"), into.shape);
}

const tensorScatterUpdate: Rule = (call) =>
  replaceAt(call.graph, operand(call, "tensor"), operand(call, "indices"), operand(call, "updates"));

const sparseToDense: Rule = (call) => {
  const { graph } = call;
  const indices = operand(call, "sparseIndices");
  const shape = attribute<number[]>(call, "outputShape");
  const dense = graph.expand(operand(call, "defaultValue"), shape);
  const vectors = indices.shape.length < 2 ? graph.reshape(indices, [sizeOf(indices.shape), 1]) : indices;
  return replaceAt(graph, dense, vectors, operand(call, "sparseValues"));
};

/** What each number adds to its count: its weight, or 1. */
function weightsOf(graph: GraphBuilder, x: Value, weights: Value): Value {
  const rows = [sizeOf(x.shape), 1];
  return sizeOf(weights.shape) === 0 ? graph.full(rows, 1, weights.dtype) : graph.reshape(weights, rows);
}

/** Counts of 0 … size − 1; other numbers count for nothing (tfjs throws at negative ones). */
const bincount: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), "int32");
  const weights = expectDtype(operand(call, "weights"), ...NUMBERS);
  const size = attribute<number>(call, "size");
  const numbers = graph.reshape(x, [sizeOf(x.shape)]);
  return graph.reshape(sumRows(graph, weightsOf(graph, x, weights), numbers, size), [size]);
};

/** Counts per row of `[rows, columns]`, or whether there are any. */
const denseBincount: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), "int32");
  if (x.shape.length < 2) {
    return bincount(call);
  }
  const weights = expectDtype(operand(call, "weights"), ...NUMBERS);
  const size = attribute<number>(call, "size");
  const [rows = 0, columns = 0] = x.shape;
  const any = call.attributes.binaryOutput === true;
  const starts = Int32Array.from({ length: rows }, (_, row) => row * size);
  const outside = graph.elementwise("Or", [
    graph.elementwise("Less", [x, graph.scalar(0, "int32")], "bool"),
    graph.elementwise("GreaterOrEqual", [x, graph.scalar(size, "int32")], "bool"),
  ]);
  const inRow = graph.elementwise("Add", [x, graph.constant(starts, "int32", [rows, 1])]);
  const places = graph.reshape(choose(graph, outside, graph.scalar(-1, "int32"), inRow), [rows * columns]);
  const added = any ? graph.full([rows * columns, 1], 1, weights.dtype) : weightsOf(graph, x, weights);
  const counts = graph.reshape(sumRows(graph, added, places, rows * size), [rows, size]);
  return any ? graph.cast(graph.cast(counts, "bool"), weights.dtype) : counts;
};

export const scatterRules: Readonly<Record<string, Rule>> = {
  Bincount: bincount,
  DenseBincount: denseBincount,
  ScatterNd: scatterNd,
  SparseToDense: sparseToDense,
  TensorScatterUpdate: tensorScatterUpdate,
  UnsortedSegmentSum: unsortedSegmentSum,
};
