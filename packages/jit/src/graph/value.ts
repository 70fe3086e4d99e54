// The edges of a graph: typed, with a static shape, and with what is known of them at trace time.

export type ElementType = "float32" | "int32" | "bool" | "int64";
export type Elements = Float32Array | Int32Array | Uint8Array | BigInt64Array;
export type Shape = readonly number[];

export interface Value {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: Shape;
  /** All elements, where they are known at trace time. */
  readonly constant?: Elements;
  /** The value of every element, where all are known to be equal. */
  readonly uniform?: number;
  /** Made on the host after the graph ran, so no node can read it. */
  readonly afterGraph?: true;
  /** The smaller value that this one repeats by broadcasting. */
  readonly expanded?: Value;
}

export interface Attributes {
  readonly [name: string]: AttributeValue;
}

/** Integers are ONNX `INT`; floats are given as `{ float }`, since 1.0 and 1 are one number here. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };

export interface Node {
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly output: Value;
  /** Outputs after the first. */
  readonly further?: readonly Value[];
  /** What the node repeats, for `Scan`. */
  readonly body?: Body;
}

/** A graph within a node. */
export interface Body {
  readonly nodes: readonly Node[];
  /** In the order in which the node feeds them. */
  readonly inputs: readonly Value[];
  readonly constants: readonly Value[];
  readonly outputs: readonly Value[];
  /** Values of the graph around it that it reads. */
  readonly captures: readonly Value[];
  /** How often a run of the node runs it. */
  readonly times: number;
}

export function outputsOf({ output, further = [] }: Node): Value[] {
  return [output, ...further];
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** @throws RangeError when the shapes do not broadcast */
export function broadcastShape(...shapes: Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    let dim = 1;
    for (const shape of shapes) {
      const own = shape[shape.length - rank + i] ?? 1;
      if (own !== 1 && dim !== 1 && own !== dim) {
        throw new RangeError(`shapes ${shapes.map((each) => `[${each.join(", ")}]`).join(" and ")} do not broadcast`);
      }
      dim = own === 1 ? dim : own;
    }
    return dim;
  });
}

/** Axis counted from the front. @throws RangeError outside −rank … rank − 1 */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(front) || front < 0 || front >= rank) {
    throw new RangeError(`axis ${axis} is outside rank ${rank}`);
  }
  return front;
}

/** Values as the element type holds them; int64 is for shapes and axes. */
export function makeElements(dtype: ElementType, values: ArrayLike<number>): Elements {
  switch (dtype) {
    case "float32":
      return Float32Array.from(values);
    case "int32":
      return Int32Array.from(values);
    case "bool":
      return Uint8Array.from(values);
    case "int64":
      return BigInt64Array.from(Array.from(values, (value) => BigInt(value)));
  }
}
