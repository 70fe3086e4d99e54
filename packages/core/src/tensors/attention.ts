// Attention over padded dialogues, and within the dialogues of a packed batch.
import {
  add,
  concat,
  expandDims,
  gather,
  matMul,
  mul,
  reshape,
  softmax,
  split,
  sub,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  transpose,
} from "@tensorflow/tfjs-core";
import type { Context } from "../contracts/modules.ts";
import { dropout } from "./layers.ts";
import type { Layout } from "./layout.ts";
import { headPlaces, type LengthGroup, maskPerHead, packHeads, padHeads, splitRows } from "./length-groups.ts";

/** What is added to a masked score: so low that float32 loses the score beside it and softmax gives exactly 0. */
const MASKED = 1e10;

/**
 * Softmax over the last axis with masked entries at exactly 0. A row without a valid entry becomes uniform: finite,
 * and meaningless, as padding is.
 *
 * @param mask 1 = valid; broadcasts against `scores`
 */
export function maskedSoftmax<T extends Tensor>(scores: T, mask: Tensor): T {
  return softmax(add(scores, mul(sub(mask, 1), MASKED))) as T;
}

export interface AttentionOptions {
  readonly numHeads: number;
  /** Dropout rate on the attention weights. */
  readonly dropout: number;
}

/**
 * Scaled dot-product attention in heads: softmax(q·kᵀ/√(dim/numHeads))·v per head, heads concatenated. Projections
 * are the caller's.
 *
 * @param q `[batch, time, dim]`
 * @param k `[batch, time, dim]`
 * @param v `[batch, time, dim]`
 * @param keyMask `[batch, time]`, 1 = may be attended to
 * @returns `[batch, time, dim]`
 */
export function multiHeadAttention(
  q: Tensor3D,
  k: Tensor3D,
  v: Tensor3D,
  keyMask: Tensor2D,
  options: AttentionOptions,
  context: Context,
): Tensor3D {
  const { numHeads } = options;
  const headDim = q.shape[2] / numHeads;
  const scaled = mul(q, 1 / Math.sqrt(headDim)) as Tensor3D;
  const scores = matMul(splitHeads(scaled, numHeads), splitHeads(k, numHeads), false, true); // [batch, heads, time, time]
  const weights = maskedSoftmax(scores, expandDims(expandDims(keyMask, 1), 1));
  const kept = dropout(weights, options.dropout, context, "attention");
  return joinHeads(matMul(kept, splitHeads(v, numHeads)) as Tensor4D);
}

/** What attends to what, and where it lies. */
export interface Attending {
  /** `[tokens, dim]` each: projections are the caller's. */
  readonly q: Tensor2D;
  readonly k: Tensor2D;
  readonly v: Tensor2D;
  /** `[tokens]`, 1 = may be attended to. */
  readonly present: Tensor1D;
  readonly layout: Layout;
}

/**
 * Scaled dot-product attention in heads within each dialogue of a packed batch: softmax(q·kᵀ/√(dim/numHeads))·v per
 * head, heads concatenated. Where a dialogue has no utterance that may be attended to, the result is zero. Rows of
 * padding tokens are meaningless.
 *
 * @returns `[tokens, dim]`
 */
export function attendWithinDialogues(
  { q, k, v, present, layout }: Attending,
  options: AttentionOptions,
  context: Context,
): Tensor2D {
  const { numHeads } = options;
  const { byLength, positions, tokenMask } = layout;
  const headDim = q.shape[1] / numHeads;
  const places = headPlaces(byLength, positions, tokenMask, numHeads);
  const keyRows = mul(gather(present, byLength.tokenOfRow), byLength.rowMask) as Tensor1D;
  const keyMasks = splitRows(byLength, keyRows, 1);
  const [queries, keys] = [groupsOf(padHeads(q, places)), groupsOf(padHeads(k, places))];
  // Values that may not be attended to are zero, so that a softmax over none of them, which is uniform, gives zero.
  const values = groupsOf(mul(padHeads(v, places), maskPerHead(byLength, keyRows, numHeads)) as Tensor2D);
  const attended = byLength.groups.map(({ batch, time }, g) => {
    const scaled = mul(queries[g] as Tensor4D, 1 / Math.sqrt(headDim));
    const scores = matMul(scaled, keys[g] as Tensor4D, false, true); // [batch, heads, time, time]
    const keyMask = reshape(keyMasks[g] as Tensor1D, [batch, 1, 1, time]);
    const weights = dropout(maskedSoftmax(scores, keyMask), options.dropout, context, `attention.${g}`);
    return reshape(matMul(weights, values[g] as Tensor4D), [batch * numHeads * time, headDim]);
  });
  return packHeads(concat(attended) as Tensor2D, places);

  function groupsOf(rows: Tensor2D): Tensor4D[] {
    const sizes = byLength.groups.map(({ batch, time }) => batch * time * numHeads);
    const parts = sizes.length === 1 ? [rows] : split(rows, sizes); // tfjs 4.22 has no gradient for one part
    return parts.map((part, g) => {
      const { batch, time } = byLength.groups[g] as LengthGroup;
      return reshape(part, [batch, numHeads, time, headDim]) as Tensor4D;
    });
  }
}

/** `[batch, time, dim]` to `[batch, heads, time, dim / heads]`. */
function splitHeads(x: Tensor3D, numHeads: number): Tensor4D {
  const [batch, time, dim] = x.shape;
  return transpose(reshape(x, [batch, time, numHeads, dim / numHeads]), [0, 2, 1, 3]) as Tensor4D;
}

/** `[batch, heads, time, headDim]` to `[batch, time, heads · headDim]`. */
function joinHeads(x: Tensor4D): Tensor3D {
  const [batch, numHeads, time, headDim] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, time, numHeads * headDim]) as Tensor3D;
}
