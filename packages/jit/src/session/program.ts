// A traced function compiled by ONNX Runtime: feeds arguments, host inputs and preallocated outputs, wraps results.
import type { Tensor } from "@tensorflow/tfjs-core";
import * as ort from "onnxruntime-node";
import { JitError } from "../errors.ts";
import { encodeModel } from "../graph/onnx.ts";
import { type Node, type Shape, sizeOf, type Value } from "../graph/value.ts";
import { type HostElements, HostValue } from "../host-value.ts";
import type { Result, Traced } from "../trace/trace-function.ts";
import { buildTree } from "../tree.ts";
import type { HostBackend } from "./host-backend.ts";

export interface ProgramOptions {
  /** Threads of one operation. */
  readonly threads: number | undefined;
  readonly optimization: "disabled" | "basic" | "extended" | "all";
}

/** What is known of one compiled graph. */
export interface ProgramReport {
  /** Shapes and dtypes of the tensors of the arguments, in order. */
  readonly signature: string;
  /** ONNX nodes before ONNX Runtime's own optimiser. */
  readonly nodes: number;
  /** Nodes by ONNX op. */
  readonly ops: Readonly<Record<string, number>>;
  /** Floating-point operations of the matrix products in one run. */
  readonly productFlops: number;
  readonly argumentBytes: number;
  /** Filled by the host on every run, e.g. dropout masks. */
  readonly hostInputBytes: number;
  readonly constantBytes: number;
  /** Of the constants, those that the function closed over; they were copied when it was traced. */
  readonly capturedBytes: number;
  readonly outputBytes: number;
  readonly traceMs: number;
  readonly compileMs: number;
  readonly runs: number;
}

export class Program {
  private readonly traced: Traced;
  /** Absent where nothing is left to compute: every result is an argument or a constant. */
  private readonly session: ort.InferenceSession | undefined;
  private readonly host: HostBackend;
  private readonly times: { readonly traceMs: number; readonly compileMs: number };
  private readonly signature: string;
  private runs = 0;

  private constructor(
    traced: Traced,
    session: ort.InferenceSession | undefined,
    host: HostBackend,
    about: { readonly signature: string; readonly traceMs: number; readonly compileMs: number },
  ) {
    this.traced = traced;
    this.session = session;
    this.host = host;
    this.times = about;
    this.signature = about.signature;
  }

  static async compile(
    traced: Traced,
    host: HostBackend,
    options: ProgramOptions,
    about: { readonly signature: string; readonly traceMs: number },
  ): Promise<Program> {
    if (traced.graph.outputs.length === 0) {
      return new Program(traced, undefined, host, { ...about, compileMs: 0 });
    }
    const started = performance.now();
    try {
      const session = await ort.InferenceSession.create(encodeModel(traced.graph), {
        executionProviders: ["cpu"],
        graphOptimizationLevel: options.optimization,
        ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
        logSeverityLevel: 3,
      });
      return new Program(traced, session, host, { ...about, compileMs: performance.now() - started });
    } catch (cause) {
      throw new JitError("compile", `ONNX Runtime refused the graph: ${messageOf(cause)}`, { cause });
    }
  }

  /** @param args the tensors of the arguments, as they were flattened for the trace */
  async run(args: readonly Tensor[], hostValues: readonly HostValue<unknown>[]): Promise<unknown> {
    const { graph, parameters, hostInputs, results, structure } = this.traced;
    const used = new Set(graph.inputs);
    const feeds: Record<string, ort.Tensor> = {};
    parameters.forEach((value, i) => {
      if (used.has(value)) {
        feeds[value.name] = toOrt(value, this.elementsOf(args[i] as Tensor));
      }
    });
    const drawn = hostInputs.map(({ value, source, make }, i) => {
      if (!used.has(value) && !results.some((result) => result.kind === "host-input" && result.at === i)) {
        return undefined;
      }
      const elements = make(HostValue.reveal(hostValues[source] as HostValue<unknown>));
      checkElements(elements, value);
      if (used.has(value)) {
        feeds[value.name] = toOrt(value, elements);
      }
      return elements;
    });
    const outputs = graph.outputs.map(({ dtype, shape }) => this.host.store.take(dtype, shape));
    if (this.session !== undefined) {
      await this.fetch(this.session, feeds, outputs);
    }
    this.runs += 1;
    const taken = new Set<number>();
    const wrap = (result: Result): Tensor => {
      if (result.kind === "argument") {
        const argument = args[result.at] as Tensor;
        return result.same ? argument : argument.clone();
      }
      if (result.kind === "host-input") {
        return this.copied(drawn[result.at] as HostElements, hostInputs[result.at]?.value as Value);
      }
      if (result.kind === "constant") {
        return this.copied(result.value.constant as HostElements, result.value);
      }
      const value = graph.outputs[result.at] as Value;
      const elements = outputs[result.at] as HostElements;
      if (taken.has(result.at)) {
        return this.copied(elements, value); // two results of one value get an array each
      }
      taken.add(result.at);
      return this.host.adopt(elements, value.shape, value.dtype);
    };
    return buildTree(structure, results.map(wrap));
  }

