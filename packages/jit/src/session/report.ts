// What is known of a compiled graph.
import { flopsOf } from "../graph/flops.ts";
import type { Graph } from "../graph/onnx.ts";
import { type Node, outputsOf, sizeOf, type Value } from "../graph/value.ts";
import type { Profile } from "./profile.ts";
import type { Program } from "./program.ts";
import type { Device } from "./sessions.ts";

export interface ProgramReport extends Partial<Profile> {
  readonly device: Device;
  /** Shapes and dtypes of the tensors of the arguments, in order. */
  readonly signature: string;
  /** ONNX nodes before ONNX Runtime's own optimiser. */
  readonly nodes: number;
  /** Nodes by ONNX op. */
  readonly ops: Readonly<Record<string, number>>;
  /** Calls of kernels that run on the host after the graph, by name. */
  readonly hostKernels: Readonly<Record<string, number>>;
  /** Floating-point operations of the matrix products and convolutions in one run: see `Flops`. */
  readonly productFlops: number;
  readonly argumentBytes: number;
  /** Filled by the host on every run, e.g. dropout masks. */
  readonly hostInputBytes: number;
  readonly constantBytes: number;
  /** Of the constants, those that the function closed over; they were copied when it was traced. */
  readonly capturedBytes: number;
  readonly outputBytes: number;
  /** Most bytes that values inside the graph hold at a time, in the order of its nodes, without reuse in place. */
  readonly peakValueBytes: number;
  readonly traceMs: number;
  readonly compileMs: number;
  /** Where the optimised graph came from. */
  readonly compiledBy: "runtime" | "memory" | "disk" | "nothing";
  readonly runs: number;
  /** Mean bytes that a run copies between arrays of the host and the device's, where the device is not the processor. */
  readonly copiedBytes: { readonly in: number; readonly out: number };
  /** Mean milliseconds of a run, by what was done. */
  readonly runMs: { readonly hostInputs: number; readonly graph: number; readonly hostKernels: number };
}

export type CompileReport = Pick<ProgramReport, "device" | "signature" | "traceMs" | "compileMs" | "compiledBy">;

export function reportOf(program: Program, compiled: CompileReport): ProgramReport {
  const { graph, parameters, hostInputs, hostCalls, capturedBytes } = program.traced;
  const { hostInputs: filling, graph: running, hostKernels } = program.times;
  const perRun = (total: number): number => (program.runs === 0 ? 0 : total / program.runs);
  const isDevice = compiled.device !== "cpu";
  return {
    ...compiled,
    ...program.profile,
    nodes: withBodies(graph.nodes).length,
    ops: countBy(withBodies(graph.nodes).map(({ op }) => op)),
    hostKernels: countBy(hostCalls.map(({ kernelName }) => kernelName)),
    productFlops: flopsOf(graph.nodes).products,
    argumentBytes: bytesOf(parameters),
    hostInputBytes: bytesOf(hostInputs.map(({ value }) => value)),
    constantBytes: bytesOf(graph.constants),
    capturedBytes,
    outputBytes: bytesOf(graph.outputs),
    peakValueBytes: peakBytes(graph),
    runs: program.runs,
    copiedBytes: {
      in: isDevice ? perRun(program.copiedBytes.in) : 0,
      out: isDevice ? perRun(program.copiedBytes.out) : 0,
    },
    runMs: { hostInputs: perRun(filling), graph: perRun(running), hostKernels: perRun(hostKernels) },
  };
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** The nodes, and those of loop bodies, once each. */
function withBodies(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...withBodies(node.body?.nodes ?? [])]);
}

/** Bytes of the values that are alive at a time; outputs lie in memory of their own. */
export function peakBytes({ nodes, outputs }: Pick<Graph, "nodes" | "outputs">): number {
  const lastUse = new Map<Value, number>();
  const readBy = ({ inputs, body }: Node) => new Set([...inputs, ...(body?.captures ?? [])]);
  nodes.forEach((node, i) => {
    for (const input of readBy(node)) {
      if (input !== undefined) {
        lastUse.set(input, i);
      }
    }
  });
  const apart = new Set(outputs);
  const inside = new Set(nodes.flatMap(outputsOf).filter((value) => !apart.has(value)));
  let alive = 0;
  let peak = 0;
  nodes.forEach((node, i) => {
    alive += bytesOf(outputsOf(node).filter((value) => inside.has(value)));
    peak = Math.max(peak, alive);
    for (const input of readBy(node)) {
      alive -= input !== undefined && inside.has(input) && lastUse.get(input) === i ? bytesOf([input]) : 0;
    }
  });
  return peak;
}

export function bytesOf(values: readonly Pick<Value, "dtype" | "shape">[]): number {
  const width: Readonly<Record<string, number>> = { bool: 1, int64: 8 };
  return values.reduce((sum, { dtype, shape }) => sum + (width[dtype] ?? 4) * sizeOf(shape), 0);
}
