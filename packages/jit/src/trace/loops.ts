// Loops whose body is traced once, as ONNX's Scan, however many steps they have. A traced function calls two kernels by
// tfjs's `engine().runKernel`, and what it computes between them is the body:
//
// LoopBegin(carry 0 … carries − 1, sequences [steps, …]), attributes carries, reverse:
//   gives placeholders for the carry and for one step of each sequence.
// LoopEnd(next carry 0 … carries − 1, outputs of the step):
//   gives the outputs of all steps, [steps, …] each, in the order of the sequences.
//
// With `reverse` the last step comes first. The body may read every value from before the loop. Loops may lie in bodies.
import { pruneBody } from "../graph/onnx.ts";
import { sameShape, type Value } from "../graph/value.ts";
import type { Trace } from "./trace.ts";

/** A loop between its two kernels. */
export interface OpenLoop {
  /** Initial carry, then sequences. */
  readonly operands: readonly Value[];
  /** What stands for them in the body. */
  readonly placeholders: readonly Value[];
  readonly carries: number;
  readonly steps: number;
  readonly reverse: boolean;
}

type LoopKernel = (
  trace: Trace,
  inputs: ReadonlyMap<string, Value>,
  attributes: Readonly<Record<string, unknown>>,
) => Value[];

function beginLoop(
  trace: Trace,
  inputs: ReadonlyMap<string, Value>,
  attributes: Readonly<Record<string, unknown>>,
): Value[] {
  const operands = [...inputs.values()];
  const { carries, reverse } = attributes;
  if (typeof carries !== "number" || typeof reverse !== "boolean") {
    throw new RangeError("expected the attributes carries (a number) and reverse (a boolean)");
  }
  const sequences = operands.slice(carries);
  const steps = sequences[0]?.shape[0];
  if (steps === undefined || sequences.some(({ shape }) => shape[0] !== steps)) {
    throw new RangeError("expected sequences with one number of steps as their first axis");
  }
  trace.openBody();
  const placeholders = operands.map(({ dtype, shape }, i) =>
    trace.builder.input(dtype, i < carries ? shape : shape.slice(1)),
  );
  trace.openLoops.push({ operands, placeholders, carries, steps, reverse });
  return placeholders;
}

function endLoop(trace: Trace, inputs: ReadonlyMap<string, Value>): Value[] {
  const made = [...inputs.values()];
  const loop = trace.openLoops.pop();
  if (loop === undefined) {
    throw new RangeError("no loop was begun");
  }
  const { operands, placeholders, carries, steps, reverse } = loop;
  const body = trace.closeBody();
  for (const [i, value] of made.slice(0, carries).entries()) {
    const { shape, dtype } = placeholders[i] as Value;
    if (dtype !== value.dtype || !sameShape(shape, value.shape)) {
      throw new RangeError(`carry ${i} changes from [${shape.join(", ")}] to [${value.shape.join(", ")}]`);
    }
  }
  // Every output of a body has a node of its own.
  const outputs = made.map((value) => body.emitMany("Identity", [value], [value])[0] as Value);
  const scans = operands.length - carries;
  const direction = reverse ? 1 : 0;
  const results = trace.builder.emitMany(
    "Scan",
    operands,
    outputs.map(({ dtype, shape }, i) => ({ dtype, shape: i < carries ? shape : [steps, ...shape] })),
    {
      num_scan_inputs: scans,
      scan_input_directions: new Array<number>(scans).fill(direction),
      scan_output_directions: new Array<number>(outputs.length - carries).fill(direction),
    },
    pruneBody(body, placeholders, outputs, steps),
  );
  return results.slice(carries);
}

export const LOOP_KERNELS: ReadonlyMap<string, LoopKernel> = new Map([
  ["LoopBegin", beginLoop],
  ["LoopEnd", endLoop],
]);
