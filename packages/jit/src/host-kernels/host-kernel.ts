// Kernels that run on the host after the graph, on its outputs and on arguments. They may write over what was donated,
// as an optimiser does with weights and moments, which saves the graph a dozen passes over them.
import type { GraphBuilder } from "../graph/builder.ts";
import type { Shape, Value } from "../graph/value.ts";
import type { HostDtype, HostElements } from "../host-value.ts";

export type HostAttributes = Readonly<Record<string, unknown>>;

export interface HostOutput {
  readonly dtype: HostDtype;
  readonly shape: Shape;
  /** The operand that it is made of. */
  readonly of: number;
}

export interface HostKernel {
  /** Names of the operands, in the order in which the other members get them. */
  readonly inputs: readonly string[];
  /**
   * dtypes and shapes of the results, each as one of the operands: the result takes that operand's memory, with its
   * content, where nobody needs it any more, else a copy.
   *
   * @throws RangeError for operands that do not fit together, and for attributes that are missing
   */
  outputs(inputs: readonly Value[], attributes: HostAttributes): readonly HostOutput[];
  /** The same results as nodes, for devices on which state stays; the first one is what is trained. */
  nodes(graph: GraphBuilder, inputs: readonly Value[], attributes: HostAttributes): readonly Value[];
  /** @param outputs hold what the operands they were made of held, and may be their memory */
  run(call: {
    readonly inputs: readonly HostElements[];
    readonly outputs: readonly HostElements[];
    readonly attributes: HostAttributes;
    /** Where all of the arrays lie; absent when some do not lie in the heap. */
    readonly memory?: WebAssembly.Memory;
  }): void;
}

/** A kernel with its operands in one trace. */
export interface HostCall {
  readonly kernelName: string;
  readonly kernel: HostKernel;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Per result, the operand that it is made of. */
  readonly of: readonly Value[];
  readonly attributes: HostAttributes;
}
