// Rules that read, write and sum rows by index.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import {
  axes,
  chainOps,
  cover,
  type Dtype,
  expectAgreement,
  expectCovered,
  fc,
  type Host,
  hosts,
  property,
  shapes,
  vector,
} from "./support.ts";

chainOps(); // tfjs's gradient of gather with batches chains its ops

const DTYPES: readonly Dtype[] = ["float32", "int32", "bool"];
const places = (count: number, ...shape: number[]) => hosts(shape, { dtype: "int32", min: 0, max: count - 1 });

describe("reading", () => {
  it(`${cover("GatherV2")} with repeated indices`, async () => {
    cover("UnsortedSegmentSum"); // its gradient
    for (const dtype of DTYPES) {
      await property(
        shapes(1, 3).chain((shape) =>
          axes(shape.length).chain((axis) =>
            fc.tuple(hosts(shape, { dtype }), places(shape.at(axis) ?? 1, 2, 3), fc.constant(axis)),
          ),
        ),
        ([x, indices, axis]) =>
          expectAgreement((a, i) => tf.gather(a as tf.Tensor, i as tf.Tensor, axis), [x, indices], {
            gradients: dtype === "float32",
          }),
      );
    }
  });

  it("GatherV2 with batches", async () => {
    await property(fc.tuple(hosts([2, 4, 3]), places(4, 2, 5), hosts([2, 3, 4])), async ([x, indices, y]) => {
      const rows = (a: unknown, i: unknown) => tf.gather(a as tf.Tensor, i as tf.Tensor, 1, 1);
      const columns = (a: unknown, i: unknown) => tf.gather(a as tf.Tensor, i as tf.Tensor, 2, 1);
      await expectAgreement(rows, [x, indices]);
      await expectAgreement(columns, [y, indices], { gradients: false });
    });
  });

  it("GatherV2 of no rows", async () => {
    const none: Host = { shape: [0], dtype: "int32", values: [] };
    await property(hosts([3, 2]), (x) =>
      expectAgreement((a, i) => tf.gather(a as tf.Tensor, i as tf.Tensor1D), [x, none], { gradients: false }),
    );
  });

  it(cover("GatherNd"), async () => {
    for (const dtype of DTYPES) {
      const indices = fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 2 })), { minLength: 1, maxLength: 4 });
      await property(fc.tuple(hosts([2, 3, 2], { dtype }), indices), ([x, pairs]) =>
        expectAgreement(
          (a, i) => [
            tf.gatherND(a as tf.Tensor, i as tf.Tensor),
            tf.gatherND(a as tf.Tensor, tf.slice(i as tf.Tensor, [0, 0], [-1, 1])),
          ],
          [x, { shape: [pairs.length, 2], dtype: "int32", values: pairs.flat() }],
          { gradients: false },
        ),
      );
    }
  });

  it(`${cover("OneHot")} with indices outside`, async () => {
    const marks = (i: tf.Tensor) => [
      tf.oneHot(i, 4),
      tf.oneHot(i, 4, 2.5, -1, "float32"),
      tf.oneHot(i, 4, 1, 0, "bool"),
      tf.oneHot(i, 4, 3, 1, "int32"),
    ];
    for (const shape of [[4], [2, 3]]) {
      await property(hosts(shape, { dtype: "int32", min: -1, max: 5 }), (x) =>
        expectAgreement((i) => marks(i as tf.Tensor), [x], { gradients: false }),
      );
    }
  });
});

