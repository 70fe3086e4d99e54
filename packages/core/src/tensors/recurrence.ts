// LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014) over the dialogues of a packed batch, in PyTorch's form.
// States stand still on padding, so that a second direction starts at the last utterance of each dialogue. Sequences of
// one width, such as those of several modalities, and both directions run side by side in one loop.
import {
  add,
  matMul,
  mul,
  reshape,
  reverse,
  sigmoid,
  slice,
  split,
  stack,
  sub,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  transpose,
} from "@tensorflow/tfjs-core";
import type { Context } from "../contracts/modules.ts";
import { type Parameters, parameter } from "../parameters/parameters.ts";
import { DIRECTIONS, type RecurrentShape } from "../parameters/recurrent.ts";
import { concatLast, contextWithin, dropout, fastTanh } from "./layers.ts";
import { type Layout, packTokens, padTokens } from "./layout.ts";
import { type Step, scan } from "./scan.ts";

/** A packed sequence and the layers that it goes through. */
export interface Sequence {
  /** Of its parameters: `<name>.weight_ih_l0`, … */
  readonly name: string;
  /** `[tokens, inDim]` */
  readonly x: Tensor2D;
  /** Where its dropout masks lie; the site of the context where absent. */
  readonly site?: string;
}

/** What a cell does in a step. */
interface Cell {
  readonly gates: number;
  /** Carries besides the hidden state. */
  readonly extraCarries: number;
  /** Which biases join the projected input; the others belong to the recurrent product. */
  readonly recurrentBias: boolean;
  /**
   * @param projected `[sequences, batch, gates · hiddenDim]`, of the input
   * @param recurrent the same, of the hidden state
   * @returns the next carry, the hidden state first
   */
  next(carry: readonly Tensor[], projected: Tensor, recurrent: Tensor): Tensor[];
}

const LSTM: Cell = {
  gates: 4,
  extraCarries: 1,
  recurrentBias: false,
  next: ([, c], projected, recurrent) => {
    const [i, f, g, o] = split(add(projected, recurrent), 4, 2) as [Tensor, Tensor, Tensor, Tensor];
    const cell = add(mul(sigmoid(f), c as Tensor), mul(sigmoid(i), fastTanh(g)));
    return [mul(sigmoid(o), fastTanh(cell)), cell];
  },
};

const GRU: Cell = {
  gates: 3,
  extraCarries: 0,
  recurrentBias: true,
  next: ([h], projected, recurrent) => [gruState(h as Tensor, projected, recurrent)],
};

/**
 * h' = n + z ⊙ (h − n) with r, z = σ(x + h̃) and n = tanh(x + r ⊙ h̃), of the thirds r, z, n of both.
 *
 * @param h `[…, hiddenDim]`
 * @param projected `[…, 3 · hiddenDim]`, W x + b of the input
 * @param recurrent `[…, 3 · hiddenDim]`, h̃ = U h + b of the state
 */
export function gruState(h: Tensor, projected: Tensor, recurrent: Tensor): Tensor {
  const axis = h.shape.length - 1;
  const [xr, xz, xn] = split(projected, 3, axis) as [Tensor, Tensor, Tensor];
  const [hr, hz, hn] = split(recurrent, 3, axis) as [Tensor, Tensor, Tensor];
  const candidate = fastTanh(add(xn, mul(sigmoid(add(xr, hr)), hn)));
  return add(candidate, mul(sigmoid(add(xz, hz)), sub(h, candidate)));
}

/** @returns per sequence `[tokens, hiddenDim]`, both directions side by side where there are two */
export function applyLstm(
  parameters: Parameters,
  sequences: readonly Sequence[],
  layout: Layout,
  shape: RecurrentShape,
  context: Context,
): Tensor2D[] {
  return applyLayers(LSTM, parameters, sequences, layout, shape, context);
}

/** @returns per sequence `[tokens, hiddenDim]`, both directions side by side where there are two */
export function applyGru(
  parameters: Parameters,
  sequences: readonly Sequence[],
  layout: Layout,
  shape: RecurrentShape,
  context: Context,
): Tensor2D[] {
  return applyLayers(GRU, parameters, sequences, layout, shape, context);
}

