// Runs a function once on placeholders and gives its graph.
import { engine, getBackend, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { JitError } from "../errors.ts";
import { type Graph, pruneGraph } from "../graph/onnx.ts";
import type { Value } from "../graph/value.ts";
import { buildTree, type FlatTree, flattenTree, type Structure } from "../tree.ts";
import { registerTraceBackend, TRACE_BACKEND } from "./backend.ts";
import { currentTrace, withTrace } from "./current.ts";
import { elementType, type HostInput, Trace } from "./trace.ts";

/** Where a tensor of the result comes from. */
export type Result =
  /** An argument that comes out as it went in; `same`: the very tensor, else a clone of it. */
  | { readonly kind: "argument"; readonly at: number; readonly same: boolean }
  | { readonly kind: "host-input"; readonly at: number }
  | { readonly kind: "constant"; readonly value: Value }
  | { readonly kind: "output"; readonly at: number };

export interface Traced {
  readonly graph: Graph;
  /** Per tensor of the arguments, the value that it feeds. */
  readonly parameters: readonly Value[];
  readonly hostInputs: readonly HostInput[];
  readonly structure: Structure;
  readonly results: readonly Result[];
  readonly capturedBytes: number;
}

/** @throws JitError where the function cannot be traced */
export function traceFunction(fn: (...args: never[]) => unknown, args: FlatTree): Traced {
  if (currentTrace() !== undefined) {
    throw new JitError("nested", "a compiled function was called inside another one; call the plain function there");
  }
  registerTraceBackend();
  const trace = new Trace(args.hostValues);
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
      flat = flattenTree(result, "the result");
      if (flat.hostValues.length > 0) {
        throw new JitError("argument", "a compiled function must not return a host value");
      }
      leftovers.push(...flat.tensors);
      return [...flat.tensors];
    });
    const { structure, tensors } = flat as unknown as FlatTree;
    const outputs: Value[] = [];
    const results = tensors.map((tensor): Result => {
      const value = trace.valueOf(tensor);
      const at = parameters.indexOf(value);
      if (at >= 0) {
        return { kind: "argument", at, same: tensor === placeholders[at] };
      }
      const hostInput = trace.hostInputs.findIndex((input) => input.value === value);
      if (hostInput >= 0) {
        return { kind: "host-input", at: hostInput };
      }
      if (value.constant !== undefined) {
        return { kind: "constant", value };
      }
      const known = outputs.indexOf(value);
      return { kind: "output", at: known >= 0 ? known : outputs.push(value) - 1 };
    });
    const { hostInputs, capturedBytes } = trace;
    return { graph: pruneGraph(trace.builder, outputs), parameters, hostInputs, structure, results, capturedBytes };
  } finally {
    for (const tensor of leftovers) {
      tensor.dispose();
    }
  }
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
