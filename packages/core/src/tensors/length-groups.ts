// Dialogues of a batch in two groups, the longer and the shorter half, each padded to a length of its own: attention
// works on time² per dialogue, and half of the dialogues are far shorter than the longest.
//
// Padded rows of the groups lie one after the other: those of the first group's dialogues, each `time` rows, then those
// of the second. With heads, each of these rows becomes `numHeads` rows, ordered [group][dialogue][head][time].
import {
  add,
  concat,
  customGrad,
  expandDims,
  type GradSaveFunc,
  gather,
  mul,
  range,
  reshape,
  scalar,
  slice,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tensor1d,
  tile,
} from "@tensorflow/tfjs-core";

export interface LengthGroup {
  /** Dialogues. */
  readonly batch: number;
  /** Padded length. */
  readonly time: number;
}

export interface LengthGroups {
  /** Longest dialogues first. */
  readonly groups: readonly LengthGroup[];
  /** `[rows]` int32: the token at each padded row (0 where there is none). */
  readonly tokenOfRow: Tensor1D;
  /** `[rows]`, 1 = real utterance. */
  readonly rowMask: Tensor1D;
  /** `[tokens]` int32: the first row of the token's dialogue, and the length to which its group is padded. */
  readonly firstRow: Tensor1D;
  readonly timeOfGroup: Tensor1D;
}

/** Longest dialogue of the longer half, and of the shorter half; 0 where that is empty. */
export function groupTimes(lengths: readonly number[]): { readonly time: number; readonly shortTime: number } {
  const sorted = [...lengths].sort((a, b) => b - a);
  return { time: sorted[0] ?? 0, shortTime: sorted[Math.ceil(sorted.length / 2)] ?? 0 };
}

/** The longer half of the dialogues, then the rest, each in the order of the batch; ties go by that order. */
function splitByLength(lengths: readonly number[]): number[][] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  const half = Math.ceil(order.length / 2);
  return [order.slice(0, half), order.slice(half)]
    .filter((members) => members.length > 0)
    .map((members) => members.sort((a, b) => a - b));
}

/**
 * @param tokens with those that fill up a bucket
 * @param rounded padded lengths of the groups, where they are rounded up
 * @throws RangeError where a dialogue does not fit its group
 */
export function createLengthGroups(
  lengths: readonly number[],
  tokens: number,
  rounded: { readonly time?: number; readonly shortTime?: number } = {},
): LengthGroups {
  const { time, shortTime } = { ...groupTimes(lengths), ...rounded };
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  const members = splitByLength(lengths);
  const groups = members.map((group, g) => ({ batch: group.length, time: g === 0 ? time : shortTime }));
  const rows = groups.reduce((sum, { batch, time }) => sum + batch * time, 0);
  const tokenOfRow = new Int32Array(rows);
  const rowMask = new Float32Array(rows);
  const firstRow = new Int32Array(tokens);
  const timeOfGroup = new Int32Array(tokens);
  let row = 0;
  members.forEach((group, g) => {
    const padded = groups[g]?.time ?? 0;
    for (const at of group) {
      const [start, length] = [starts[at] ?? 0, lengths[at] ?? 0];
      if (length > padded) {
        throw new RangeError(`createLayout: a dialogue of ${length} utterances does not fit a group of time ${padded}`);
      }
      for (let position = 0; position < length; position++) {
        tokenOfRow[row + position] = start + position;
        rowMask[row + position] = 1;
        firstRow[start + position] = row;
        timeOfGroup[start + position] = padded;
      }
      row += padded;
    }
  });
  return {
    groups,
    tokenOfRow: tensor1d(tokenOfRow, "int32"),
    rowMask: tensor1d(rowMask),
    firstRow: tensor1d(firstRow, "int32"),
    timeOfGroup: tensor1d(timeOfGroup, "int32"),
  };
}

/** Where heads of tokens lie among padded rows, and back; the same for all layers of a step. */
export interface HeadPlaces {
  readonly numHeads: number;
  /** `[rows · numHeads]` int32: which row of `[tokens · numHeads, headDim]` each padded row of a head is. */
  readonly toPadded: Tensor1D;
  /** `[rows · numHeads, 1]`, 1 = real utterance. */
  readonly mask: Tensor2D;
  /** `[tokens · numHeads]` int32: the padded row of each token's head. */
  readonly toPacked: Tensor1D;
  /** `[tokens, 1]`, 1 = real utterance. */
  readonly tokenMask: Tensor2D;
}

