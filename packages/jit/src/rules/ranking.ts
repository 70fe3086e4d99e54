// Kernels that order elements: the greatest ones, and places in a sorted sequence.
import type { Value } from "../graph/value.ts";
import { reduceAxes } from "./reductions.ts";
import { attribute, expectDtype, expectOneDtype, NUMBERS, operand, type Rule } from "./rule.ts";

/** The k greatest along the last axis, in order; of equal ones the first. */
const topK: Rule = (call) => {
  const { graph } = call;
  const x = expectDtype(operand(call, "x"), ...NUMBERS);
  const shape = [...x.shape.slice(0, -1), attribute<number>(call, "k")];
  const [values, places] = graph.emitMany(
    "TopK",
    [x, graph.ints(shape.slice(-1))],
    [
      { dtype: x.dtype, shape },
      { dtype: "int64", shape },
    ],
    { axis: x.shape.length - 1, largest: 1, sorted: 1 },
  ) as [Value, Value];
  return [values, graph.cast(places, "int32")];
};

/** How many elements of its sorted row are less than a value ("left"), or not greater ("right"). */
const searchSorted: Rule = (call) => {
  const { graph } = call;
  const sorted = expectDtype(operand(call, "sortedSequence"), ...NUMBERS); // [rows, length]
  const values = expectDtype(operand(call, "values"), ...NUMBERS); // [rows, wanted]
  expectOneDtype(sorted, values);
  const [rows = 0, length = 0] = sorted.shape;
  const elements = graph.reshape(sorted, [rows, 1, length]);
  const bounds = graph.reshape(values, [...values.shape, 1]);
  const op = attribute<string>(call, "side") === "left" ? "Less" : "LessOrEqual";
  const before = graph.elementwise(op, [elements, bounds], "bool"); // [rows, wanted, length]
  return reduceAxes(graph, "ReduceSum", graph.cast(before, "int32"), [2]);
};

export const rankingRules: Readonly<Record<string, Rule>> = {
  SearchSorted: searchSorted,
  TopK: topK,
};
