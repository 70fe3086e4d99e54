// Arrays that lie on a GPU: results of one graph and arguments of the next, with no copy on the host between them.
//
// onnxruntime-node 1.30 lets a session keep outputs on the device and takes such tensors as inputs of any session. It
// cannot read one (`getData()` ends the process with "not implemented"), so a graph of one Identity brings it to the
// host. That graph is run by the binding below onnxruntime-node's own interface, because tfjs reads synchronously.
import * as ort from "onnxruntime-node";
import binding from "onnxruntime-node/dist/binding.js";
import { GraphBuilder } from "../graph/builder.ts";
import { encodeModel, pruneGraph } from "../graph/onnx.ts";
import { type Shape, sizeOf } from "../graph/value.ts";

export interface DeviceArray {
  /** What a session takes as an input. */
  readonly tensor: ort.Tensor;
  dispose(): void;
}

let alive = 0;

/** Wraps a session's output. */
export function deviceArray(tensor: ort.Tensor): DeviceArray {
  alive += 1;
  return {
    tensor,
    dispose: () => {
      alive -= 1;
      tensor.dispose();
    },
  };
}

/** Copies an array into `out`, which must have its length. */
export function download({ tensor }: DeviceArray, out: Float32Array): Float32Array {
  const { reader, input, output } = opened();
  const size = sizeOf(tensor.dims);
  if (out.length !== size) {
    throw new RangeError(`expected room for ${size} numbers, got ${out.length}`);
  }
  reader.run({ [input]: tensor }, { [output]: new ort.Tensor("float32", out, tensor.dims) }, {});
  return out;
}

/** Copies values to the device. */
export function upload(values: Float32Array, shape: Shape): DeviceArray {
  const { writer, input, output } = opened();
  const results = writer.run({ [input]: new ort.Tensor("float32", values, shape) }, { [output]: null }, {});
  return deviceArray(results[output] as ort.Tensor);
}

/** Keeps the device, and the programs that were compiled for it, while no other session does. */
export function keepDevice(): void {
  opened();
}

/** Lets go of the device, unless arrays lie there; sessions that are in use keep it on. */
export function releaseDevice(): void {
  if (alive === 0) {
    transfer?.reader.dispose();
    transfer?.writer.dispose();
    transfer = undefined;
  }
}

type Copier = InstanceType<typeof binding.binding.InferenceSession>;

interface Transfer {
  readonly reader: Copier;
  readonly writer: Copier;
  readonly input: string;
  readonly output: string;
}

let transfer: Transfer | undefined;

function opened(): Transfer {
  transfer ??= openTransfer();
  return transfer;
}

function openTransfer(): Transfer {
  const builder = new GraphBuilder();
  const input = builder.input("float32", []);
  const output = builder.emit("Identity", [input], input);
  const model = encodeModel(pruneGraph(builder, [output]), { anyShape: true });
  binding.initOrt();
  const copier = (preferredOutputLocation: "cpu" | "gpu-buffer"): Copier => {
    const session = new binding.binding.InferenceSession();
    session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, {
      executionProviders: ["webgpu"],
      graphOptimizationLevel: "disabled",
      logSeverityLevel: 3,
      ...(preferredOutputLocation === "cpu" ? {} : { preferredOutputLocation }),
    });
    return session;
  };
  return { reader: copier("cpu"), writer: copier("gpu-buffer"), input: input.name, output: output.name };
}
