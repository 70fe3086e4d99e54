// One run of a graph: arrays of the host and of the device in, results into arrays of the host or left on the device.
import * as ort from "onnxruntime-node";
import { JitError } from "../errors.ts";
import type { Graph } from "../graph/onnx.ts";
import { sizeOf, type Value } from "../graph/value.ts";
import type { HostElements } from "../host-value.ts";
import { type DeviceArray, deviceArray } from "./device-array.ts";
import { bytesOf } from "./report.ts";

/**
 * Name of the output that keeps onnxruntime-node 1.30 from copying the others. After a run it copies each output into
 * an ArrayBuffer of its own, also those that were written into arrays that it was given: at 80 million parameters this
 * and collecting the copies took 220 ms a step, as long as the graph itself with small batches. It converts outputs in
 * their order and throws at one that is no tensor; this one comes first.
 */
export const UNCONVERTED = "_unconverted";
const CONVERSION_ENDED = /Non tensor type is temporarily not supported/;

export interface GraphArrays {
  /** Inputs that lie on the host, and room for the outputs that go there. */
  readonly host: ReadonlyMap<Value, HostElements>;
  /** Inputs that lie on the device. */
  readonly device: ReadonlyMap<Value, DeviceArray>;
}

export interface GraphResults {
  /** Outputs that stayed on the device; the caller's from here on. */
  readonly device: Map<Value, DeviceArray>;
  /** Bytes that were copied between arrays of the host and the session. */
  readonly copied: { readonly in: number; readonly out: number };
}

/** @throws JitError `memory` where ONNX Runtime says that it lacks it, else `run` */
export async function runGraph(
  session: ort.InferenceSession,
  { inputs, outputs }: Graph,
  staying: ReadonlySet<Value>,
  { host, device }: GraphArrays,
): Promise<GraphResults> {
  const hostTensor = (value: Value): ort.Tensor => toOrt(value, host.get(value) as HostElements);
  const feeds = named(inputs, (value) => {
    const array = device.get(value);
    return array === undefined ? hostTensor(value) : withShape(array.tensor, value);
  });
  // Once an output stays, ONNX Runtime makes the arrays of all of them itself, and leaves given ones as they are.
  const fetches = {
    ...(session.outputNames.includes(UNCONVERTED) ? { [UNCONVERTED]: null } : {}),
    ...named(outputs, staying.size === 0 ? hostTensor : () => null),
  };
  const results = await runSession(session, feeds, fetches);
  const stayed = new Map<Value, DeviceArray>();
  for (const value of staying.size === 0 ? [] : outputs) {
    const made = results[value.name] as ort.Tensor;
    if (staying.has(value)) {
      stayed.set(value, deviceArray(made));
    } else {
      host.get(value)?.set(made.data as HostElements);
    }
  }
  return {
    device: stayed,
    copied: {
      in: bytesOf(inputs.filter((value) => !device.has(value))),
      out: bytesOf(outputs.filter((value) => !staying.has(value))),
    },
  };
}

/** Of the processor's allocator, and of WebGPU's buffers, which are invalid where they could not be had. */
const OUT_OF_MEMORY =
  /bad_alloc|bad allocation|failed to allocate memory|out of memory|buffer size limit|\[Invalid Buffer/i;

async function runSession(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  fetches: Record<string, ort.Tensor | null>,
): Promise<ort.InferenceSession.ReturnType> {
  try {
    return await session.run(feeds, fetches);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (UNCONVERTED in fetches && CONVERSION_ENDED.test(message)) {
      return {}; // the run itself was done by then
    }
    throw new JitError(OUT_OF_MEMORY.test(message) ? "memory" : "run", `ONNX Runtime failed: ${message}`, { cause });
  }
}

function named<T>(values: readonly Value[], make: (value: Value) => T): Record<string, T> {
  return Object.fromEntries(values.map((value) => [value.name, make(value)]));
}

/** The same memory under another shape, as tfjs's reshape gives it. */
function withShape(tensor: ort.Tensor, { shape }: Value): ort.Tensor {
  const { dims } = tensor;
  return dims.length === shape.length && dims.every((dim, i) => dim === shape[i])
    ? tensor
    : ort.Tensor.fromGpuBuffer(tensor.gpuBuffer as never, { dataType: "float32", dims: shape });
}

function toOrt({ dtype, shape }: Value, elements: HostElements): ort.Tensor {
  if (elements.length !== sizeOf(shape)) {
    throw new JitError("run", `expected ${sizeOf(shape)} elements for [${shape.join(", ")}], got ${elements.length}`);
  }
  switch (dtype) {
    case "float32":
      return new ort.Tensor("float32", elements as Float32Array, shape);
    case "int32":
      return new ort.Tensor("int32", elements as Int32Array, shape);
    case "bool":
      return new ort.Tensor("bool", elements as Uint8Array, shape);
    case "int64":
      throw new Error("int64 values stay inside rules");
  }
}
