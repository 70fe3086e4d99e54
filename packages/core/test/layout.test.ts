import {
  createEagerEngine,
  createLayout,
  type Layout,
  packTokens,
  padMask,
  padTokens,
  valueAndGradients,
} from "@merclab/core";
import { mul, sum, type Tensor2D, type Tensor3D, tensor1d, tensor2d, tensor3d } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { valuesOf } from "./support/tensors.ts";

beforeAll(() => createEagerEngine("cpu").start());

const DIM = 2;

/** Lengths of dialogues, with or without a bucket to round up to. */
const layouts = fc
  .record({
    lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    moreTokens: fc.nat(4),
    moreTime: fc.nat(3),
  })
  .map(({ lengths, moreTokens, moreTime }) => {
    const used = lengths.reduce((total, length) => total + length, 0);
    const bucket = { tokens: used + moreTokens, time: Math.max(...lengths) + moreTime };
    return { lengths, used, layout: createLayout(lengths, bucket) };
  });

/** Distinct numbers, so that a swapped row shows. */
function packedRows(layout: Layout, from = 1): Tensor2D {
  return tensor2d(
    Float32Array.from({ length: layout.tokens * DIM }, (_, i) => from + i),
    [layout.tokens, DIM],
  );
}

function paddedRows(layout: Layout, from = 1): Tensor3D {
  return tensor3d(
    Float32Array.from({ length: layout.batch * layout.time * DIM }, (_, i) => from + i),
    [layout.batch, layout.time, DIM],
  );
}

describe("a layout", () => {
  it("of lengths 3 and 1 lies as worked out by hand", () => {
    const layout = createLayout([3, 1], { tokens: 6, time: 4 });
    expect(layout).toMatchObject({ tokens: 6, batch: 2, time: 4 });
    expect(valuesOf(layout.toPadded)).toEqual([0, 1, 2, 0, 3, 0, 0, 0]);
    expect(valuesOf(layout.toPacked)).toEqual([0, 1, 2, 4, 0, 0]);
    expect(valuesOf(layout.mask)).toEqual([1, 1, 1, 0, 1, 0, 0, 0]);
    expect(valuesOf(layout.tokenMask)).toEqual([1, 1, 1, 1, 0, 0]);
    expect(valuesOf(layout.positions)).toEqual([0, 1, 2, 0, 0, 0]);
    expect(layout.mask.shape).toEqual([2, 4]);
  });

  it("without a bucket has no padding tokens and the time of the longest dialogue", () => {
    const layout = createLayout([2, 5, 1]);
    expect(layout).toMatchObject({ tokens: 8, batch: 3, time: 5 });
    expect(valuesOf(layout.tokenMask)).toEqual(new Array(8).fill(1));
  });

  it.each([
    { lengths: [] },
    { lengths: [2, 0] },
    { lengths: [3], bucket: { time: 2 } },
    { lengths: [3, 3], bucket: { tokens: 5 } },
  ])("is refused for $lengths and $bucket", ({ lengths, bucket }) => {
    expect(() => createLayout(lengths, bucket)).toThrow(/createLayout/);
  });
});

describe("packing and padding", () => {
  it("put an example where it was worked out by hand", () => {
    const layout = createLayout([2, 1], { tokens: 4 });
    const padded = padTokens(packedRows(layout), layout);
    expect(padded.arraySync()).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [0, 0],
      ],
    ]);
    expect(packTokens(paddedRows(layout), layout).arraySync()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [0, 0],
    ]);
  });

  it("pack ∘ pad is the identity on real tokens and zero on padding tokens", () => {
    fc.assert(
      fc.property(layouts, ({ layout, used }) => {
        const packed = packedRows(layout);
        const expected = valuesOf(packed).map((value, i) => (i < used * DIM ? value : 0));
        expect(valuesOf(packTokens(padTokens(packed, layout), layout))).toEqual(expected);
      }),
    );
  });

  it("pad ∘ pack is the identity on real places and zero on padding", () => {
    fc.assert(
      fc.property(layouts, ({ layout }) => {
        const padded = paddedRows(layout);
        const mask = valuesOf(layout.mask);
        const expected = valuesOf(padded).map((value, i) => (mask[Math.floor(i / DIM)] === 1 ? value : 0));
        expect(valuesOf(padTokens(packTokens(padded, layout), layout))).toEqual(expected);
      }),
    );
  });

  it("each have the other as gradient", () => {
    fc.assert(
      fc.property(layouts, ({ layout }) => {
        const packed = packedRows(layout);
        const padded = paddedRows(layout, -7);
        const { gradients: ofPad } = valueAndGradients(() => sum(mul(padTokens(packed, layout), padded)), { packed });
        expect(valuesOf(ofPad.packed as Tensor2D)).toEqual(valuesOf(packTokens(padded, layout)));
        const { gradients: ofPack } = valueAndGradients(() => sum(mul(packTokens(padded, layout), packed)), { padded });
        expect(valuesOf(ofPack.padded as Tensor3D)).toEqual(valuesOf(padTokens(packed, layout)));
      }),
    );
  });

  it("keep inner products: ⟨pad(x), y⟩ = ⟨x, pack(y)⟩", () => {
    fc.assert(
      fc.property(layouts, ({ layout }) => {
        const packed = packedRows(layout);
        const padded = paddedRows(layout, -20);
        const left = sum(mul(padTokens(packed, layout), padded));
        const right = sum(mul(packed, packTokens(padded, layout)));
        expect(valuesOf(left)).toEqual(valuesOf(right));
      }),
    );
  });

  it("pad masks as they pad tokens", () => {
    const layout = createLayout([1, 3], { tokens: 5 });
    expect(padMask(tensor1d([0, 1, 0, 1, 1]), layout).arraySync()).toEqual([
      [0, 0, 0],
      [1, 0, 1],
    ]);
    fc.assert(
      fc.property(layouts, ({ layout: any }) => {
        expect(valuesOf(padMask(any.tokenMask, any))).toEqual(valuesOf(any.mask));
      }),
    );
  });
});
