// Rules of pooling along two and three axes, and of normalization.
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { jit } from "../src/index.ts";
import { cover, expectAgreement, expectCovered, fc, type Host, hosts, property } from "./support.ts";

type Pair = [number, number];
type Padding = "valid" | "same" | [[0, 0], Pair, Pair, [0, 0]];

interface Case {
  readonly x: Host;
  readonly size: Pair;
  readonly strides: Pair;
  readonly pad: Padding;
}

const small = (max: number) => fc.integer({ min: 1, max });

/** Windows of which none sees padding only. */
const cases = (padded: boolean): fc.Arbitrary<Case> =>
  fc
    .record({
      size: fc.tuple(small(3), small(3)),
      more: fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 })),
      strides: fc.tuple(small(3), small(3)),
      batch: small(2),
      channels: small(3),
      edges: fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.nat({ max: 2 })),
      same: fc.boolean(),
    })
    .chain(({ size, more, strides, batch, channels, edges, same }) => {
      const [tall = 1, wide = 1] = size;
      const [top, bottom, left, right] = edges;
      const within = (count: number, length: number): number => Math.min(count, length - 1);
      const explicit: Padding = [
        [0, 0],
        [within(top, tall), within(bottom, tall)],
        [within(left, wide), within(right, wide)],
        [0, 0],
      ];
      return fc.record({
        x: hosts([batch, tall + (more[0] ?? 0), wide + (more[1] ?? 0), channels]),
        size: fc.constant(size),
        strides: fc.constant(strides),
        pad: fc.constant<Padding>(padded ? (same ? "same" : explicit) : "valid"),
      });
    });

/** The mean of the elements that each window sees, made of convolutions: its gradient is right at the edges too. */
function meanOfSeen(x: tf.Tensor4D, size: Pair, strides: Pair, pad: Padding): tf.Tensor {
  const ones = tf.ones([...size, x.shape[3], 1]) as tf.Tensor4D;
  const sums = tf.depthwiseConv2d(x, ones, strides, pad as never);
  return tf.div(sums, tf.depthwiseConv2d(tf.ones(x.shape) as tf.Tensor4D, ones, strides, pad as never));
}

describe("pooling along two axes", () => {
  it(cover("MaxPool", "MaxPoolGrad"), async () => {
    for (const padded of [false, true]) {
      await property(
        cases(padded),
        ({ x, size, strides, pad }) =>
          expectAgreement((a) => tf.maxPool(a as tf.Tensor4D, size, strides, pad as never), [x]),
        15,
      );
    }
  });

  it(cover("AvgPool", "AvgPoolGrad"), async () => {
    await property(
      cases(false),
      ({ x, size, strides }) => expectAgreement((a) => tf.avgPool(a as tf.Tensor4D, size, strides, "valid"), [x]),
      15,
    );
  });

  it("AvgPool with padding: the gradient counts what a window sees, as the mean does", async () => {
    // The gradient of tfjs's cpu kernel divides by the size of the window everywhere.
    await property(
      cases(true),
      async ({ x, size, strides, pad }) => {
        const mean = (a: unknown) => tf.avgPool(a as tf.Tensor4D, size, strides, pad as never);
        await expectAgreement(mean, [x], { gradients: false });
        await expectAgreement((a) => meanOfSeen(a as tf.Tensor4D, size, strides, pad), [x], { compiled: mean });
      },
      15,
    );
  });

  it("over everything, and of one element", async () => {
    await property(fc.tuple(hosts([2, 3, 4, 2]), fc.constantFrom<Pair>([3, 4], [1, 1])), ([x, size]) =>
      expectAgreement(
        (a) => [
          tf.maxPool(a as tf.Tensor4D, size, size, "valid"),
          tf.avgPool(a as tf.Tensor4D, size, size, "valid"),
          tf.maxPool(a as tf.Tensor4D, 5, 5, "same"),
        ],
        [x],
      ),
    );
  });

  it("along one axis, as a single row", async () => {
    await property(
      fc.tuple(hosts([2, 7, 3]), small(4), small(3), fc.constantFrom<"valid" | "same">("valid", "same")),
      ([x, size, stride, pad]) =>
        expectAgreement(
          (a) => {
            const row = tf.expandDims(a as tf.Tensor3D, 1) as tf.Tensor4D;
            return [tf.maxPool(row, [1, size], [1, stride], pad), tf.avgPool(row, [1, size], [1, stride], "valid")];
          },
          [x],
        ),
    );
  });

  it("rounded up: the gradient knows the last window, which tfjs's cpu backend forgets", async () => {
    await property(hosts([1, 4, 6, 2]), (x) =>
      expectAgreement(
        (a) => {
          const rows = tf.pad(
            a as tf.Tensor4D,
            [
              [0, 0],
              [0, 1],
              [0, 1],
              [0, 0],
            ],
            -9,
          ) as tf.Tensor4D;
          return tf.maxPool(rows, 3, 2, "valid");
        },
        [x],
        { compiled: (a) => tf.maxPool(a as tf.Tensor4D, 3, 2, 0, "ceil") },
      ),
    );
  });

  it("tf.pool with dilations", async () => {
    await property(fc.tuple(hosts([1, 5, 6, 2]), fc.constantFrom<"max" | "avg">("max", "avg")), ([x, kind]) =>
      expectAgreement((a) => tf.pool(a as tf.Tensor4D, [2, 2], kind, "valid", [2, 1], 1), [x]),
    );
  });

  it("is refused where a window sees nothing but padding", async () => {
    const fn = jit((a: tf.Tensor) =>
      tf.maxPool(a as tf.Tensor4D, 1, 1, [
        [0, 0],
        [1, 0],
        [0, 0],
        [0, 0],
      ]),
    );
    await expect(fn(tf.zeros([1, 2, 2, 1]))).rejects.toThrow(/MaxPool.*sees nothing but padding/);
    await fn.dispose();
  });

  it(cover("MaxPoolWithArgmax"), async () => {
    await property(fc.tuple(cases(false), fc.boolean(), fc.boolean()), ([{ x, size, strides }, same, includeBatch]) =>
      expectAgreement(
        (a) => {
          const pad = same ? "same" : "valid";
          const { result, indexes } = tf.maxPoolWithArgmax(a as tf.Tensor4D, size, strides, pad, includeBatch);
          return [result as tf.Tensor, indexes as tf.Tensor];
        },
        [x],
        { gradients: false },
      ),
    );
  });
});

