// Ada2I's other encoder: a bidirectional LSTM over each dialogue, both directions concatenated. States stand still on
// padding, so that the backward direction starts at the last utterance. PyTorch's names, order of gates (input,
// forget, cell, output) and its two biases.
import {
  type Context,
  concatLast,
  dropout,
  fastTanh,
  type Layout,
  type ParameterSpec,
  type Parameters,
  packTokens,
  padTokens,
  parameter,
  uniformFanIn,
} from "@merclab/core";
import {
  add,
  expandDims,
  matMul,
  mul,
  sigmoid,
  split,
  stack,
  sub,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  unstack,
  zeros,
} from "@tensorflow/tfjs-core";

export interface LstmShape {
  readonly numLayers: number;
  /** Between layers. */
  readonly dropout: number;
}

const DIRECTIONS = ["", "_reverse"] as const;

/** Parameters of `<name>.lstm`; each direction has half of `outDim`. */
export function lstmSpecs(name: string, inDim: number, outDim: number, { numLayers }: LstmShape): ParameterSpec[] {
  const hidden = outDim / 2;
  const initial = uniformFanIn(hidden);
  return Array.from({ length: numLayers }, (_, layer) =>
    DIRECTIONS.flatMap((direction) => {
      const named = (part: string, ...shape: number[]) => ({
        name: `${name}.lstm.${part}_l${layer}${direction}`,
        shape,
        initial,
      });
      return [
        named("weight_ih", 4 * hidden, layer === 0 ? inDim : outDim),
        named("weight_hh", 4 * hidden, hidden),
        named("bias_ih", 4 * hidden),
        named("bias_hh", 4 * hidden),
      ];
    }),
  ).flat();
}

/**
 * @param x `[tokens, inDim]`
 * @returns `[tokens, outDim]`
 */
export function applyLstm(
  parameters: Parameters,
  name: string,
  x: Tensor2D,
  layout: Layout,
  { numLayers, dropout: rate }: LstmShape,
  context: Context,
): Tensor2D {
  const masks = unstack(expandDims(layout.mask, 2), 1) as Tensor2D[]; // time × [batch, 1]
  let state = x;
  for (let layer = 0; layer < numLayers; layer++) {
    const input = layer === 0 ? state : dropout(state, rate, context, `layer${layer}`);
    state = concatLast(
      DIRECTIONS.map((direction) =>
        runDirection(parameters, `${name}.lstm`, `_l${layer}${direction}`, input, masks, layout),
      ),
    );
  }
  return state;
}

function runDirection(
  parameters: Parameters,
  name: string,
  suffix: string,
  x: Tensor2D,
  masks: readonly Tensor2D[],
  layout: Layout,
): Tensor2D {
  const get = (part: string) => parameter(parameters, `${name}.${part}${suffix}`);
  const recurrent = get("weight_hh") as Tensor2D;
  const hidden = recurrent.shape[1];
  const bias = add(get("bias_ih"), get("bias_hh"));
  const projected = add(matMul(x, get("weight_ih") as Tensor2D, false, true), bias) as Tensor2D;
  const steps = unstack(padTokens(projected, layout), 1) as Tensor2D[]; // time × [batch, 4 · hidden]
  const backward = suffix.endsWith("_reverse");
  const order = backward ? [...steps.keys()].reverse() : [...steps.keys()];
  let h: Tensor = zeros([layout.batch, hidden]);
  let c: Tensor = zeros([layout.batch, hidden]);
  const outputs: Tensor[] = [];
  for (const t of order) {
    const gates = add(steps[t] as Tensor2D, matMul(h as Tensor2D, recurrent, false, true));
    const [i, f, g, o] = split(gates, 4, 1) as [Tensor, Tensor, Tensor, Tensor];
    const cell = add(mul(sigmoid(f), c), mul(sigmoid(i), fastTanh(g)));
    const mask = masks[t] as Tensor2D;
    h = move(h, mul(sigmoid(o), fastTanh(cell)), mask);
    c = move(c, cell, mask);
    outputs[t] = h;
  }
  return packTokens(stack(outputs, 1) as Tensor3D, layout);
}

/** The next state where the mask is 1, else the one before. */
function move(before: Tensor, next: Tensor, mask: Tensor2D): Tensor {
  return add(before, mul(sub(next, before), mask));
}
