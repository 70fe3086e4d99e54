// A rule turns one tfjs kernel into ONNX nodes.
import type { GraphBuilder } from "../graph/builder.ts";
import { type ElementType, frontAxis, sizeOf, type Value } from "../graph/value.ts";

export interface RuleCall {
  readonly graph: GraphBuilder;
  /** By tfjs's names; a list has "0", "1", … */
  readonly inputs: ReadonlyMap<string, Value>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export type Rule = (call: RuleCall) => Value | Value[];

/** Why a rule cannot do what was asked; becomes an error that names kernel, shapes and line. */
export class RuleRefusal extends Error {}

export function operand(call: RuleCall, name: string): Value {
  const value = call.inputs.get(name);
  if (value === undefined) {
    throw new RuleRefusal(`the operand "${name}" is missing`);
  }
  return value;
}

export function operands(call: RuleCall): Value[] {
  return [...call.inputs.values()];
}

/** An attribute as tfjs documents it for the kernel. */
export function attribute<T>(call: RuleCall, name: string): T {
  const value = call.attributes[name];
  if (value === undefined) {
    throw new RuleRefusal(`the attribute "${name}" is missing`);
  }
  return value as T;
}

export const NUMBERS: readonly ElementType[] = ["float32", "int32"];

export function expectDtype(value: Value, ...allowed: readonly ElementType[]): Value {
  if (!allowed.includes(value.dtype)) {
    throw new RuleRefusal(`expected ${allowed.join(" or ")}, got ${value.dtype}; cast it`);
  }
  return value;
}

/** @throws RuleRefusal where the dtypes differ */
export function expectOneDtype(...values: readonly Value[]): void {
  if (values.some(({ dtype }) => dtype !== values[0]?.dtype)) {
    throw new RuleRefusal(`the operands have different dtypes, ${values.map(({ dtype }) => dtype).join(" and ")}`);
  }
}

/** A kernel with one operand `x`, of float32 where no dtypes are given. */
export function unary(make: (graph: GraphBuilder, x: Value) => Value, ...dtypes: readonly ElementType[]): Rule {
  return (call) =>
    make(call.graph, expectDtype(operand(call, "x"), ...(dtypes.length > 0 ? dtypes : ["float32" as const])));
}

/** A kernel with one operand that is one ONNX op. */
export function unaryOp(op: string, ...dtypes: readonly ElementType[]): Rule {
  return unary((graph, x) => graph.elementwise(op, [x]), ...dtypes);
}

/** A kernel with operands `a` and `b` of one dtype. */
export function binary(
  make: (graph: GraphBuilder, a: Value, b: Value) => Value,
  ...dtypes: readonly ElementType[]
): Rule {
  return (call) => {
    const a = expectDtype(operand(call, "a"), ...dtypes);
    const b = expectDtype(operand(call, "b"), ...dtypes);
    expectOneDtype(a, b);
    return make(call.graph, a, b);
  };
}

/** Axes of a reduction, from the front and in order; none given means all. */
export function reducedAxes(axis: unknown, rank: number): number[] {
  if (axis === undefined || axis === null) {
    return Array.from({ length: rank }, (_, i) => i);
  }
  const list = (Array.isArray(axis) ? axis : [axis]) as number[];
  return list.map((each) => frontAxis(each, rank)).sort((a, b) => a - b);
}

export function refuseEmpty(value: Value): Value {
  if (sizeOf(value.shape) === 0) {
    throw new RuleRefusal("the operand is empty");
  }
  return value;
}
