// Arrays for results, kept for reuse by dtype and size.
import type { ElementType, Shape } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import type { HostElements } from "../host-value.ts";

export class ArrayStore {
  private readonly free = new Map<string, HostElements[]>();
  private readonly owned = new WeakSet<ArrayBufferLike>();

  /** An array with any content. */
  take(dtype: ElementType, shape: Shape): HostElements {
    const size = sizeOf(shape);
    const known = this.free.get(`${dtype} ${size}`)?.pop();
    if (known !== undefined) {
      return known;
    }
    const made = allocate(dtype, size);
    this.owned.add(made.buffer);
    return made;
  }

  give(elements: HostElements): void {
    const key = `${dtypeOf(elements)} ${elements.length}`;
    const list = this.free.get(key) ?? [];
    list.push(elements);
    this.free.set(key, list);
  }

  /** Whether these values lie in an array that was made here. */
  owns(values: unknown): boolean {
    return ArrayBuffer.isView(values) && this.owned.has(values.buffer);
  }

  /** Bytes that wait for reuse. */
  get freeBytes(): number {
    return [...this.free.values()].flat().reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Lets go of what waits for reuse; arrays that tensors hold stay. */
  clear(): void {
    this.free.clear();
  }
}

function allocate(dtype: ElementType, size: number): HostElements {
  switch (dtype) {
    case "float32":
      return new Float32Array(size);
    case "int32":
      return new Int32Array(size);
    case "bool":
      return new Uint8Array(size);
    case "int64":
      throw new Error("int64 values stay inside rules");
  }
}

function dtypeOf(elements: HostElements): ElementType {
  if (elements instanceof Float32Array) {
    return "float32";
  }
  return elements instanceof Int32Array ? "int32" : "bool";
}
