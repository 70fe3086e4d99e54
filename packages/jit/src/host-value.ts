// Values that stay on the host: a traced function gets them without seeing what they hold, and turns them into tensors
// by functions that run again on every call. Random keys, for one: each mask of a step becomes an input of the graph,
// and its bits are drawn outside.
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { makeElements, type Shape, sizeOf } from "./graph/value.ts";
import { currentTrace } from "./trace/current.ts";

export class HostValue<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** @internal what a run hands to the functions given to `fromHost` */
  static reveal<T>(hostValue: HostValue<T>): T {
    return hostValue.#value;
  }
}

/** Wraps a value for a compiled function's argument. */
export function hostValue<T>(value: T): HostValue<T> {
  return new HostValue(value);
}

/** dtypes that tensors here can have. */
export type HostDtype = "float32" | "int32" | "bool";
export type HostElements = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor that is computed from a host value: at once outside a trace, on every run inside.
 *
 * @param fill must depend on the value only; writes every element, in the dtype's typed array
 */
export function fromHost<T>(
  value: HostValue<T>,
  shape: Shape,
  dtype: HostDtype,
  fill: (value: T, out: HostElements) => void,
): Tensor {
  const trace = currentTrace();
  if (trace === undefined) {
    const out = makeElements(dtype, new Array(sizeOf(shape)).fill(0)) as HostElements;
    fill(HostValue.reveal(value), out);
    return tensor(out, [...shape], dtype);
  }
  return trace.hostInput(value as HostValue<unknown>, shape, dtype, (revealed, out) => fill(revealed as T, out));
}
