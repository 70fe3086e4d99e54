// The wasm backend of tfjs with three kernels replaced. tfjs 4.22 runs a product on XNNPACK only when neither side is
// transposed and there is one matrix; every gradient of a product and every attention score takes a plain loop
// instead, at a tenth of the speed. Here transposed sides are transposed first, and a stack of matrices is
// multiplied one by one through views of the same memory. Row gathers, which convert between packed and padded
// batches, copy whole rows. A clone, made of every tensor that a gradient needs later, shares its memory.

import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import {
  BatchMatMul,
  backend,
  broadcast_util,
  GatherV2,
  getKernel,
  Identity,
  type KernelConfig,
  type KernelFunc,
  ready,
  registerKernel,
  setBackend,
  type TensorInfo,
  Transpose,
  unregisterKernel,
} from "@tensorflow/tfjs-core";
import { sizeOf } from "../parameters/parameters.ts";

/** What the replaced kernels need of the backend: its heap and its register of tensors (tfjs 4.22, pinned). */
interface WasmBackend extends Pick<BackendWasm, "makeOutput" | "disposeData" | "getMemoryOffset" | "incRef"> {
  dataIdNextNumber: number;
  readonly wasm: {
    readonly HEAPU8: Uint8Array;
    readonly tfjs: {
      registerTensor(id: number, size: number, offset: number): void;
      disposeData(id: number): void;
    };
    cwrap(name: string, result: null, args: readonly string[]): (...args: unknown[]) => void;
  };
}

let kernelsReplaced = false;

export async function startWasmBackend(): Promise<void> {
  await import("@tensorflow/tfjs-backend-wasm");
  if (!(await setBackend("wasm"))) {
    throw new Error("this machine has no WebAssembly SIMD support");
  }
  await ready();
  if (!kernelsReplaced) {
    replaceKernel(BatchMatMul, createBatchMatMul(backend() as unknown as WasmBackend));
    replaceKernel(GatherV2, createGather(stockKernel(GatherV2)));
    replaceKernel(Identity, shareMemory);
    kernelsReplaced = true;
  }
}

function stockKernel(kernelName: string): KernelFunc {
  const config = getKernel(kernelName, "wasm") as KernelConfig | undefined;
  if (config === undefined) {
    throw new Error(`tfjs's wasm backend has no kernel ${kernelName}`);
  }
  return config.kernelFunc;
}

function replaceKernel(kernelName: string, kernelFunc: KernelFunc): void {
  unregisterKernel(kernelName, "wasm");
  registerKernel({ kernelName, backendName: "wasm", kernelFunc });
}

/** A second name for the same memory, as on the other backends; it is freed with the last one. */
const shareMemory: KernelFunc = ({ inputs, backend: wasmBackend }) => {
  const { dataId, shape, dtype } = inputs.x as TensorInfo;
  (wasmBackend as WasmBackend).incRef(dataId);
  return { dataId, shape, dtype };
};

