// Padding that a model sees: some published models have no masks, so that the zeros after a short dialogue attend and
// are averaged like utterances. A batch in this form has one token per padded place, up to its longest dialogue.
import {
  add,
  cast,
  gather,
  max,
  mul,
  ones,
  reshape,
  sub,
  type Tensor1D,
  type Tensor2D,
  tensor1d,
} from "@tensorflow/tfjs-core";
import type { Inputs } from "../contracts/modules.ts";
import { type Layout, packTokens, padMask, padTokens } from "./layout.ts";

/** The batch with padding as utterances of zero features that were observed; the longest dialogue bounds it. */
export function withVisiblePadding(inputs: Inputs): Inputs {
  const { layout } = inputs;
  const { batch, time } = layout;
  const tokens = batch * time;
  const mask = mul(ones([batch, 1]), max(layout.mask, 0, true)) as Tensor2D; // [batch, time]
  const padding = sub(mask, layout.mask);
  const flat = <T>(x: T) => reshape(x as never, [tokens]) as Tensor1D;
  const places = whole(tokens, (i) => i);
  const speakers = mul(gather(inputs.speakers, layout.toPadded), cast(flat(layout.mask), "int32"));
  return {
    features: mapValues(inputs.features, (x) => toVisiblePadding(x, layout)),
    present: mapValues(inputs.present, (x) => flat(add(padMask(x, layout), padding))),
    speakers: speakers as Tensor1D,
    layout: {
      tokens,
      batch,
      time,
      toPadded: places,
      toPacked: places,
      mask,
      tokenMask: flat(mask),
      positions: whole(tokens, (i) => i % time),
      byLength: {
        groups: [{ batch, time }],
        tokenOfRow: places,
        rowMask: flat(mask),
        firstRow: whole(tokens, (i) => i - (i % time)),
        timeOfGroup: whole(tokens, () => time),
      },
    },
  };
}

/** `[size]` int32 */
function whole(size: number, valueAt: (i: number) => number): Tensor1D {
  return tensor1d(
    Int32Array.from({ length: size }, (_, i) => valueAt(i)),
    "int32",
  );
}

/** `[tokens, dim]` of the packed batch to `[batch · time, dim]`, zeros on padding. */
export function toVisiblePadding(packed: Tensor2D, layout: Layout): Tensor2D {
  return reshape(padTokens(packed, layout), [layout.batch * layout.time, packed.shape[1]]) as Tensor2D;
}

/** `[batch · time, dim]` to the rows `[tokens, dim]` of the packed batch. */
export function fromVisiblePadding(visible: Tensor2D, layout: Layout): Tensor2D {
  return packTokens(reshape(visible, [layout.batch, layout.time, visible.shape[1]]), layout);
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, change: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
