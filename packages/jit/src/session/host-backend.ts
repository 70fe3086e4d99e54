// Where results live: a tfjs backend whose data are plain arrays that ONNX Runtime wrote into. Ops outside compiled
// functions work on them with tfjs's cpu kernels. An array that was made here goes back to a store when its last tensor
// is disposed, and its memory takes later results, so a training step allocates nothing once it runs.
//
// Invariant: an array of the store is seen by one data id at most. Kernels of tfjs may put a view of an operand's array
// into a result, and readers may keep what they read; so both get copies.
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import {
  type BackendValues,
  copyRegisteredKernels,
  type DataType,
  engine,
  findBackend,
  findBackendFactory,
  registerBackend,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { ElementType, Shape } from "../graph/value.ts";
import type { HostElements } from "../host-value.ts";
import { ArrayStore } from "./array-store.ts";

export const HOST_BACKEND = "jit-host";

export class HostBackend extends MathBackendCPU {
  readonly store = new ArrayStore();

  /** Wraps an array of the store as a tensor. */
  adopt(elements: HostElements, shape: Shape, dtype: ElementType): Tensor {
    const dataId = super.write(elements as BackendValues, [...shape], dtype as DataType);
    const made = { dataId, shape: [...shape], dtype: dtype as DataType };
    return engine().makeTensorFromTensorInfo(made, this as never);
  }

  /** The array itself, not a copy; undefined where the data are elsewhere. */
  peek(dataId: object): HostElements | undefined {
    return this.data.has(dataId) ? (this.data.get(dataId).values as HostElements | undefined) : undefined;
  }

  /** Takes an array of the store out of a tensor that is about to be disposed; undefined where others hold it too. */
  steal(dataId: object): HostElements | undefined {
    const values = this.peek(dataId);
    if (values === undefined || !this.store.owns(values) || this.refCount(dataId) > 1) {
      return undefined;
    }
    this.data.get(dataId).values = undefined as never;
    return values;
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): object {
    return super.write(this.store.owns(values) ? (values as Float32Array).slice() : values, shape, dtype);
  }

  override readSync(dataId: object): BackendValues {
    const values = super.readSync(dataId);
    return this.store.owns(values) ? (values as Float32Array).slice() : values;
  }

  override disposeData(dataId: object, force = false): boolean {
    const values = this.data.has(dataId) ? this.data.get(dataId).values : undefined;
    const gone = super.disposeData(dataId, force);
    if (gone && values !== undefined && this.store.owns(values)) {
      this.store.give(values as HostElements);
    }
    return gone;
  }
}

/** The one host backend of the process; registered on first use, and active only if the caller makes it so. */
export function hostBackend(): HostBackend {
  if (findBackendFactory(HOST_BACKEND) === null) {
    registerBackend(HOST_BACKEND, () => new HostBackend(), 0);
    copyRegisteredKernels("cpu", HOST_BACKEND);
  }
  return findBackend(HOST_BACKEND) as HostBackend;
}
