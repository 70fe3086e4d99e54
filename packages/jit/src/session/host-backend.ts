// Where results live: a tfjs backend whose data are plain arrays that ONNX Runtime wrote into. Ops outside compiled
// functions work on them with tfjs's cpu kernels. An array that was made here goes back to a store when its last tensor
// is disposed, and its memory takes later results, so a training step allocates nothing once it runs.
//
// State of a GPU's functions stays there: such data are an array on the device, which whoever looks at its values gets a
// copy of, made when it is first asked for and kept.
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
import { type DeviceArray, download, upload } from "./device-array.ts";

export const HOST_BACKEND = "jit-host";

export class HostBackend extends MathBackendCPU {
  readonly store = new ArrayStore();
  private readonly onDevice = new Map<object, DeviceData>();
  /** Data of the host that a function on a device was given. */
  private readonly passed = new WeakSet<object>();

  /** Wraps an array of the store as a tensor. */
  adopt(elements: HostElements, shape: Shape, dtype: ElementType): Tensor {
    const dataId = super.write(elements as BackendValues, [...shape], dtype as DataType);
    const made = { dataId, shape: [...shape], dtype: dtype as DataType };
    return engine().makeTensorFromTensorInfo(made, this as never);
  }

  /** Wraps an array on a device as a tensor, which owns it. */
  adoptFromDevice(array: DeviceArray, shape: Shape): Tensor {
    const dataId = super.write(null as unknown as BackendValues, [...shape], "float32");
    this.place(dataId, { array, copy: undefined }, shape);
    return engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype: "float32" }, this as never);
  }

  /**
   * The array of a tensor for a function on a device. What is passed a second time, such as weights that are not trained,
   * is copied there, once, for all times that follow.
   *
   * @returns undefined where the values must be taken from the host; `moved`: they were copied just now
   */
  arrayForDevice({
    dataId,
    dtype,
    shape,
    size,
  }: Tensor): { readonly array: DeviceArray; readonly moved: boolean } | undefined {
    const known = this.deviceArray(dataId);
    if (known !== undefined) {
      return { array: known, moved: false };
    }
    const values = this.peek(dataId);
    if (values === undefined || dtype !== "float32" || size <= 1) {
      return undefined;
    }
    if (!this.passed.has(dataId)) {
      this.passed.add(dataId);
      return undefined;
    }
    const array = upload(values as Float32Array, shape);
    this.place(dataId, { array, copy: values }, shape);
    return { array, moved: true };
  }

  /** The array on a device; undefined where the data are the host's. */
  deviceArray(dataId: object): DeviceArray | undefined {
    return this.onDevice.get(dataId)?.array;
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
    const device = this.onDevice.get(dataId);
    const values = device?.copy ?? (device === undefined ? this.arrayOf(dataId) : undefined);
    const gone = super.disposeData(dataId, force);
    if (gone) {
      this.onDevice.delete(dataId);
      device?.array.dispose();
    }
    if (gone && values !== undefined && this.store.owns(values)) {
      this.store.give(values as HostElements);
    }
    return gone;
  }

  private place(dataId: object, data: DeviceData, shape: Shape): void {
    this.onDevice.set(dataId, data);
    Object.defineProperty(this.data.get(dataId), "values", {
      get: () => {
        data.copy ??= download(data.array, this.store.take("float32", shape) as Float32Array);
        return data.copy;
      },
      set: (values: HostElements | undefined) => {
        data.copy = values;
      },
    });
  }

  private arrayOf(dataId: object): BackendValues | undefined {
    return this.data.has(dataId) ? this.data.get(dataId).values : undefined;
  }
}

interface DeviceData {
  readonly array: DeviceArray;
  /** Its values, once somebody asked for them. */
  copy: HostElements | undefined;
}

/** The one host backend of the process; registered on first use, and active only if the caller makes it so. */
export function hostBackend(): HostBackend {
  if (findBackendFactory(HOST_BACKEND) === null) {
    registerBackend(HOST_BACKEND, () => new HostBackend(), 0);
    copyRegisteredKernels("cpu", HOST_BACKEND);
  }
  return findBackend(HOST_BACKEND) as HostBackend;
}
