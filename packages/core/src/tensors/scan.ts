// A step that is repeated along the first axis, as recurrences are. An engine that compiles traces the step once, for the
// values and once more for the gradients, whatever the number of steps; elsewhere it is run as often as there are steps.
//
// Gradients are those of backpropagation through time: the carries are kept, each step is computed again on the way
// back. The weights' gradients are one product over all steps after the loop, instead of a sum of as many matrices.
import {
  add,
  customGrad,
  engine,
  type GradSaveFunc,
  getBackend,
  getKernel,
  matMul,
  mul,
  type NamedTensorMap,
  reshape,
  stack,
  sum,
  type Tensor,
  tidy,
  transpose,
  unstack,
  zeros,
  zerosLike,
} from "@tensorflow/tfjs-core";

/** What is learned within a step: x·weight + bias, once per step. */
export interface Product {
  /** `[inDim, outDim]`, or `[sequences, inDim, outDim]` for sequences with weights of their own. */
  readonly weight: Tensor;
  /** `[outDim]`, or `[sequences, 1, outDim]`. */
  readonly bias?: Tensor;
}

/** What a step computes from: its part of every sequence, without the first axis. */
export interface Step {
  /** What the step before gave; zeros at first. */
  readonly carry: readonly Tensor[];
  readonly inputs: readonly Tensor[];
  readonly fixed: readonly Tensor[];
  /** Product number `at` of `x [(sequences,) rows, inDim]`. Each must be used once in a step. */
  product(at: number, x: Tensor): Tensor;
}

export interface Scan {
  /** Shapes of what is carried from step to step. */
  readonly carry: readonly (readonly number[])[];
  /** `[time, …]` each, with gradients. */
  readonly inputs: readonly Tensor[];
  /** `[time, …]` each, without: masks. */
  readonly fixed?: readonly Tensor[];
  readonly products: readonly Product[];
  /** A pure function of what it is given, and of nothing else that has a gradient. */
  step(step: Step): { readonly carry: readonly Tensor[]; readonly output: Tensor };
}

/** The outputs of all steps, `[time, …]`. */
export function scan({ carry, inputs, fixed = [], products, step }: Scan): Tensor {
  const weights = products.map(({ weight }) => weight);
  const biases = products.flatMap(({ bias }) => (bias === undefined ? [] : [bias]));
  const numInputs = inputs.length;
  const shifted: number[][] = []; // shapes of the products' results
  const run = customGrad((...all) => {
    const save = all.pop() as GradSaveFunc;
    const given = all as Tensor[];
    const [ownInputs, ownProducts] = [given.slice(0, numInputs), regroup(products, given.slice(numInputs))];
    const start = carry.map((shape) => zeros([...shape]));
    const [value, ...states] = loop(start, [...ownInputs, ...fixed], false, (state, parts) => {
      const operands: Tensor[] = [];
      const next = step({
        carry: state,
        inputs: parts.slice(0, numInputs),
        fixed: parts.slice(numInputs),
        product: (at, x) => {
          operands[at] = x;
          const made = apply(ownProducts[at] as Product, x);
          shifted[at] = made.shape;
          return made;
        },
      });
      return { carry: next.carry, outputs: [next.output, ...state, ...operands] };
    });
    save([...given, ...fixed, ...states]);
    return {
      value: value as Tensor,
      gradFunc: (dy, saved) => {
        const rest = [...(saved as Tensor[])];
        const keptInputs = rest.splice(0, numInputs);
        const keptProducts = regroup(products, rest.splice(0, weights.length + biases.length));
        const keptFixed = rest.splice(0, fixed.length);
        const before = rest.splice(0, carry.length);
        const kept = { inputs: keptInputs, fixed: keptFixed, before, operands: rest, products: keptProducts, shifted };
        return backward(step, dy as Tensor, kept);
      },
    };
  });
  return run(...inputs, ...weights, ...biases);
}

/** Products with other tensors in the place of theirs: all weights, then all biases. */
function regroup(products: readonly Product[], tensors: readonly Tensor[]): Product[] {
  let bias = products.length;
  return products.map((product, at) => {
    const weight = tensors[at] as Tensor;
    return product.bias === undefined ? { weight } : { weight, bias: tensors[bias++] as Tensor };
  });
}

function apply({ weight, bias }: Product, x: Tensor): Tensor {
  const product = matMul(x, weight);
  return bias === undefined ? product : add(product, bias);
}

