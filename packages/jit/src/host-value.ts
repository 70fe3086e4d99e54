// Values that stay on the host: a traced function gets them without seeing what they hold, and turns them into tensors
// by functions that run again on every call. Random keys, for one: each mask of a step becomes an input of the graph,
// and its bits are drawn outside.
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { Shape } from "./graph/value.ts";
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
 * @param make must depend on its argument only; gives as many elements as the shape has, in the dtype's typed array
 */
export function fromHost<T>(
  value: HostValue<T>,
  shape: Shape,
  dtype: HostDtype,
  make: (value: T) => HostElements,
): Tensor {
  const trace = currentTrace();
  if (trace === undefined) {
    return tensor(make(HostValue.reveal(value)), [...shape], dtype);
  }
  return trace.hostInput(value as HostValue<unknown>, shape, dtype, (revealed) => make(revealed as T));
}
