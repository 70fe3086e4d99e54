// Runs a function once on placeholders and gives its graph.
import { engine, getBackend, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { JitError } from "../errors.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { type Graph, pruneGraph } from "../graph/onnx.ts";
import type { Value } from "../graph/value.ts";
import type { HostCall } from "../host-kernels/host-kernel.ts";
import { buildTree, type FlatTree, flattenTree, type Structure } from "../tree.ts";
import { registerTraceBackend, TRACE_BACKEND } from "./backend.ts";
import { currentTrace, withTrace } from "./current.ts";
import { elementType, type HostInput, Trace, type TraceOptions } from "./trace.ts";

/** Where a tensor of the result comes from. */
export type Result =
  /** An argument that comes out as it went in; `same`: the very tensor, else a clone of it. */
  | { readonly kind: "argument"; readonly at: number; readonly same: boolean }
  /** A constant, what the host filled, or what the graph or a host kernel made. */
  | { readonly kind: "value"; readonly value: Value };

export interface Traced {
  readonly graph: Graph;
  /** Per tensor of the arguments, the value that it feeds. */
  readonly parameters: readonly Value[];
  readonly hostInputs: readonly HostInput[];
  /** What runs after the graph, in order; only what a result needs. */
  readonly hostCalls: readonly HostCall[];
  readonly structure: Structure;
  readonly results: readonly Result[];
  readonly capturedBytes: number;
  /** An output that is finite where all weights are that the graph updates; absent where it updates none. */
  readonly finiteness: Value | undefined;
}

/** @throws JitError where the function cannot be traced */
export function traceFunction(fn: (...args: never[]) => unknown, args: FlatTree, options: TraceOptions = {}): Traced {
  if (currentTrace() !== undefined) {
    throw new JitError("nested", "a compiled function was called inside another one; call the plain function there");
  }
  registerTraceBackend();
  const trace = new Trace(args.hostValues, options);
  return withTrace(trace, () => onTraceBackend(() => runOnPlaceholders(trace, fn, args)));
}

function runOnPlaceholders(trace: Trace, fn: (...args: never[]) => unknown, args: FlatTree): Traced {
  const parameters = args.tensors.map((tensor) => trace.builder.input(elementType(tensor), tensor.shape));
  const leftovers: Tensor[] = [];
  try {
    let placeholders: Tensor[] = [];
    let flat: FlatTree | undefined;
    tidy(() => {
      placeholders = parameters.map((value) => trace.tensorOf(value));
      const result = fn(...(buildTree(args.structure, placeholders, args.hostValues) as never[]));
      if (result instanceof Promise) {
        throw new JitError("read", "a compiled function must be synchronous, got a promise");
      }
      if (trace.openLoops.length > 0) {
        throw new JitError("unsupported-kernel", "a loop was begun and not ended; LoopEnd belongs to every LoopBegin");
      }
      flat = flattenTree(result, "the result");
      if (flat.hostValues.length > 0) {
        throw new JitError("argument", "a compiled function must not return a host value");
      }
      leftovers.push(...flat.tensors);
      return [...flat.tensors];
    });
    const { structure, tensors } = flat as unknown as FlatTree;
    const results = tensors.map((tensor): Result => {
      const value = trace.valueOf(tensor);
      const at = parameters.indexOf(value);
      return at >= 0 ? { kind: "argument", at, same: tensor === placeholders[at] } : { kind: "value", value };
    });
    const values = results.flatMap((result) => (result.kind === "value" ? [result.value] : []));
    const hostCalls = neededCalls(trace.hostCalls, values);
    const known = new Set([...parameters, ...trace.hostInputs.map(({ value }) => value)]);
    const finiteness = sumOfAll(
      trace.builder,
      trace.trained.filter((value) => values.includes(value)),
    );
    const checked = finiteness === undefined ? [] : [finiteness];
    const outputs = new Set(
      [...values, ...checked, ...hostCalls.flatMap(({ inputs }) => inputs)].filter(
        (value) => value.constant === undefined && value.afterGraph !== true && !known.has(value),
      ),
    );
    const graph = pruneGraph(trace.builder, [...outputs]);
    const { hostInputs, capturedBytes } = trace;
    return { graph, parameters, hostInputs, hostCalls, structure, results, capturedBytes, finiteness };
  } finally {
    for (const tensor of leftovers) {
      tensor.dispose();
    }
  }
}

/** One number, which NaN and infinity anywhere make NaN or infinite. */
function sumOfAll(graph: GraphBuilder, values: readonly Value[]): Value | undefined {
  const sums = values.map((value) =>
    graph.emit("ReduceSum", [value], { dtype: value.dtype, shape: [] }, { keepdims: 0 }),
  );
  return sums.length === 0 ? undefined : sums.reduce((a, b) => graph.elementwise("Add", [a, b]));
}

/** The calls that results depend on. */
function neededCalls(calls: readonly HostCall[], results: readonly Value[]): HostCall[] {
  const needed = new Set(results);
  return [...calls]
    .reverse()
    .filter(({ inputs, outputs }) => {
      const used = outputs.some((output) => needed.has(output));
      if (used) {
        for (const input of inputs) {
          needed.add(input);
        }
      }
      return used;
    })
    .reverse();
}

/** tfjs changes the backend before the first await of `setBackend` where the backend itself starts synchronously. */
function onTraceBackend<R>(run: () => R): R {
  const before = getBackend();
  void engine().setBackend(TRACE_BACKEND);
  if (getBackend() !== TRACE_BACKEND) {
    throw new Error(`tfjs did not switch to ${TRACE_BACKEND}`);
  }
  try {
    return run();
  } finally {
    void engine().setBackend(before);
  }
}