/** Gradients by inputs, weights and biases. */
function backward(
  step: Scan["step"],
  dy: Tensor,
  given: {
    readonly inputs: readonly Tensor[];
    readonly fixed: readonly Tensor[];
    /** Carries before each step. */
    readonly before: readonly Tensor[];
    /** What each product was given. */
    readonly operands: readonly Tensor[];
    readonly products: readonly Product[];
    readonly shifted: readonly (readonly number[])[];
  },
): Tensor[] {
  const { inputs, fixed, before, operands, products, shifted } = given;
  const [numInputs, numCarries] = [inputs.length, before.length];
  const start = before.map((each) => zeros(each.shape.slice(1)));
  const made = loop(start, [dy, ...inputs, ...before, ...fixed], true, (dCarry, [dOutput, ...parts]) => {
    const [stepInputs, carry] = [parts.slice(0, numInputs), parts.slice(numInputs, numInputs + numCarries)];
    // Shifts of the products, zeros: their gradients are those of the products' results.
    const shifts = shifted.map((shape) => zeros([...shape]));
    const gradients = pullBack(
      () => {
        const next = step({
          carry,
          inputs: stepInputs,
          fixed: parts.slice(numInputs + numCarries),
          product: (at, x) => add(apply(products[at] as Product, x), shifts[at] as Tensor),
        });
        return [...next.carry, next.output];
      },
      [...carry, ...stepInputs, ...shifts],
      [...dCarry, dOutput as Tensor],
    );
    return { carry: gradients.slice(0, numCarries), outputs: gradients.slice(numCarries) };
  });
  const [dInputs, dProducts] = [made.slice(0, numInputs), made.slice(numInputs)];
  const dWeights = products.map((_, at) =>
    matMul(overTime(operands[at] as Tensor), overTime(dProducts[at] as Tensor), true),
  );
  const dBiases = products.flatMap(({ bias }, at) =>
    bias === undefined ? [] : [reshape(sum(overTime(dProducts[at] as Tensor), -2), bias.shape)],
  );
  return [...dInputs, ...dWeights, ...dBiases];
}

/** `[time, (sequences,) rows, dim]` to `[(sequences,) time · rows, dim]`. */
function overTime(x: Tensor): Tensor {
  if (x.shape.length === 3) {
    return reshape(x, [-1, x.shape[2] as number]);
  }
  const [time, sequences, batch, dim] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [1, 0, 2, 3]), [sequences, time * batch, dim]);
}

/** Gradients of the outputs' sum, weighted by `upstream`, by each of `xs`; within a gradient, which tfjs lacks. */
function pullBack(fn: () => Tensor[], xs: Tensor[], upstream: readonly Tensor[]): Tensor[] {
  const { state } = engine();
  const tape = state.activeTape; // tfjs forgets it when an inner gradient is done
  try {
    const { grads, value } = engine().gradients(
      () => {
        const outputs = fn();
        return outputs
          .map((output, i) => sum(mul(output, upstream[i] as Tensor)))
          .reduce((total, term) => add(total, term));
      },
      xs,
      undefined,
      true,
    );
    value.dispose();
    return grads.map((gradient, i) => (gradient as Tensor | null) ?? zerosLike(xs[i] as Tensor));
  } finally {
    state.activeTape = tape;
  }
}

interface Turn {
  readonly carry: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** Runs the step along the first axis of `sequences`, from the end where `reverse`. @returns outputs, stacked */
function loop(
  start: readonly Tensor[],
  sequences: readonly Tensor[],
  reverse: boolean,
  turn: (carry: Tensor[], parts: Tensor[]) => Turn,
): Tensor[] {
  if (getKernel("LoopBegin", getBackend()) !== undefined) {
    const placeholders = runKernel("LoopBegin", [...start, ...sequences], { carries: start.length, reverse });
    const { carry, outputs } = turn(placeholders.slice(0, start.length), placeholders.slice(start.length));
    return runKernel("LoopEnd", [...carry, ...outputs]);
  }
  const parts = sequences.map((sequence) => unstack(sequence));
  const steps = parts[0]?.length ?? 0;
  const outputs: Tensor[][] = [];
  let carry: Tensor[] = [...start];
  for (let turned = 0; turned < steps; turned++) {
    const t = reverse ? steps - 1 - turned : turned;
    const made = tidy(() => {
      const next = turn(
        carry,
        parts.map((part) => part[t] as Tensor),
      );
      return { carry: [...next.carry], outputs: [...next.outputs] };
    });
    carry = made.carry;
    outputs[t] = made.outputs;
  }
  return (outputs[0] ?? []).map((_, i) => stack(outputs.map((each) => each[i] as Tensor)));
}

function runKernel(name: string, tensors: readonly Tensor[], attributes = {}): Tensor[] {
  const operands: NamedTensorMap = Object.fromEntries(tensors.map((tensor, i) => [`${i}`, tensor]));
  return engine().runKernel(name, operands, attributes) as unknown as Tensor[];
}
