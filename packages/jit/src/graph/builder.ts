// Builds a graph node by node, and simplifies on the way: equal nodes are made once, arithmetic on scalar constants is
// done at once, operations that change nothing give their input, and an element-wise operation reads the source of a
// repeated operand instead of the repetition. All of it keeps every bit of a result, but for the sign of a zero.
import {
  type Attributes,
  type Body,
  broadcastShape,
  type Elements,
  type ElementType,
  makeElements,
  type Node,
  type Shape,
  sameShape,
  sizeOf,
  type Value,
} from "./value.ts";

/** Constants up to this size are compared by content. */
const SHARED_CONSTANT_SIZE = 64;

export class GraphBuilder {
  readonly nodes: Node[] = [];
  private readonly made = new Map<string, Value>();
  private readonly prefix: string;
  private counter = 0;

  /** @param prefix of all names, for the body of a node: names are unique in a graph and all bodies within */
  constructor(prefix = "") {
    this.prefix = prefix;
  }

  /** A builder for the body of a node of this graph. */
  within(): GraphBuilder {
    return new GraphBuilder(`${this.nextName("b")}.`);
  }

  /** Whether the value was made here, and not by a builder around this one. */
  owns(value: Value): boolean {
    return value.name.startsWith(this.prefix);
  }

  /** A value that is fed on every run. */
  input(dtype: ElementType, shape: Shape): Value {
    return { name: this.nextName("i"), dtype, shape: [...shape] };
  }

  /** A value that a kernel on the host makes of the graph's outputs. */
  hostResult(dtype: ElementType, shape: Shape): Value {
    return { name: this.nextName("h"), dtype, shape: [...shape], afterGraph: true };
  }

  /** A value that is stored in the graph. The array is kept, not copied. */
  constant(elements: Elements, dtype: ElementType, shape: Shape): Value {
    const key =
      elements.length <= SHARED_CONSTANT_SIZE ? `c ${dtype} [${shape.join()}] ${constantKey(elements)}` : undefined;
    const known = key === undefined ? undefined : this.made.get(key);
    if (known !== undefined) {
      return known;
    }
    const uniform = dtype === "int64" ? undefined : uniformOf(elements as ArrayLike<number>);
    const value: Value = {
      name: this.nextName("c"),
      dtype,
      shape: [...shape],
      constant: elements,
      ...(uniform === undefined ? {} : { uniform }),
    };
    if (key !== undefined) {
      this.made.set(key, value);
    }
    return value;
  }

  scalar(value: number, dtype: ElementType = "float32"): Value {
    return this.constant(makeElements(dtype, [value]), dtype, []);
  }

  /** A vector of int64: shapes, axes and such, which many ONNX ops take as an input. */
  ints(values: readonly number[]): Value {
    return this.constant(makeElements("int64", values), "int64", [values.length]);
  }

  /** One value for every element. */
  full(shape: Shape, value: number, dtype: ElementType): Value {
    return this.expand(this.scalar(value, dtype), shape);
  }

