// Attention over the utterances of a dialogue: on padded dialogues, and on packed rows with missing ones.
import {
  add,
  expandDims,
  matMul,
  max,
  mul,
  reshape,
  softmax,
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
import { type Layout, packTokens, padMask, padTokens } from "./layout.ts";

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

/**
 * Multi-head attention on packed rows. Where a dialogue has no row to attend to, the result is zero: softmax over
 * nothing would be uniform, and depend on padding and on rows that were never observed.
 *
 * @param q `[tokens, dim]`
 * @param k `[tokens, dim]`
 * @param v `[tokens, dim]`
 * @param present `[tokens]`, 1 = row that may be attended to
 * @returns `[tokens, dim]`
 */
export function attendRows(
  q: Tensor2D,
  k: Tensor2D,
  v: Tensor2D,
  present: Tensor1D,
  layout: Layout,
  options: AttentionOptions,
  context: Context,
): Tensor2D {
  const keyMask = padMask(present, layout);
  const pad = (x: Tensor2D) => padTokens(x, layout);
  const attended = multiHeadAttention(pad(q), pad(k), pad(v), keyMask, options, context);
  const anyKey = reshape(max(keyMask, 1), [layout.batch, 1, 1]);
  return packTokens(mul(attended, anyKey) as Tensor3D, layout);
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