  private async fetch(
    session: ort.InferenceSession,
    feeds: Record<string, ort.Tensor>,
    outputs: readonly HostElements[],
  ): Promise<void> {
    const fetches = Object.fromEntries(
      this.traced.graph.outputs.map((value, i) => [value.name, toOrt(value, outputs[i] as HostElements)]),
    );
    try {
      await session.run(feeds, fetches);
    } catch (cause) {
      for (const elements of outputs) {
        this.host.store.give(elements);
      }
      throw new JitError("run", `ONNX Runtime failed: ${messageOf(cause)}`, { cause });
    }
  }

  private elementsOf(tensor: Tensor): HostElements {
    return this.host.peek(tensor.dataId) ?? (tensor.dataSync() as HostElements);
  }

  private copied(elements: HostElements, { shape, dtype }: Value): Tensor {
    const copy = this.host.store.take(dtype, shape);
    copy.set(elements);
    return this.host.adopt(copy, shape, dtype);
  }

  report(): ProgramReport {
    const { graph, parameters, hostInputs, capturedBytes } = this.traced;
    const ops: Record<string, number> = {};
    for (const { op } of graph.nodes) {
      ops[op] = (ops[op] ?? 0) + 1;
    }
    return {
      signature: this.signature,
      nodes: graph.nodes.length,
      ops,
      productFlops: graph.nodes.reduce((sum, node) => sum + productFlops(node), 0),
      argumentBytes: bytesOf(parameters),
      hostInputBytes: bytesOf(hostInputs.map(({ value }) => value)),
      constantBytes: bytesOf(graph.constants),
      capturedBytes,
      outputBytes: bytesOf(graph.outputs),
      ...this.times,
      runs: this.runs,
    };
  }

  async dispose(): Promise<void> {
    await this.session?.release();
  }
}

function toOrt({ dtype, shape }: Value, elements: HostElements): ort.Tensor {
  switch (dtype) {
    case "float32":
      return new ort.Tensor("float32", elements as Float32Array, shape);
    case "int32":
      return new ort.Tensor("int32", elements as Int32Array, shape);
    case "bool":
      return new ort.Tensor("bool", elements as Uint8Array, shape);
    case "int64":
      throw new Error("int64 values stay inside rules");
  }
}

function checkElements(elements: HostElements, { dtype, shape }: Value): void {
  const wanted = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, int64: BigInt64Array }[dtype];
  if (!(elements instanceof wanted) || elements.length !== sizeOf(shape)) {
    throw new JitError(
      "argument",
      `fromHost: expected a ${wanted.name} of ${sizeOf(shape)} for ${dtype}[${shape.join(", ")}], got a ` +
        `${elements.constructor.name} of ${elements.length}`,
    );
  }
}

function productFlops({ op, inputs, output, attributes }: Node): number {
  const [a] = inputs;
  if ((op !== "MatMul" && op !== "Gemm") || a === undefined) {
    return 0;
  }
  return 2 * sizeOf(output.shape) * (a.shape.at(attributes.transA === 1 ? -2 : -1) ?? 0);
}

function bytesOf(values: readonly { readonly dtype: string; readonly shape: Shape }[]): number {
  const width: Readonly<Record<string, number>> = { bool: 1, int64: 8 };
  return values.reduce((sum, { dtype, shape }) => sum + (width[dtype] ?? 4) * sizeOf(shape), 0);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
