// A numpy array or torch tensor as stored: type, shape, memory order, bytes. Values are converted when asked for.
import { PickleError } from "../errors.ts";
import { Bytes } from "../source.ts";
import type { PickleValue } from "../values.ts";
import { createDType, type DType, isNumeric, toFloat32, toFloat64, toValues } from "./dtype.ts";

/** What an array holds: bytes, or the objects of an object array in memory order. */
type Storage = Bytes | readonly PickleValue[];

export interface ArrayContent {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements lie column by column (first axis fastest). */
  readonly fortran: boolean;
  readonly storage: Storage;
}

export class NdArray {
  /** Changed by `fill` only, as are the others. */
  dtype: DType;
  shape: readonly number[];
  private fortran: boolean;
  private storage: Storage;

  /** @throws PickleError `damaged` when shape and content do not agree */
  constructor({ dtype, shape, fortran, storage }: ArrayContent) {
    check(dtype, shape, storage);
    this.dtype = dtype;
    this.shape = shape;
    this.fortran = fortran;
    this.storage = storage;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get isNumeric(): boolean {
    return isNumeric(this.dtype);
  }

  /** All elements, row-major, in float32; not to be changed: may be the array itself. @throws PickleError `unsupported` when they are no numbers */
  toFloat32(): Float32Array {
    return this.rowMajor(toFloat32(this.dtype, this.bytes()));
  }

  /** All elements, row-major, in float64. @throws PickleError `unsupported` when they are no numbers */
  toFloat64(): Float64Array {
    return this.rowMajor(toFloat64(this.dtype, this.bytes()));
  }

  /** All elements, row-major, exact: numbers, bigints beyond 2^53, truth values, texts, objects. */
  toValues(): PickleValue[] {
    const { storage, dtype } = this;
    const values: PickleValue[] = isSpan(storage) ? toValues(dtype, storage.read()) : [...storage];
    return this.rowMajor(values);
  }

  /**
   * Elements `start` to `end` in row-major order, in float32. Only these are read from the file, unless the array lies
   * in Fortran order.
   */
  readFloat32(start: number, end: number): Float32Array {
    if (this.columnMajor) {
      return this.toFloat32().subarray(start, end);
    }
    const { itemBytes } = this.dtype;
    return toFloat32(this.dtype, this.bytes(start * itemBytes, end * itemBytes));
  }

  /** Writes all elements, row-major, in float32. @throws PickleError `unsupported` when they are no numbers */
  copyTo(target: Float32Array, at = 0): void {
    const { dtype } = this;
    if (dtype.kind === "f" && dtype.itemBytes === 4 && dtype.littleEndian && !this.columnMajor) {
      const bytes = this.bytes();
      new Uint8Array(target.buffer, target.byteOffset + at * 4, bytes.length).set(bytes);
    } else {
      target.set(this.toFloat32(), at);
    }
  }

  /** Whether rows lie scattered: reading a part of the array then costs as much as reading all of it. */
  get columnMajor(): boolean {
    return this.fortran && this.shape.length > 1;
  }

  /** For arrays that a pickle creates first and fills later. */
  static fill(array: NdArray, { dtype, shape, fortran, storage }: ArrayContent): void {
    check(dtype, shape, storage);
    array.dtype = dtype;
    array.shape = shape;
    array.fortran = fortran;
    array.storage = storage;
  }

  /** What `_reconstruct` gives before its state is set. */
  static empty(): NdArray {
    return new NdArray(EMPTY);
  }

  private bytes(start?: number, end?: number): Uint8Array {
    const { storage, dtype } = this;
    if (!isSpan(storage) || !isNumeric(dtype)) {
      throw new PickleError("unsupported", `expected an array of numbers, got one of ${dtype.name}`);
    }
    return storage.read(start, end);
  }

  private rowMajor<T extends Float32Array | Float64Array | PickleValue[]>(values: T): T {
    if (!this.columnMajor) {
      return values;
    }
    const { shape } = this;
    const out = values.slice() as T;
    const steps = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
    const place = shape.map(() => 0);
    let from = 0;
    for (let at = 0; at < values.length; at++) {
      out[at] = values[from] as number;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        const [step, dim, next] = [steps[axis] as number, shape[axis] as number, (place[axis] as number) + 1];
        from += step;
        place[axis] = next;
        if (next < dim) {
          break;
        }
        place[axis] = 0;
        from -= step * dim;
      }
    }
    return out;
  }
}

const EMPTY: ArrayContent = {
  dtype: createDType("i", 1, "|"),
  shape: [0],
  fortran: false,
  storage: Bytes.of(new Uint8Array()),
};

function check(dtype: DType, shape: readonly number[], storage: Storage): void {
  const inBytes = isSpan(storage);
  const expected = inBytes ? sizeOf(shape) * dtype.itemBytes : sizeOf(shape);
  if (inBytes !== (dtype.kind === "O") && storage.length === expected && isShape(shape)) {
    return;
  }
  const text = `an array [${shape.slice(0, 8).join(", ")}] of ${dtype.name}`;
  const unit = inBytes ? "bytes" : "objects";
  if (inBytes === (dtype.kind === "O")) {
    throw new PickleError("damaged", `${text} holds ${unit}`);
  }
  const reason = isShape(shape)
    ? `needs ${expected} ${unit}, the pickle has ${storage.length}`
    : "has no possible shape";
  throw new PickleError("damaged", `${text} ${reason}`);
}

function isShape(shape: readonly number[]): boolean {
  for (const dim of shape) {
    if (!Number.isInteger(dim) || dim < 0 || dim > 2 ** 40) {
      return false;
    }
  }
  return shape.length <= 64;
}

function isSpan(storage: Storage): storage is Bytes {
  return storage instanceof Bytes;
}

function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) {
    size *= dim;
  }
  return size;
}
