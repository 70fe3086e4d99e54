// Packed batches: the utterances of a batch lie end to end, `[tokens, dim]`, so that linear layers never work on
// padding. The layout knows where each dialogue lies and converts to padded `[batch, time, dim]` and back: two
// gathers, each the other's gradient.
import {
  customGrad,
  expandDims,
  type GradSaveFunc,
  gather,
  mul,
  reshape,
  Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tensor1d,
  tensor2d,
} from "@tensorflow/tfjs-core";
import { createLengthGroups, type LengthGroups } from "./length-groups.ts";

export interface Layout {
  /** Rows of the packed form, padding tokens included. */
  readonly tokens: number;
  /** Dialogues. */
  readonly batch: number;
  /** Longest dialogue. */
  readonly time: number;
  /** `[batch · time]` int32: the token at each padded place (0 where there is none). */
  readonly toPadded: Tensor1D;
  /** `[tokens]` int32: the padded place of each token (0 for padding tokens). */
  readonly toPacked: Tensor1D;
  /** `[batch, time]`, 1 = real utterance. */
  readonly mask: Tensor2D;
  /** `[tokens]`, 1 = real utterance; 0 only where the token count was rounded up to a bucket. */
  readonly tokenMask: Tensor1D;
  /** `[tokens]` int32: place of the utterance in its dialogue, from 0. */
  readonly positions: Tensor1D;
  /** The dialogues again, longer and shorter ones padded apart, for attention. */
  readonly byLength: LengthGroups;
}

/** Sizes to round up to; each is what the dialogues need where it is absent. */
export interface Bucket {
  readonly tokens?: number;
  /** Padded length, of the longer half of the dialogues where they are padded apart. */
  readonly time?: number;
  /** Padded length of the shorter half of the dialogues. */
  readonly shortTime?: number;
}

/** Layout of dialogues with these lengths. @throws RangeError where they do not fit the bucket */
export function createLayout(lengths: readonly number[], bucket: Bucket = {}): Layout {
  const used = lengths.reduce((sum, length) => sum + length, 0);
  const tokens = bucket.tokens ?? used;
  const time = bucket.time ?? Math.max(...lengths);
  if (lengths.length === 0 || lengths.some((length) => length < 1 || length > time) || used > tokens) {
    throw new RangeError(`createLayout: lengths [${lengths.join(", ")}] do not fit ${tokens} tokens, ${time} steps`);
  }
  const batch = lengths.length;
  const toPadded = new Int32Array(batch * time);
  const toPacked = new Int32Array(tokens);
  const mask = new Float32Array(batch * time);
  const tokenMask = new Float32Array(tokens);
  const positions = new Int32Array(tokens);
  let token = 0;
  lengths.forEach((length, row) => {
    for (let position = 0; position < length; position++, token++) {
      const place = row * time + position;
      toPadded[place] = token;
      toPacked[token] = place;
      mask[place] = 1;
      tokenMask[token] = 1;
      positions[token] = position;
    }
  });
  return {
    tokens,
    batch,
    time,
    toPadded: tensor1d(toPadded, "int32"),
    toPacked: tensor1d(toPacked, "int32"),
    mask: tensor2d(mask, [batch, time]),
    tokenMask: tensor1d(tokenMask),
    positions: tensor1d(positions, "int32"),
    byLength: createLengthGroups(lengths, tokens, bucket),
  };
}

/** All tensors of a layout, for whoever disposes it. */
export function layoutTensors({ byLength, ...layout }: Layout): Tensor[] {
  return [...Object.values(layout), ...Object.values(byLength)].filter((value) => value instanceof Tensor);
}

/** `[tokens, dim]` to `[batch, time, dim]`, zeros on padding. */
export function padTokens(packed: Tensor2D, layout: Layout): Tensor3D {
  const convert = customGrad((x, save) => {
    // Saved, since a layout that was made within the differentiated function is freed before its gradient runs.
    (save as GradSaveFunc)([layout.toPacked, layout.tokenMask]);
    return {
      value: toPadded(x as Tensor2D, layout.toPadded, layout.mask),
      gradFunc: (dy, [places, mask]) => toPacked(dy as Tensor3D, places as Tensor1D, mask as Tensor1D),
    };
  });
  return convert(packed) as Tensor3D;
}

/** `[batch, time, dim]` to `[tokens, dim]`, zeros on padding tokens. */
export function packTokens(padded: Tensor3D, layout: Layout): Tensor2D {
  const convert = customGrad((x, save) => {
    (save as GradSaveFunc)([layout.toPadded, layout.mask]);
    return {
      value: toPacked(x as Tensor3D, layout.toPacked, layout.tokenMask),
      gradFunc: (dy, [tokens, mask]) => toPadded(dy as Tensor2D, tokens as Tensor1D, mask as Tensor2D),
    };
  });
  return convert(padded) as Tensor2D;
}

/** `[tokens]` to `[batch, time]`, zeros on padding; for masks, so it needs no gradient. */
export function padMask(mask: Tensor1D, layout: Layout): Tensor2D {
  return reshape(toPadded(expandDims(mask, 1) as Tensor2D, layout.toPadded, layout.mask), [
    layout.batch,
    layout.time,
  ]) as Tensor2D;
}

function toPadded(packed: Tensor2D, tokens: Tensor1D, mask: Tensor2D): Tensor {
  const rows = gather(packed, tokens);
  const masked = mul(rows, reshape(mask, [mask.size, 1]));
  return reshape(masked, [...mask.shape, packed.shape[1]]);
}

function toPacked(padded: Tensor3D, places: Tensor1D, tokenMask: Tensor1D): Tensor {
  const [batch, time, dim] = padded.shape;
  const rows = gather(reshape(padded, [batch * time, dim]) as Tensor2D, places);
  return mul(rows, expandDims(tokenMask, 1));
}
