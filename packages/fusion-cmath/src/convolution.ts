// A convolution along the utterances of each dialogue, on packed rows: every row is put beside its neighbours, those
// outside the dialogue as zeros, and one product does the rest.
import {
  glorotUniform,
  type Layout,
  linear,
  type ParameterSpec,
  type Parameters,
  zeros as zeroValues,
} from "@merclab/core";
import {
  cast,
  clipByValue,
  concat,
  expandDims,
  mul,
  slice,
  sub,
  type Tensor,
  type Tensor2D,
  zeros,
} from "@tensorflow/tfjs-core";

/** `name.weight [outDim, kernel · inDim]`, taps from the earliest utterance to the latest, and `name.bias`. */
export function convolutionSpecs(name: string, kernel: number, inDim: number, outDim: number): ParameterSpec[] {
  return [
    {
      name: `${name}.weight`,
      shape: [outDim, kernel * inDim],
      initial: glorotUniform(kernel * inDim, kernel * outDim),
    },
    { name: `${name}.bias`, shape: [outDim], initial: zeroValues },
  ];
}

/**
 * @param kernel odd
 * @param x `[tokens, inDim]`, zeros on padding tokens
 * @returns `[tokens, outDim]`
 */
export function convolve(parameters: Parameters, name: string, kernel: number, x: Tensor2D, layout: Layout): Tensor2D {
  const reach = (kernel - 1) / 2;
  const taps = Array.from({ length: kernel }, (_, tap) => neighbour(x, tap - reach, layout));
  return linear(parameters, name, kernel === 1 ? x : (concat(taps, 1) as Tensor2D));
}

/** Row i + offset at row i, zeros where it belongs to no utterance of the same dialogue. */
function neighbour(x: Tensor2D, offset: number, layout: Layout): Tensor2D {
  if (offset === 0) {
    return x;
  }
  const distance = Math.abs(offset);
  const places = cast(layout.positions, "float32");
  // 1 where the dialogue has begun that many utterances ago; 0 on padding tokens, whose place is 0.
  const begun = expandDims(clipByValue(sub(places, distance - 1), 0, 1), 1) as Tensor2D;
  return offset < 0
    ? (mul(shift(x, offset), begun) as Tensor2D)
    : // Row i + offset lies in the dialogue of row i when it began at least `offset` utterances before it.
      (mul(shift(x, offset), shift(begun, offset)) as Tensor2D);
}

/** Rows moved by `offset`: row i of the result is row i + offset, zeros beyond the ends. */
function shift(x: Tensor2D, offset: number): Tensor {
  const [rows, width] = x.shape;
  const distance = Math.min(Math.abs(offset), rows);
  const gap = zeros([distance, width]) as Tensor2D;
  const kept = slice(x, [offset < 0 ? 0 : distance, 0], [rows - distance, width]);
  if (rows === distance) {
    return gap;
  }
  return concat(offset < 0 ? [gap, kept] : [kept, gap], 0);
}
