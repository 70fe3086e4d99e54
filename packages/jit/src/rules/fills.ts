// Kernels that make tensors of numbers alone: constants of the graph.
import type { GraphBuilder } from "../graph/builder.ts";
import { type ElementType, makeElements, type Value } from "../graph/value.ts";
import { attribute, type Rule, RuleRefusal } from "./rule.ts";

export function plainDtype(dtype: unknown): ElementType {
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    throw new RuleRefusal(`cannot make a tensor of ${String(dtype)}`);
  }
  return dtype;
}

/** 0, 1, … `count` − 1 as int32. */
export function countUp(graph: GraphBuilder, count: number): Value {
  const numbers = Int32Array.from({ length: count }, (_, i) => i);
  return graph.constant(numbers, "int32", [count]);
}

const fill: Rule = (call) => {
  const value = attribute<number>(call, "value");
  return call.graph.full(attribute<number[]>(call, "shape"), value, plainDtype(call.attributes.dtype ?? "float32"));
};

const range: Rule = (call) => {
  const [start, stop, step] = ["start", "stop", "step"].map((name) => attribute<number>(call, name)) as [
    number,
    number,
    number,
  ];
  // An interval that the step leads away from is empty; tfjs takes a step of 1 downwards as −1.
  const used = stop < start && step === 1 ? -1 : step;
  const length = start === stop || stop - start > 0 !== used > 0 ? 0 : Math.abs(Math.ceil((stop - start) / used));
  const dtype = plainDtype(call.attributes.dtype ?? "float32");
  const elements = makeElements(dtype, new Array<number>(length).fill(0)) as Float32Array | Int32Array;
  for (let i = 0, at = start; i < length; i++, at += used) {
    elements[i] = at;
  }
  return call.graph.constant(elements, dtype, [length]);
};

const linSpace: Rule = (call) => {
  const [start, stop, num] = ["start", "stop", "num"].map((name) => attribute<number>(call, name)) as [
    number,
    number,
    number,
  ];
  const step = num === 1 ? 0 : (stop - start) / (num - 1);
  return call.graph.constant(
    Float32Array.from({ length: num }, (_, i) => start + i * step),
    "float32",
    [num],
  );
};

export const fillRules: Readonly<Record<string, Rule>> = {
  Fill: fill,
  LinSpace: linSpace,
  Range: range,
};