/**
 * @param positions `[tokens]` int32: place of the utterance in its dialogue
 * @param tokenMask `[tokens]`, 1 = real utterance
 */
export function headPlaces(
  groups: LengthGroups,
  positions: Tensor1D,
  tokenMask: Tensor1D,
  numHeads: number,
): HeadPlaces {
  const heads = range(0, numHeads, 1, "int32");
  const count = scalar(numHeads, "int32");
  const base = add(mul(groups.firstRow, count), positions);
  const toPacked = add(expandDims(base, 1), mul(expandDims(groups.timeOfGroup, 1), expandDims(heads, 0)));
  return {
    numHeads,
    toPadded: perHead(groups, mul(groups.tokenOfRow, count) as Tensor1D, (of) => add(of, reshape(heads, [1, -1, 1]))),
    mask: maskPerHead(groups, groups.rowMask, numHeads),
    toPacked: reshape(toPacked, [-1]) as Tensor1D,
    tokenMask: expandDims(tokenMask, 1) as Tensor2D,
  };
}

/**
 * @param rowMask `[rows]`
 * @returns `[rows · numHeads, 1]`
 */
export function maskPerHead(groups: LengthGroups, rowMask: Tensor1D, numHeads: number): Tensor2D {
  return expandDims(
    perHead(groups, rowMask, (of) => tile(of, [1, numHeads, 1])),
    1,
  ) as Tensor2D;
}

/**
 * Spreads values of padded rows over heads.
 *
 * @param values `[rows]`
 * @param spread of a group's `[batch, 1, time]` to `[batch, numHeads, time]`
 * @returns `[rows · numHeads]`
 */
function perHead(groups: LengthGroups, values: Tensor1D, spread: (of: Tensor) => Tensor): Tensor1D {
  const parts = splitRows(groups, values, 1).map((part, g) => {
    const { batch, time } = groups.groups[g] as LengthGroup;
    return reshape(spread(reshape(part, [batch, 1, time])), [-1]);
  });
  return concat(parts) as Tensor1D;
}

/** The rows of each group; `perRow` rows lie where the padded form has one. */
export function splitRows<T extends Tensor>({ groups }: LengthGroups, rows: T, perRow: number): T[] {
  let start = 0;
  return groups.map(({ batch, time }) => {
    const count = batch * time * perRow;
    const part = slice(rows, [start], [count]);
    start += count;
    return part as T;
  });
}

/**
 * Heads of tokens to padded rows. Rows without an utterance hold those of token 0: whoever works on them must not let
 * them through, and no gradient comes back from them.
 *
 * @param x `[tokens, numHeads · headDim]`
 * @returns `[rows · numHeads, headDim]`
 */
export function padHeads(x: Tensor2D, places: HeadPlaces): Tensor2D {
  const [tokens, dim] = x.shape;
  const { numHeads, toPadded, toPacked, tokenMask } = places;
  const convert = customGrad((packed, save) => {
    (save as GradSaveFunc)([toPacked, tokenMask]); // made in the step, and freed with it otherwise
    return {
      value: gather(reshape(packed as Tensor2D, [tokens * numHeads, dim / numHeads]), toPadded),
      gradFunc: (dy, saved) => {
        const [back, mask] = saved as [Tensor1D, Tensor2D];
        return mul(reshape(gather(dy as Tensor2D, back), [tokens, dim]), mask);
      },
    };
  });
  return convert(x) as Tensor2D;
}

/**
 * Padded rows of heads back to tokens. Padding tokens get some row: nothing may depend on them.
 *
 * @param rows `[rows · numHeads, headDim]`
 * @returns `[tokens, numHeads · headDim]`
 */
export function packHeads(rows: Tensor2D, places: HeadPlaces): Tensor2D {
  const headDim = rows.shape[1];
  const { numHeads, toPadded, toPacked, mask } = places;
  const tokens = toPacked.shape[0] / numHeads;
  const convert = customGrad((padded, save) => {
    (save as GradSaveFunc)([toPadded, mask]);
    return {
      value: reshape(gather(padded as Tensor2D, toPacked), [tokens, numHeads * headDim]),
      gradFunc: (dy, saved) => {
        const [back, rowMask] = saved as [Tensor1D, Tensor2D];
        return mul(gather(reshape(dy as Tensor2D, [tokens * numHeads, headDim]), back), rowMask);
      },
    };
  });
  return convert(rows) as Tensor2D;
}
