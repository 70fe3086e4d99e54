// Arrays for results: they lie in a heap that WebAssembly kernels reach, or on their own where it is full.
import type { ElementType, Shape } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import type { HostElements } from "../host-value.ts";
import { Heap } from "./heap.ts";

export class ArrayStore {
  private heap: Heap | undefined;
  /** Buffers of arrays for which the heap had no room. */
  private readonly outside = new WeakSet<ArrayBufferLike>();
  private closing = false;

  /** An array with any content. */
  take(dtype: ElementType, shape: Shape): HostElements {
    const size = sizeOf(shape);
    this.closing = false;
    this.heap ??= new Heap();
    const { memory } = this.heap;
    const at = this.heap.take(size * (dtype === "bool" ? 1 : 4));
    if (at === undefined) {
      const made = view(dtype, new ArrayBuffer(size * (dtype === "bool" ? 1 : 4)), 0, size);
      this.outside.add(made.buffer);
      return made;
    }
    return view(dtype, memory.buffer, at, size);
  }

  /** Takes an array back; nobody may look at it any more. */
  give(elements: HostElements): void {
    if (this.heap !== undefined && elements.buffer === this.heap.memory.buffer) {
      this.heap.give(elements.byteOffset);
      this.forgetEmptyHeap();
    }
  }

  /** Whether these values lie in an array that was made here. */
  owns(values: unknown): boolean {
    return ArrayBuffer.isView(values) && (this.memoryOf(values) !== undefined || this.outside.has(values.buffer));
  }

  /** The memory that an array lies in, where kernels can reach it. */
  memoryOf(values: ArrayBufferView): WebAssembly.Memory | undefined {
    const memory = this.heap?.memory;
    return values.buffer === memory?.buffer ? memory : undefined;
  }

  /** Bytes of the heap that arrays hold. */
  get usedBytes(): number {
    return this.heap?.usedBytes ?? 0;
  }

  /** Gives the heap back to the system, now or when its last array comes back, unless another one is taken before. */
  clear(): void {
    this.closing = true;
    this.forgetEmptyHeap();
  }

  private forgetEmptyHeap(): void {
    if (this.closing && this.heap?.usedBytes === 0) {
      this.heap = undefined;
    }
  }
}

function view(dtype: ElementType, buffer: ArrayBuffer, at: number, size: number): HostElements {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, at, size);
    case "int32":
      return new Int32Array(buffer, at, size);
    case "bool":
      return new Uint8Array(buffer, at, size);
    case "int64":
      throw new Error("int64 values stay inside rules");
  }
}