describe("writing", () => {
  it(cover("UnsortedSegmentSum"), async () => {
    await property(
      shapes(1, 3).chain((shape) => fc.tuple(hosts(shape), places(3, shape[0] ?? 1))),
      (pair) => expectAgreement((a, i) => tf.unsortedSegmentSum(a as tf.Tensor, i as tf.Tensor1D, 3), pair),
    );
  });

  it("UnsortedSegmentSum drops indices outside", async () => {
    await property(fc.tuple(hosts([5, 2]), hosts([5], { dtype: "int32", min: -2, max: 5 })), (pair) =>
      expectAgreement((a, i) => tf.unsortedSegmentSum(a as tf.Tensor, i as tf.Tensor1D, 3), pair, { gradients: false }),
    );
  });

  it("UnsortedSegmentSum of int32", async () => {
    // tfjs's cpu kernel gives float32 here, against its own documentation.
    await property(fc.tuple(hosts([5, 2], { dtype: "int32" }), places(3, 5)), (pair) =>
      expectAgreement((a, i) => tf.cast(tf.unsortedSegmentSum(a as tf.Tensor, i as tf.Tensor1D, 3), "int32"), pair, {
        gradients: false,
        compiled: (a, i) => tf.unsortedSegmentSum(a as tf.Tensor, i as tf.Tensor1D, 3),
      }),
    );
  });

  it(cover("ScatterNd"), async () => {
    for (const dtype of ["float32", "int32"] as const) {
      const indices = fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 2 })), { minLength: 4, maxLength: 4 });
      await property(fc.tuple(hosts([4, 2], { dtype }), hosts([4, 3, 2], { dtype }), indices), ([u, wide, pairs]) =>
        expectAgreement(
          (a, b, i) => [
            tf.scatterND(i as tf.Tensor, a as tf.Tensor, [2, 3, 2]),
            tf.scatterND(tf.slice(i as tf.Tensor, [0, 0], [4, 1]), b as tf.Tensor, [2, 3, 2]),
          ],
          [u, wide, { shape: [4, 2], dtype: "int32", values: pairs.flat() }],
          { gradients: false },
        ),
      );
    }
  });

  /** Of equal indices, the last one stays. */
  it(cover("TensorScatterUpdate"), async () => {
    const indices = fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 2 })), { minLength: 4, maxLength: 4 });
    for (const dtype of DTYPES) {
      await property(fc.tuple(hosts([2, 3, 2], { dtype }), hosts([4, 2], { dtype }), indices), ([x, u, pairs]) =>
        expectAgreement(
          // tfjs's cpu kernel writes into its operand, hence the copy
          (a, b, i) => tf.tensorScatterUpdate(tf.tile(a as tf.Tensor, [1, 1, 1]), i as tf.Tensor, b as tf.Tensor),
          [x, u, { shape: [4, 2], dtype: "int32", values: pairs.flat() }],
          { gradients: false },
        ),
      );
    }
  });

  it(cover("SparseToDense"), async () => {
    for (const dtype of ["float32", "int32"] as const) {
      const matrix = fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 2 })), { minLength: 3, maxLength: 3 });
      await property(fc.tuple(hosts([3], { dtype }), matrix, places(4, 3)), ([values, pairs, rows]) =>
        expectAgreement(
          (v, i, j) => [
            tf.sparseToDense(i as tf.Tensor, v as tf.Tensor, [2, 3], 7),
            tf.sparseToDense(j as tf.Tensor, v as tf.Tensor, [4]),
            tf.sparseToDense(j as tf.Tensor, tf.scalar(2, dtype), [4]),
          ],
          [values, { shape: [3, 2], dtype: "int32", values: pairs.flat() }, rows],
          { gradients: false },
        ),
      );
    }
  });
});

describe("counting", () => {
  const none: Host = { shape: [0], dtype: "float32", values: [] };

  it(cover("Bincount"), async () => {
    for (const dtype of ["float32", "int32"] as const) {
      await property(fc.tuple(places(6, 7), hosts([7], { dtype })), ([x, weights]) =>
        expectAgreement(
          (a, w, no) => [
            tf.bincount(a as tf.Tensor1D, w as tf.Tensor1D, 4),
            tf.bincount(a as tf.Tensor1D, no as tf.Tensor1D, 8),
          ],
          [x, weights, none],
          { gradients: false },
        ),
      );
    }
  });

  it(cover("DenseBincount"), async () => {
    await property(fc.tuple(places(6, 2, 5), hosts([2, 5])), ([x, weights]) =>
      expectAgreement(
        (a, w, no) => {
          const [rows, one, scale] = [a as tf.Tensor2D, w as tf.Tensor2D, no as tf.Tensor2D];
          return [
            tf.denseBincount(rows, one, 4),
            tf.denseBincount(rows, one, 4, true),
            tf.denseBincount(rows, scale, 7),
            tf.denseBincount(tf.reshape(rows, [10]) as tf.Tensor1D, tf.reshape(one, [10]) as tf.Tensor1D, 7),
          ];
        },
        [x, weights, { ...none, shape: [0, 5] }],
        { gradients: false },
      ),
    );
  });

  it("Bincount leaves out negative numbers, at which tfjs throws", async () => {
    await expectAgreement(
      (_x, y) => tf.bincount(y as tf.Tensor1D, tf.tensor1d([]), 3),
      [vector("int32", 0, -1, 2, 2), vector("int32", 0, 2, 2)],
      { gradients: false, compiled: (x) => tf.bincount(x as tf.Tensor1D, tf.tensor1d([]), 3) },
    );
  });
});

it("every rule of these families has a test above", () => {
  expectCovered("gather", "scatter");
});