function applyLayers(
  cell: Cell,
  parameters: Parameters,
  sequences: readonly Sequence[],
  layout: Layout,
  { numLayers, bidirectional, dropout: rate }: RecurrentShape,
  context: Context,
): Tensor2D[] {
  if (sequences.length === 0) {
    return [];
  }
  const directions = bidirectional ? DIRECTIONS : DIRECTIONS.slice(0, 1);
  let states = sequences.map(({ x }) => x);
  for (let layer = 0; layer < numLayers; layer++) {
    const runs = sequences.flatMap(({ name, site }, s) => {
      const sites = site === undefined ? context : contextWithin(context, site);
      const x = layer === 0 ? (states[s] as Tensor2D) : dropout(states[s] as Tensor2D, rate, sites, `layer${layer}`);
      return directions.map((direction) => ({ x, name, suffix: `_l${layer}${direction}`, backward: direction !== "" }));
    });
    const made = runTogether(cell, parameters, runs, layout);
    states = sequences.map((_, s) => concatLast(made.slice(s * directions.length, (s + 1) * directions.length)));
  }
  return states;
}

interface Run {
  readonly x: Tensor2D;
  readonly name: string;
  readonly suffix: string;
  readonly backward: boolean;
}

/** Runs of one hidden width, side by side. @returns `[tokens, hiddenDim]` each */
function runTogether(cell: Cell, parameters: Parameters, runs: readonly Run[], layout: Layout): Tensor2D[] {
  const { batch, time } = layout;
  const get = ({ name, suffix }: Run, part: string) => parameter(parameters, `${name}.${part}${suffix}`);
  const hidden = get(runs[0] as Run, "weight_hh").shape[1] as number;
  const steps = runs.map((run) => {
    const inputBias = get(run, "bias_ih");
    const bias = cell.recurrentBias ? inputBias : add(inputBias, get(run, "bias_hh"));
    const projected = add(matMul(run.x, get(run, "weight_ih") as Tensor2D, false, true), bias) as Tensor2D;
    return reverseTime(timeMajor(projected, layout), run.backward);
  });
  const masks = runs.map(({ backward }) => reverseTime(reshape(transpose(layout.mask), [time, batch, 1]), backward));
  const output = scan({
    carry: new Array(1 + cell.extraCarries).fill([runs.length, batch, hidden]),
    inputs: [stack(steps, 1)],
    fixed: [stack(masks, 1)],
    products: [
      {
        weight: stack(runs.map((run) => transpose(get(run, "weight_hh")))),
        ...(cell.recurrentBias ? { bias: stack(runs.map((run) => reshape(get(run, "bias_hh"), [1, -1]))) } : {}),
      },
    ],
    step: ({ carry, inputs: [projected], fixed: [mask], product }: Step) => {
      const next = cell.next(carry, projected as Tensor, product(0, carry[0] as Tensor));
      const moved = next.map((value, at) => standing(carry[at] as Tensor, value, mask as Tensor));
      return { carry: moved, output: moved[0] as Tensor };
    },
  }); // [time, runs, batch, hidden]
  return runs.map(({ backward }, at) => {
    const own = reshape(slice(output, [0, at, 0, 0], [time, 1, batch, hidden]), [time, batch, hidden]);
    return packTime(reverseTime(own, backward), layout);
  });
}

/** The next state where the mask is 1, else the one before. */
export function standing(before: Tensor, next: Tensor, mask: Tensor): Tensor {
  return add(before, mul(sub(next, before), mask));
}

/** The same along `[time, …]`, from its end where `backward`; what is padding then comes first. */
export function reverseTime(x: Tensor, backward: boolean): Tensor {
  return backward ? reverse(x, 0) : x;
}

/** `[tokens, dim]` to `[time, batch, dim]`. */
export function timeMajor(packed: Tensor2D, layout: Layout): Tensor3D {
  return transpose(padTokens(packed, layout), [1, 0, 2]) as Tensor3D;
}

/** `[time, batch, dim]` to `[tokens, dim]`. */
export function packTime(x: Tensor, layout: Layout): Tensor2D {
  return packTokens(transpose(x, [1, 0, 2]) as Tensor3D, layout);
}