describe("pooling along three axes", () => {
  const different = fc
    .shuffledSubarray(
      Array.from({ length: 2 * 4 * 3 * 5 * 2 }, (_, i) => i / 7),
      { minLength: 240 },
    )
    .map((values): Host => ({ shape: [2, 4, 3, 5, 2], dtype: "float32", values }));

  it(cover("MaxPool3D", "MaxPool3DGrad"), async () => {
    // Of equal elements tfjs's cpu kernel takes the last here, and with windows of unequal sides a wrong one.
    await property(
      fc.tuple(different, small(2), fc.constantFrom<"valid" | "same">("valid", "same")),
      ([x, stride, pad]) => expectAgreement((a) => tf.maxPool3d(a as tf.Tensor5D, 2, stride, pad), [x]),
    );
    await property(different, (x) =>
      expectAgreement((a) => tf.maxPool3d(a as tf.Tensor5D, [2, 1, 3], 1, "valid"), [x], { gradients: false }),
    );
  });

  it("MaxPool3D with windows of unequal sides: the gradient is that of the maxima", async () => {
    await property(different, (x) =>
      expectAgreement(
        (a) => {
          const planes = tf.reshape(a as tf.Tensor, [8, 3, 5, 2]) as tf.Tensor4D;
          return tf.reshape(tf.maxPool(planes, [2, 3], 1, "valid"), [2, 4, 2, 3, 2]);
        },
        [x],
        { compiled: (a) => tf.maxPool3d(a as tf.Tensor5D, [1, 2, 3], 1, "valid") },
      ),
    );
  });

  it("is refused where tfjs pads by a negative number", async () => {
    const fn = jit((a: tf.Tensor) => tf.maxPool3d(a as tf.Tensor5D, 2, 3, "same"));
    await expect(fn(tf.zeros([1, 3, 3, 3, 1]))).rejects.toThrow(/MaxPool3D.*negative padding.*"valid"/);
    await fn.dispose();
  });

  it(cover("AvgPool3D", "AvgPool3DGrad"), async () => {
    await property(fc.tuple(hosts([1, 4, 3, 5, 2]), small(2)), ([x, stride]) =>
      expectAgreement((a) => tf.avgPool3d(a as tf.Tensor5D, [2, 1, 3], stride, "valid"), [x]),
    );
  });
});

describe("normalization", () => {
  it(cover("FusedBatchNorm"), async () => {
    const moments = (shape: number[]) =>
      fc.tuple(hosts(shape), hosts(shape, { min: 0.1, max: 2 }), hosts(shape), hosts(shape));
    const batchNorm = (...list: tf.Tensor[]) => {
      const [x, mean, variance, offset, scale] = list as [tf.Tensor4D, ...tf.Tensor1D[]];
      return [tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D, offset, scale, 0.01)];
    };
    await property(fc.tuple(hosts([2, 3, 2, 4]), moments([4])), ([x, rest]) =>
      expectAgreement(batchNorm, [x, ...rest]),
    );
    await property(fc.tuple(hosts([2, 3, 2, 4]), moments([2, 3, 2, 4])), ([x, rest]) =>
      expectAgreement(batchNorm, [x, ...rest]),
    );
    await property(fc.tuple(hosts([3, 4]), moments([4])), ([x, rest]) => expectAgreement(batchNorm, [x, ...rest]));
    await property(fc.tuple(hosts([3, 4]), moments([4])), ([x, [mean, variance]]) =>
      expectAgreement(
        (a, m, v) => tf.batchNorm(a as tf.Tensor2D, m as tf.Tensor1D, v as tf.Tensor1D),
        [x, mean, variance],
        { gradients: false }, // tfjs keeps the scale for it, and fails where there is none
      ),
    );
  });

  it(cover("LRN", "LRNGrad"), async () => {
    await property(fc.tuple(hosts([2, 2, 3, 5]), fc.constantFrom(0, 1, 2, 7)), ([x, radius]) =>
      expectAgreement((a) => tf.localResponseNormalization(a as tf.Tensor4D, radius, 1.5, 0.7, 0.6), [x]),
    );
  });
});

it("every rule of these families has a test above", () => {
  expectCovered("pooling", "normalization");
});