function createBatchMatMul(wasmBackend: WasmBackend): KernelFunc {
  const product = wasmBackend.wasm.cwrap("BatchMatMul", null, [
    "number",
    "array",
    "number",
    "number",
    "array",
    "number",
    "number",
    "number",
    "number",
  ]);
  const transposeKernel = stockKernel(Transpose);
  const transposed = (x: TensorInfo): TensorInfo => {
    const rank = x.shape.length;
    const perm = [...x.shape.keys()];
    perm.splice(rank - 2, 2, rank - 1, rank - 2);
    return transposeKernel({ inputs: { x }, attrs: { perm }, backend: wasmBackend }) as TensorInfo;
  };
  return ({ inputs, attrs }) => {
    const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
    const givenA = inputs.a as TensorInfo;
    const givenB = inputs.b as TensorInfo;
    if (givenA.dtype !== "float32" || givenB.dtype !== "float32") {
      throw new Error(`matMul on wasm: expected float32, got ${givenA.dtype} and ${givenB.dtype}`);
    }
    const outer = broadcast_util.assertAndGetBroadcastShape(givenA.shape.slice(0, -2), givenB.shape.slice(0, -2));
    const stacked = sizeOf(outer);
    const repeatedA = isRepeated(givenA.shape, stacked);
    const repeatedB = isRepeated(givenB.shape, stacked);
    const a = transposeA ? transposed(givenA) : givenA;
    const b = transposeB ? transposed(givenB) : givenB;
    const [rows, inner] = a.shape.slice(-2) as [number, number];
    const columns = b.shape[b.shape.length - 1] as number;
    const stepA = repeatedA ? 0 : rows * inner;
    const stepB = repeatedB ? 0 : inner * columns;
    const out = wasmBackend.makeOutput([...outer, rows, columns], "float32");

    const view = (offset: number, size: number): number => {
      const id = wasmBackend.dataIdNextNumber++;
      wasmBackend.wasm.tfjs.registerTensor(id, size, offset);
      return id;
    };
    const offsetA = wasmBackend.getMemoryOffset(a.dataId);
    const offsetB = wasmBackend.getMemoryOffset(b.dataId);
    const offsetOut = wasmBackend.getMemoryOffset(out.dataId);
    const shapeA = shapeBytes([1, rows, inner]);
    const shapeB = shapeBytes([1, inner, columns]);
    for (let i = 0; i < stacked; i++) {
      const views = [
        view(offsetA + 4 * i * stepA, rows * inner),
        view(offsetB + 4 * i * stepB, inner * columns),
        view(offsetOut + 4 * i * rows * columns, rows * columns),
      ] as const;
      product(views[0], shapeA, 3, views[1], shapeB, 3, false, false, views[2]);
      for (const id of views) {
        wasmBackend.wasm.tfjs.disposeData(id);
      }
    }
    if (transposeA) {
      wasmBackend.disposeData(a.dataId);
    }
    if (transposeB) {
      wasmBackend.disposeData(b.dataId);
    }
    return out;
  };
}

/** Whether one matrix serves the whole stack. @throws Error where a stack is repeated along some of its axes only */
function isRepeated(shape: readonly number[], stacked: number): boolean {
  const matrices = sizeOf(shape.slice(0, -2));
  if (matrices !== stacked && matrices !== 1) {
    throw new Error(`matMul on wasm: cannot broadcast a stack [${shape.join(", ")}] to ${stacked} matrices`);
  }
  return matrices !== stacked;
}

function shapeBytes(shape: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(shape).buffer);
}

function createGather(stock: KernelFunc): KernelFunc {
  return (call) => {
    const { inputs, attrs } = call;
    const x = inputs.x as TensorInfo;
    const indices = inputs.indices as TensorInfo;
    const { axis, batchDims } = attrs as unknown as { axis: number; batchDims: number };
    if (axis !== 0 || batchDims !== 0 || indices.shape.length !== 1 || x.dtype !== "float32") {
      return stock(call);
    }
    const wasmBackend = call.backend as WasmBackend;
    const [rows = 0, ...rest] = x.shape;
    const count = indices.shape[0] ?? 0;
    const rowBytes = 4 * sizeOf(rest);
    // A view of the heap: making the output may grow the heap, which detaches views, so it is taken twice.
    const wanted = () =>
      new Int32Array(wasmBackend.wasm.HEAPU8.buffer, wasmBackend.getMemoryOffset(indices.dataId), count);
    const outside = wanted().find((row) => row < 0 || row >= rows);
    if (outside !== undefined) {
      throw new Error(`gather: index ${outside} is outside 0 … ${rows - 1}`);
    }
    const out = wasmBackend.makeOutput([count, ...rest], "float32");
    const heap = wasmBackend.wasm.HEAPU8;
    const from = wasmBackend.getMemoryOffset(x.dataId);
    const to = wasmBackend.getMemoryOffset(out.dataId);
    wanted().forEach((row, i) => {
      heap.copyWithin(to + i * rowBytes, from + row * rowBytes, from + (row + 1) * rowBytes);
    });
    return out;
  };
}