  /** Appends a node with one output, or gives the equal one that is there already. */
  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    output: { readonly dtype: ElementType; readonly shape: Shape },
    attributes: Attributes = {},
    known: Pick<Value, "uniform" | "expanded"> = {},
  ): Value {
    refuseAfterGraph(inputs);
    const names = inputs.map((input) => input?.name ?? "").join(",");
    const key = `${op}(${names})${JSON.stringify(attributes)}:${output.dtype}`;
    const same = this.made.get(key);
    if (same !== undefined) {
      return same;
    }
    const value: Value = { name: this.nextName("v"), dtype: output.dtype, shape: [...output.shape], ...known };
    this.nodes.push({ op, inputs, attributes, output: value });
    this.made.set(key, value);
    return value;
  }

  /** Appends a node with several outputs. Unlike `emit`, it makes equal nodes again. */
  emitMany(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly { readonly dtype: ElementType; readonly shape: Shape }[],
    attributes: Attributes = {},
    body?: Body,
  ): Value[] {
    refuseAfterGraph(inputs);
    const values = outputs.map(({ dtype, shape }): Value => ({ name: this.nextName("v"), dtype, shape: [...shape] }));
    const [output, ...further] = values;
    this.nodes.push({ op, inputs, attributes, output: output as Value, further, ...(body && { body }) });
    return values;
  }

  reshape(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) {
      return x;
    }
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw new RangeError(`cannot reshape [${x.shape.join(", ")}] to [${shape.join(", ")}]`);
    }
    if (x.constant !== undefined) {
      return this.constant(x.constant, x.dtype, shape);
    }
    if (x.uniform !== undefined) {
      return this.full(shape, x.uniform, x.dtype);
    }
    // In ONNX a 0 copies the input's dimension unless told otherwise.
    return this.emit("Reshape", [x, this.ints(shape)], { dtype: x.dtype, shape }, { allowzero: 1 });
  }

  expand(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) {
      return x;
    }
    const source = x.expanded ?? x;
    const known = x.uniform === undefined ? { expanded: source } : { expanded: source, uniform: x.uniform };
    return this.emit("Expand", [source, this.ints(shape)], { dtype: x.dtype, shape }, {}, known);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((axis, i) => axis === i)) {
      return x;
    }
    const shape = perm.map((axis) => x.shape[axis] ?? 1);
    if (x.uniform !== undefined) {
      return this.full(shape, x.uniform, x.dtype);
    }
    return this.emit("Transpose", [x], { dtype: x.dtype, shape }, { perm: [...perm] });
  }

  cast(x: Value, dtype: ElementType): Value {
    if (x.dtype === dtype) {
      return x;
    }
    return this.emit("Cast", [x], { dtype, shape: x.shape }, { to: ONNX_TYPES[dtype] });
  }

  /** An element-wise operation on any number of operands, broadcast against each other. */
  elementwise(op: string, operands: readonly Value[], dtype?: ElementType, attributes: Attributes = {}): Value {
    const shape = broadcastShape(...operands.map((operand) => operand.shape));
    const type = dtype ?? operands[0]?.dtype ?? "float32";
    const [a, b] = operands;
    if (a !== undefined && b !== undefined && operands.length === 2) {
      const folded = this.foldScalars(op, a, b, shape) ?? this.dropNeutral(op, a, b, shape);
      if (folded !== undefined) {
        return folded;
      }
    }
    return this.emit(op, this.withoutRepetition(operands, shape), { dtype: type, shape }, attributes);
  }

  /** Reads the source of a repeated operand, as long as the others still span the result. */
  private withoutRepetition(operands: readonly Value[], shape: Shape): Value[] {
    const used = [...operands];
    used.forEach((operand, i) => {
      if (operand.expanded !== undefined) {
        const others = used.map((other, j) => (j === i ? (operand.expanded as Value) : other));
        if (sameShape(broadcastShape(...others.map((other) => other.shape)), shape)) {
          used[i] = operand.expanded;
        }
      }
    });
    return used;
  }

  private foldScalars(op: string, a: Value, b: Value, shape: Shape): Value | undefined {
    const fold = SCALAR_ARITHMETIC[op];
    if (fold === undefined || a.dtype !== "float32" || b.dtype !== "float32") {
      return undefined;
    }
    const [x, y] = [a.uniform, b.uniform];
    return x === undefined || y === undefined ? undefined : this.full(shape, Math.fround(fold(x, y)), "float32");
  }

  private dropNeutral(op: string, a: Value, b: Value, shape: Shape): Value | undefined {
    const neutral = NEUTRAL[op];
    if (neutral === undefined) {
      return undefined;
    }
    if (b.uniform === neutral.value) {
      return this.expand(a, shape);
    }
    return neutral.commutes && a.uniform === neutral.value ? this.expand(b, shape) : undefined;
  }

  private nextName(prefix: string): string {
    this.counter += 1;
    return `${this.prefix}${prefix}${this.counter}`;
  }
}

function refuseAfterGraph(inputs: readonly (Value | undefined)[]): void {
  if (inputs.some((input) => input?.afterGraph === true)) {
    throw new RangeError("an operand is the result of a kernel that runs after the graph; it can only be returned");
  }
}

/** Numbers of `TensorProto.DataType`. */
export const ONNX_TYPES: Readonly<Record<ElementType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 };

const SCALAR_ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

const NEUTRAL: Readonly<Record<string, { readonly value: number; readonly commutes: boolean }>> = {
  Add: { value: 0, commutes: true },
  Sub: { value: 0, commutes: false },
  Mul: { value: 1, commutes: true },
  Div: { value: 1, commutes: false },
};

function uniformOf(elements: ArrayLike<number>): number | undefined {
  const first = elements[0];
  if (first === undefined || Number.isNaN(first)) {
    return undefined;
  }
  for (let i = 1; i < elements.length; i++) {
    if (!Object.is(elements[i], first)) {
      return undefined;
    }
  }
  return first;
}

function constantKey(elements: Elements): string {
  return Array.from(elements as ArrayLike<number | bigint>, (value) => (Object.is(value, -0) ? "-0" : `${value}`)).join(
    " ",
  );
}
