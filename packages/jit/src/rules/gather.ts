// Kernels that read or write rows by index.
import type { GraphBuilder } from "../graph/builder.ts";
import { frontAxis, makeElements, sizeOf, type Value } from "../graph/value.ts";
import { attribute, expectDtype, operand, type Rule, RuleRefusal } from "./rule.ts";
import { sliceValue } from "./shapes.ts";

const gather: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const indices = expectDtype(operand(call, "indices"), "int32");
  const axis = frontAxis(attribute<number>(call, "axis"), x.shape.length);
  const batchDims = (call.attributes.batchDims as number | undefined) ?? 0;
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  if (batchDims === 0) {
    return graph.emit("Gather", [x, indices], { dtype: x.dtype, shape }, { axis });
  }
  return graph.reshape(gatherInBatches(graph, x, indices, axis, batchDims), shape);
};

/** Each batch reads its own rows: batches become one, by indices that count through all of them. */
function gatherInBatches(graph: GraphBuilder, x: Value, indices: Value, axis: number, batchDims: number): Value {
  const batch = sizeOf(x.shape.slice(0, batchDims));
  const between = sizeOf(x.shape.slice(batchDims, axis));
  const rows = x.shape[axis] ?? 0;
  const rest = sizeOf(x.shape.slice(axis + 1));
  const wanted = sizeOf(indices.shape.slice(batchDims));
  const rowsFirst = graph.transpose(graph.reshape(x, [batch, between, rows, rest]), [0, 2, 1, 3]);
  const table = graph.reshape(rowsFirst, [batch * rows, between * rest]);
  const offsets = Array.from({ length: batch }, (_, i) => i * rows);
  const starts = graph.constant(makeElements("int32", offsets), "int32", [batch, 1]);
  const places = graph.elementwise("Add", [graph.reshape(indices, [batch, wanted]), starts]);
  const read = graph.emit(
    "Gather",
    [table, places],
    { dtype: x.dtype, shape: [batch, wanted, between * rest] },
    { axis: 0 },
  );
  return graph.transpose(graph.reshape(read, [batch, wanted, between, rest]), [0, 2, 1, 3]);
}

/**
 * Sums rows by their index; indices outside 0 … count − 1 count for nothing. One row more takes those. (ScatterElements
 * adds in order, so that equal inputs give equal bits; ScatterND does not promise that.)
 *
 * @param updates `[rows, width]`
 * @param places `[rows]` int32
 * @returns `[count, width]`
 */
function sumRows(graph: GraphBuilder, updates: Value, places: Value, count: number): Value {
  const [rows = 0, width = 0] = updates.shape;
  const outside = graph.elementwise(
    "Or",
    [
      graph.elementwise("Less", [places, graph.scalar(0, "int32")], "bool"),
      graph.elementwise("GreaterOrEqual", [places, graph.scalar(count, "int32")], "bool"),
    ],
    "bool",
  );
  const kept = graph.emit("Where", [outside, graph.scalar(count, "int32"), places], places);
  const spread = graph.expand(graph.reshape(kept, [rows, 1]), [rows, width]);
  const empty = graph.full([count + 1, width], 0, updates.dtype);
  const summed = graph.emit("ScatterElements", [empty, spread, updates], empty, { axis: 0, reduction: "add" });
  return sliceValue(graph, summed, [0, 0], [count, width]);
}

const unsortedSegmentSum: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), "float32", "int32");
  const ids = expectDtype(operand(call, "segmentIds"), "int32");
  const count = attribute<number>(call, "numSegments");
  const [rows = 0, ...rest] = x.shape;
  if (ids.shape.length !== 1) {
    throw new RuleRefusal("expected segment ids of rank 1");
  }
  const flat = graph.reshape(x, [rows, sizeOf(rest)]);
  return graph.reshape(sumRows(graph, flat, ids, count), [count, ...rest]);
};

const oneHot: Rule = (call) => {
  const { graph } = call;
  const indices = expectDtype(operand(call, "indices"), "int32");
  const depth = attribute<number>(call, "depth");
  const dtype = (call.attributes.dtype as string | undefined) ?? "int32";
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    throw new RuleRefusal(`cannot make a tensor of ${dtype}`);
  }
  const classes = graph.constant(
    Int32Array.from({ length: depth }, (_, i) => i),
    "int32",
    [depth],
  );
  const column = graph.reshape(indices, [...indices.shape, 1]);
  const hit = graph.elementwise("Equal", [column, classes], "bool");
  const [on, off] = [attribute<number>(call, "onValue"), attribute<number>(call, "offValue")];
  if (on === 1 && off === 0) {
    return graph.cast(hit, dtype);
  }
  return graph.emit("Where", [hit, graph.scalar(on, dtype), graph.scalar(off, dtype)], { dtype, shape: hit.shape });
};

const gatherNd: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "params");
  const indices = expectDtype(operand(call, "indices"), "int32");
  const depth = indices.shape.at(-1) ?? 0;
  const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
  return graph.emit("GatherND", [x, graph.cast(indices, "int64")], { dtype: x.dtype, shape });
};

/** Updates of equal index add up. */
const scatterNd: Rule = (call) => {
  const { graph } = call;
  const indices = expectDtype(operand(call, "indices"), "int32");
  const updates = expectDtype(operand(call, "updates"), "float32", "int32");
  const shape = attribute<number[]>(call, "shape");
  const depth = indices.shape.at(-1) ?? 1;
  const outer = shape.slice(0, depth);
  const width = sizeOf(shape.slice(depth));
  const rows = sizeOf(indices.shape.slice(0, -1));
  const strides = outer.map((_, i) => sizeOf(outer.slice(i + 1)));
  const weights = graph.constant(makeElements("int32", strides), "int32", [1, depth]);
  const weighted = graph.elementwise("Mul", [graph.reshape(indices, [rows, depth]), weights]);
  const places = graph.emit(
    "ReduceSum",
    [weighted, graph.ints([1])],
    { dtype: "int32", shape: [rows] },
    { keepdims: 0 },
  );
  const flat = graph.reshape(updates, [rows, width]);
  return graph.reshape(sumRows(graph, flat, places, sizeOf(outer)), shape);
};

export const gatherRules: Readonly<Record<string, Rule>> = {
  GatherNd: gatherNd,
  GatherV2: gather,
  OneHot: oneHot,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: unsortedSegmentSum,
};
