// Kernels that read by index, and the mark of an index.
import type { GraphBuilder } from "../graph/builder.ts";
import { frontAxis, makeElements, sizeOf, type Value } from "../graph/value.ts";
import { countUp, plainDtype } from "./fills.ts";
import { choose } from "./logic.ts";
import { attribute, expectDtype, operand, type Rule } from "./rule.ts";

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

const oneHot: Rule = (call) => {
  const { graph } = call;
  const indices = expectDtype(operand(call, "indices"), "int32");
  const depth = attribute<number>(call, "depth");
  const dtype = plainDtype(call.attributes.dtype ?? "int32");
  const classes = countUp(graph, depth);
  const column = graph.reshape(indices, [...indices.shape, 1]);
  const hit = graph.elementwise("Equal", [column, classes], "bool");
  const [on, off] = [attribute<number>(call, "onValue"), attribute<number>(call, "offValue")];
  if (on === 1 && off === 0) {
    return graph.cast(hit, dtype);
  }
  return choose(graph, hit, graph.scalar(on, dtype), graph.scalar(off, dtype));
};

const gatherNd: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "params");
  const indices = expectDtype(operand(call, "indices"), "int32");
  const depth = indices.shape.at(-1) ?? 0;
  const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
  return graph.emit("GatherND", [x, graph.cast(indices, "int64")], { dtype: x.dtype, shape });
};

export const gatherRules: Readonly<Record<string, Rule>> = {
  GatherNd: gatherNd,
  GatherV2: gather,
  OneHot: oneHot,
};
