// Small questions to values of a pickle: what field files mean by ids, labels, vectors.
import { describeValue, NdArray, type PickleValue } from "@merclab/pickle";
import { LayoutError } from "./layout-error.ts";

/** A dict's or list's content by its names; undefined for anything else. */
export function isDict(value: PickleValue | undefined): value is Map<PickleValue, PickleValue> {
  return value instanceof Map;
}

/** Items of a list, tuple, set or one-axis array. */
export function itemsOf(value: PickleValue | undefined, what: string): PickleValue[] {
  if (Array.isArray(value)) {
    return value;
  }
  if (value instanceof Set) {
    // Sets have no order of their own: Python's changes from run to run.
    return [...value].sort((a, b) => (plainText(a) < plainText(b) ? -1 : 1));
  }
  if (value instanceof NdArray && value.shape.length === 1) {
    return value.toValues();
  }
  throw new LayoutError(`${what}: expected a list, got ${value === undefined ? "nothing" : describeValue(value)}`);
}

/** A key as text, to compare and to show; containers, which may be nested without end, by what they are. */
export function plainText(value: PickleValue | undefined): string {
  return typeof value === "object" && value !== null ? describeValue(value, 0) : String(value);
}

/** A number, alone or in a list of one; NaN for anything else. */
export function plainNumber(value: PickleValue | undefined): number {
  const [single] = Array.isArray(value) && value.length === 1 ? value : [value];
  return typeof single === "number" || typeof single === "bigint" || typeof single === "boolean"
    ? Number(single)
    : Number.NaN;
}

/** Ids are texts or integers. */
export function idOf(value: PickleValue | undefined, what: string): string {
  if (typeof value === "string" || typeof value === "bigint" || Number.isInteger(value)) {
    return String(value).trim();
  }
  if (value instanceof NdArray && value.size === 1 && value.dtype.kind !== "O") {
    return idOf(value.toValues()[0], what);
  }
  throw new LayoutError(`${what}: expected an id, got ${value === undefined ? "nothing" : describeValue(value)}`);
}

export function textOf(value: PickleValue | undefined, what: string): string {
  if (typeof value === "string") {
    return value;
  }
  if (value instanceof NdArray && value.size === 1 && value.dtype.kind !== "O") {
    return textOf(value.toValues()[0], what);
  }
  // Sentences are sometimes stored as lists of words.
  if (Array.isArray(value) && value.every((word) => typeof word === "string")) {
    return value.join(" ");
  }
  throw new LayoutError(`${what}: expected a text, got ${value === undefined ? "nothing" : describeValue(value)}`);
}

export function numberOf(value: PickleValue | undefined, what: string): number {
  if (typeof value === "number" || typeof value === "boolean") {
    return Number(value);
  }
  if (value instanceof NdArray && value.size === 1 && value.isNumeric) {
    return value.toFloat64()[0] ?? Number.NaN;
  }
  if (Array.isArray(value) && value.length === 1 && !Array.isArray(value[0])) {
    return numberOf(value[0], what);
  }
  throw new LayoutError(`${what}: expected a number, got ${value === undefined ? "nothing" : describeValue(value)}`);
}

/** A vector of a few numbers, such as a one-hot speaker. */
export function numbersOf(value: PickleValue | undefined, what: string): number[] {
  if (value instanceof NdArray && value.isNumeric) {
    return [...value.toFloat64()];
  }
  return itemsOf(value, what).map((item) => numberOf(item, what));
}

/** One feature vector's width; undefined when it is none. Axes of length 1 are left out of sight. */
export function widthOf(vector: PickleValue | undefined): number | undefined {
  if (vector instanceof NdArray) {
    return vector.isNumeric && vector.shape.filter((dim) => dim !== 1).length <= 1 ? vector.size : undefined;
  }
  return Array.isArray(vector) && vector.every((item) => typeof item === "number") ? vector.length : undefined;
}

/** Vectors of a dialogue, as a list of vectors or one matrix. */
export class VectorList {
  readonly length: number;
  readonly width: number;
  private readonly value: NdArray | readonly PickleValue[];

  constructor(value: PickleValue | undefined, what: string) {
    if (value instanceof NdArray && value.isNumeric && value.shape.length === 2) {
      this.length = value.shape[0] ?? 0;
      this.width = value.shape[1] ?? 0;
      this.value = value;
      return;
    }
    const items = value instanceof NdArray && value.dtype.kind === "O" ? value.toValues() : value;
    if (!Array.isArray(items)) {
      throw new LayoutError(`${what}: expected vectors, got ${value === undefined ? "nothing" : describeValue(value)}`);
    }
    const widths = new Set(items.map(widthOf));
    const [width, other] = [...widths];
    if (items.length > 0 && (width === undefined || widths.size > 1)) {
      const found = widths.has(undefined)
        ? describeValue(items.find((item) => widthOf(item) === undefined) ?? null)
        : `${width} and ${other}`;
      throw new LayoutError(`${what}: expected vectors of one width, got ${found}`);
    }
    this.length = items.length;
    this.width = width ?? 0;
    this.value = items;
  }

  /** Row-major `[length, width]`. */
  read(): Float32Array {
    const { value } = this;
    if (value instanceof NdArray) {
      return value.toFloat32();
    }
    const out = new Float32Array(this.length * this.width);
    for (const [row, vector] of value.entries()) {
      if (vector instanceof NdArray) {
        vector.copyTo(out, row * this.width);
      } else {
        out.set(vector as number[], row * this.width);
      }
    }
    return out;
  }
}
