// One run of a function on placeholders: what its kernels append, and which inputs its graph needs.
import { engine, type Tensor, type TensorInfo, Variable } from "@tensorflow/tfjs-core";
import { JitError } from "../errors.ts";
import { GraphBuilder } from "../graph/builder.ts";
import type { Elements, ElementType, Shape, Value } from "../graph/value.ts";
import type { HostAttributes, HostCall, HostKernel } from "../host-kernels/host-kernel.ts";
import type { HostDtype, HostElements, HostValue } from "../host-value.ts";
import { describeTensor } from "./describe.ts";
import type { OpenLoop } from "./loops.ts";
import { userLine } from "./where.ts";

/** An input of the graph that the host fills on every run. */
export interface HostInput {
  readonly value: Value;
  /** Which host value it is made of. */
  readonly source: number;
  readonly fill: (revealed: unknown, out: HostElements) => void;
}

export interface TraceOptions {
  /** True for devices on which state stays, so that nothing is left to do on the host after the graph. */
  readonly allInGraph?: boolean;
}

interface Entry {
  readonly value: Value;
  references: number;
}

export class Trace {
  /** Of the graph, then of the bodies of loops that are open, the innermost last. */
  private readonly builders = [new GraphBuilder()];
  /** Loops whose body is being traced, the innermost last. */
  readonly openLoops: OpenLoop[] = [];
  readonly hostInputs: HostInput[] = [];
  readonly hostCalls: HostCall[] = [];
  /** Weights that nodes of the graph update. */
  readonly trained: Value[] = [];
  /** Bytes of tensors from outside that became constants of the graph. */
  capturedBytes = 0;
  private readonly entries = new Map<object, Entry>();
  private readonly hostValues: readonly HostValue<unknown>[];
  /** Kernels that can run on the host after the graph become nodes of it. */
  private readonly allInGraph: boolean;

  constructor(hostValues: readonly HostValue<unknown>[], { allInGraph = false }: TraceOptions = {}) {
    this.hostValues = hostValues;
    this.allInGraph = allInGraph;
  }

  /** Where kernels append their nodes: the graph, or the body of the innermost loop. */
  get builder(): GraphBuilder {
    return this.builders.at(-1) as GraphBuilder;
  }

  /** What follows is the body of a loop, until `closeBody`. */
  openBody(): void {
    this.builders.push(this.builder.within());
  }

  /** @returns the builder of the body */
  closeBody(): GraphBuilder {
    if (this.builders.length < 2) {
      throw new RangeError("no loop is open");
    }
    return this.builders.pop() as GraphBuilder;
  }

  /** Number of data ids that tensors hold. */
  get size(): number {
    return this.entries.size;
  }

  /** A tensor that stands for a value of the graph. */
  tensorOf(value: Value): Tensor {
    return engine().makeTensorFromTensorInfo(this.infoOf(value));
  }

  infoOf(value: Value): TensorInfo {
    if (value.dtype === "int64") {
      throw new Error("int64 values stay inside rules");
    }
    const dataId = {};
    this.entries.set(dataId, { value, references: 1 });
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }

  /** The value that a kernel's operand stands for; a tensor from outside becomes a constant. */
  valueOf(tensor: TensorInfo): Value {
    const entry = this.entries.get(tensor.dataId);
    if (entry !== undefined) {
      // A reshape by tfjs itself keeps the data and changes the shape of the handle.
      return this.builder.reshape(entry.value, tensor.shape);
    }
    return this.capture(tensor);
  }

  private capture(tensor: TensorInfo): Value {
    if (tensor instanceof Variable) {
      throw new JitError(
        "capture",
        `the traced function uses the variable "${tensor.name}", whose value may change; pass it as an argument`,
        { where: userLine() },
      );
    }
    const dtype = elementType(tensor);
    const read = engine().readSync(tensor.dataId) as Elements;
    const constant = this.builder.constant(read.slice(), dtype, tensor.shape);
    this.capturedBytes += read.byteLength;
    return constant;
  }

  /** A constant that the function makes of numbers. */
  write(values: unknown, shape: Shape, dtype: string): object {
    const type = elementType({ shape: [...shape], dtype });
    if (!ArrayBuffer.isView(values)) {
      throw new JitError("unsupported-kernel", `a tensor of ${dtype} cannot be made in a traced function`, {
        where: userLine(),
      });
    }
    return this.infoOf(this.builder.constant(values as unknown as Elements, type, shape)).dataId;
  }

  hostInput(source: HostValue<unknown>, shape: Shape, dtype: HostDtype, fill: HostInput["fill"]): Tensor {
    this.refuseInLoop("a host value");
    const at = this.hostValues.indexOf(source);
    if (at < 0) {
      throw new JitError("capture", "fromHost: the host value is no argument of the traced function", {
        where: userLine(),
      });
    }
    const value = this.builder.input(dtype, shape);
    this.hostInputs.push({ value, source: at, fill });
    return this.tensorOf(value);
  }

  /** Appends a call of a kernel that runs on the host after the graph, or its nodes. */
  hostCall(kernelName: string, kernel: HostKernel, inputs: readonly Value[], attributes: HostAttributes): Value[] {
    this.refuseInLoop(`the kernel ${kernelName}`);
    const made = kernel.outputs(inputs, attributes);
    if (this.allInGraph) {
      const results = kernel.nodes(this.builder, inputs, attributes);
      this.trained.push(results[0] as Value);
      return [...results];
    }
    const outputs = made.map(({ dtype, shape }) => this.builder.hostResult(dtype, shape));
    const of = made.map((each) => inputs[each.of] as Value);
    this.hostCalls.push({ kernelName, kernel, inputs, outputs, of, attributes });
    return outputs;
  }

  private refuseInLoop(what: string): void {
    if (this.builders.length > 1) {
      throw new JitError("unsupported-kernel", `${what} belongs before or after a loop, not into its body`, {
        where: userLine(),
      });
    }
  }

  references(dataId: object): number {
    return this.entries.get(dataId)?.references ?? 0;
  }

  retain(dataId: object): void {
    const entry = this.entries.get(dataId);
    if (entry !== undefined) {
      entry.references += 1;
    }
  }

  /** @returns whether the data are gone */
  release(dataId: object, force: boolean): boolean {
    const entry = this.entries.get(dataId);
    if (entry === undefined) {
      return true;
    }
    entry.references -= 1;
    if (!force && entry.references > 0) {
      return false;
    }
    return this.entries.delete(dataId);
  }
}

/** The dtypes that a graph can carry. @throws JitError for strings and complex numbers */
export function elementType(tensor: { readonly shape: readonly number[]; readonly dtype: string }): ElementType {
  if (tensor.dtype === "float32" || tensor.dtype === "int32" || tensor.dtype === "bool") {
    return tensor.dtype;
  }
  throw new JitError("argument", `a compiled function has no tensors of ${describeTensor(tensor)}`, {
    where: userLine(),
  });
}
