// Rules that move elements without changing them.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import {
  axes,
  cover,
  DTYPES,
  everyDtype,
  expectAgreement,
  expectCovered,
  fc,
  type Host,
  hosts,
  property,
  ranked,
} from "./support.ts";

describe("shapes", () => {
  it(cover("Reshape", "ExpandDims", "Transpose"), async () => {
    await everyDtype(
      (dtype) =>
        ranked(1, 4, dtype).chain((x) =>
          fc.tuple(
            fc.constant(x),
            axes(x.shape.length),
            fc.shuffledSubarray([...x.shape.keys()], { minLength: x.shape.length }),
          ),
        ),
      (x, axis, perm) => [tf.reshape(x, [-1, 1]), tf.expandDims(x, axis), tf.transpose(x, perm), tf.squeeze(x)],
    );
  });

  it(cover("Slice"), async () => {
    await everyDtype(
      (dtype) =>
        ranked(1, 4, dtype).chain((x) =>
          fc.tuple(fc.constant(x), fc.tuple(...x.shape.map((dim) => fc.integer({ min: 0, max: dim - 1 })))),
        ),
      (x, begin) => tf.slice(x, begin as number[]),
    );
  });

  it(`${cover("StridedSlice")}, forwards and backwards`, async () => {
    // Never empty: tfjs's cpu kernel fails on an empty result.
    const span = (dim: number) =>
      fc
        .tuple(fc.nat({ max: dim - 1 }), fc.nat({ max: dim - 1 }), fc.constantFrom(1, 2, -1, -2), fc.boolean())
        .map(([a, b, stride, fromEnd]) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const begin = stride > 0 ? low : high;
          const end = stride > 0 ? high + 1 : low === 0 ? -dim - 1 : low - 1;
          return { begin: fromEnd ? begin - dim : begin, end, stride };
        });
    await everyDtype(
      (dtype) =>
        ranked(1, 3, dtype).chain((x) =>
          fc.tuple(
            fc.constant(x),
            fc.tuple(...x.shape.map(span)),
            fc.nat({ max: 7 }),
            fc.nat({ max: 7 }),
            fc.constantFrom(0, 1),
          ),
        ),
      (x, cut, beginMask, endMask, shrinkMask) => {
        const spans = cut as { begin: number; end: number; stride: number }[];
        const [begin, end, strides] = [
          spans.map((each) => each.begin),
          spans.map((each) => each.end),
          spans.map(({ stride }) => stride),
        ];
        const shrink = strides.every((stride) => stride === 1) ? shrinkMask : 0;
        return tf.stridedSlice(x, begin, end, strides, beginMask, endMask, 0, 0, shrink);
      },
      false,
    );
  });

  it("StridedSlice with new axes and an ellipsis", async () => {
    await property(hosts([3, 2, 4]), (x) =>
      expectAgreement(
        (a) => [
          tf.stridedSlice(a as tf.Tensor, [0, 1], [0, 3], [1, 1], 0, 0, 1, 0, 0),
          tf.stridedSlice(a as tf.Tensor, [0, 1], [0, 3], [1, 1], 0, 0, 0, 1, 0),
        ],
        [x],
        { gradients: false },
      ),
    );
  });

  it(cover("Concat", "Pack", "Unpack", "SplitV"), async () => {
    for (const dtype of DTYPES) {
      await property(
        ranked(1, 3, dtype).chain((x) => fc.tuple(fc.constant(x), hosts(x.shape, { dtype }), axes(x.shape.length))),
        ([x, y, axis]) =>
          expectAgreement(
            (a, b) => {
              const joined = tf.concat([a as tf.Tensor, b as tf.Tensor], axis);
              const stacked = tf.stack([a as tf.Tensor, b as tf.Tensor], axis);
              return [joined, stacked, ...tf.split(joined, 2, axis), ...tf.unstack(stacked, axis)];
            },
            [x, y],
            { gradients: dtype === "float32" },
          ),
      );
    }
  });

  it("SplitV into unequal parts", async () => {
    await property(hosts([2, 5]), (x) => expectAgreement((a) => tf.split(a as tf.Tensor, [1, -1, 1], -1), [x]));
  });

  it("Concat of parts without elements", async () => {
    const empty = (...shape: number[]): Host => ({ shape, dtype: "float32", values: [] });
    const join = (axis: number) => (a: unknown, b: unknown) => tf.concat([a as tf.Tensor, b as tf.Tensor], axis);
    await expectAgreement(join(1), [empty(0, 2), empty(0, 3)], { gradients: false });
    await expectAgreement(join(0), [empty(0, 1), { shape: [1, 1], dtype: "float32", values: [3] }]);
  });

  it(cover("Tile", "Reverse"), async () => {
    await everyDtype(
      (dtype) =>
        ranked(1, 3, dtype).chain((x) =>
          fc.tuple(
            fc.constant(x),
            fc.tuple(...x.shape.map(() => fc.integer({ min: 1, max: 3 }))),
            fc.subarray([...x.shape.keys()]),
          ),
        ),
      (x, reps, dims) => [
        tf.tile(x, reps as number[]),
        tf.broadcastTo(tf.expandDims(x, 0), [2, ...x.shape]),
        tf.reverse(x, dims),
        tf.reverse(x, -1),
      ],
    );
  });

  it(cover("BroadcastTo"), async () => {
    // tf.broadcastTo tiles; the kernel is there for gradients and models that hold it.
    await property(ranked(1, 3), (x) =>
      expectAgreement((a) => tf.broadcastTo(a as tf.Tensor, [2, ...x.shape]), [x], {
        compiled: (a) => {
          const [shape, inputShape] = [
            [2, ...x.shape],
            [1, ...x.shape],
          ];
          return tf
            .engine()
            .runKernel("BroadcastTo", { x: tf.reshape(a as tf.Tensor, inputShape) }, { shape, inputShape });
        },
      }),
    );
  });

  it("bandPart", async () => {
    await property(hosts([2, 3, 4]), (x) =>
      expectAgreement((a) => tf.linalg.bandPart(a as tf.Tensor, 1, 0), [x], { gradients: false }),
    );
  });

  it(cover("Diag"), async () => {
    for (const dtype of DTYPES) {
      await property(ranked(1, 2, dtype), (x) =>
        expectAgreement((a) => tf.diag(a as tf.Tensor), [x], { gradients: false }),
      );
    }
  });

  it(cover("FlipLeftRight"), async () => {
    await property(hosts([2, 2, 3, 2]), (x) =>
      expectAgreement((a) => tf.image.flipLeftRight(a as tf.Tensor4D), [x], { gradients: false }),
    );
  });
});

it("every rule of this family has a test above", () => {
  expectCovered("shapes");
});
