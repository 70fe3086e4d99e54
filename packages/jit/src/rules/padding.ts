// Padding with a value, and with the operand's own elements mirrored at its edges.
import type { GraphBuilder } from "../graph/builder.ts";
import { makeElements, sizeOf, type Value } from "../graph/value.ts";
import { attribute, operand, type Rule } from "./rule.ts";

/** Elements before the first and after the last of each axis. */
export type Paddings = readonly (readonly [before: number, after: number])[];

export function padValue(graph: GraphBuilder, x: Value, paddings: Paddings, value: number): Value {
  if (paddings.every(([before, after]) => before === 0 && after === 0)) {
    return x;
  }
  const shape = x.shape.map((dim, i) => dim + (paddings[i]?.[0] ?? 0) + (paddings[i]?.[1] ?? 0));
  if (sizeOf(x.shape) === 0) {
    return graph.full(shape, value, x.dtype);
  }
  const pads = graph.ints([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
  return graph.emit("Pad", [x, pads, graph.scalar(value, x.dtype)], { dtype: x.dtype, shape }, { mode: "constant" });
}

const pad: Rule = (call) =>
  padValue(
    call.graph,
    operand(call, "x"),
    attribute<Paddings>(call, "paddings"),
    attribute<number>(call, "constantValue"),
  );

/** Reads each axis at mirrored places; "symmetric" repeats the edge, "reflect" does not. */
const mirrorPad: Rule = (call) => {
  const { graph } = call;
  const edge = call.attributes.mode === "symmetric" ? 1 : 0;
  return attribute<Paddings>(call, "paddings").reduce(
    (x, [before, after], axis) => {
      if (before === 0 && after === 0) {
        return x;
      }
      const length = x.shape[axis] ?? 0;
      const places = Array.from({ length: before + length + after }, (_, i) => {
        const at = i - before;
        return at < 0 ? -at - edge : at >= length ? 2 * (length - 1) - at + edge : at;
      });
      const shape = x.shape.map((dim, i) => (i === axis ? places.length : dim));
      const indices = graph.constant(makeElements("int32", places), "int32", [places.length]);
      return graph.emit("Gather", [x, indices], { dtype: x.dtype, shape }, { axis });
    },
    operand(call, "x"),
  );
};

export const paddingRules: Readonly<Record<string, Rule>> = {
  MirrorPad: mirrorPad,
  PadV2: pad,
};
