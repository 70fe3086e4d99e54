// Rules of reductions, running sums and products, softmax, the greatest elements and sorted sequences.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import {
  axes,
  chainOps,
  cover,
  expectAgreement,
  expectCovered,
  fc,
  type Host,
  hosts,
  property,
  shapes,
  vector,
} from "./support.ts";

chainOps(); // tfjs's gradient of prod calls x.reshape

/** An operand with the axes to reduce: none given, one from either end, or several. */
const reduced = (dtype: Host["dtype"] = "float32") =>
  shapes(1, 4).chain((shape) => {
    const several = fc.subarray([...shape.keys()], { minLength: 1 });
    const chosen = fc.oneof(
      axes(shape.length).map((axis) => [axis]),
      several,
    );
    return fc.tuple(hosts(shape, { dtype }), fc.option(chosen, { nil: undefined }), fc.boolean());
  });

describe("reductions", () => {
  type Reduction = (x: tf.Tensor, axis: number[] | undefined, keep: boolean) => tf.Tensor;
  const reductions: [string, Reduction][] = [
    ["Sum", tf.sum],
    ["Mean", tf.mean],
    ["Max", tf.max],
    ["Min", tf.min],
    ["Prod", tf.prod],
  ];
  it.each(reductions)("%s", async (kernel, fn) => {
    cover(kernel);
    await property(reduced(), ([x, axis, keep]) =>
      // tfjs's gradient of prod takes no axes from the end
      expectAgreement((input) => fn(input as tf.Tensor, axis, keep), [x], {
        gradients: kernel !== "Prod" || (axis?.every((each) => each >= 0) ?? true),
      }),
    );
    for (const dtype of ["int32", "bool"] as const) {
      await property(reduced(dtype), ([x, axis, keep]) =>
        expectAgreement((input) => fn(input as tf.Tensor, axis, keep), [x], { gradients: false }),
      );
    }
  });

  it.each([
    ["logSumExp", (x, axis, keep) => tf.logSumExp(x, axis, keep)],
    ["moments", (x, axis, keep) => tf.moments(x, axis, keep).variance],
    ["euclideanNorm", (x, axis, keep) => tf.euclideanNorm(x, axis?.slice(0, 2), keep)],
    ["norm of order 1", (x, axis, keep) => tf.norm(x, 1, axis?.slice(0, 1), keep)],
  ] as [string, Reduction][])("%s", async (_name, fn) => {
    await property(reduced(), ([x, axis, keep]) => expectAgreement((input) => fn(input as tf.Tensor, axis, keep), [x]));
  });

  it("Sum and Prod of nothing", async () => {
    const fn = (x: unknown) => [tf.sum(x as tf.Tensor, 1), tf.prod(x as tf.Tensor, 1), tf.sum(x as tf.Tensor, 0)];
    await expectAgreement(fn, [{ shape: [2, 0], dtype: "float32", values: [] }], { gradients: false });
  });

  it("Max and Min: the gradient goes to all of several equal elements", async () => {
    const x = vector("float32", 1, 3, 3, 0, 0);
    await expectAgreement((a) => [tf.max(a as tf.Tensor), tf.min(a as tf.Tensor)], [x]);
  });

  it(cover("All", "Any"), async () => {
    await property(reduced("bool"), ([x, axis, keep]) =>
      expectAgreement((a) => [tf.all(a as tf.Tensor, axis, keep), tf.any(a as tf.Tensor, axis, keep)], [x], {
        gradients: false,
      }),
    );
  });

  it(cover("ArgMax", "ArgMin"), async () => {
    for (const dtype of ["float32", "int32", "bool"] as const) {
      await property(
        shapes(1, 3).chain((shape) => fc.tuple(hosts(shape, { dtype }), axes(shape.length))),
        ([x, axis]) =>
          expectAgreement((input) => [tf.argMax(input as tf.Tensor, axis), tf.argMin(input as tf.Tensor, axis)], [x], {
            gradients: false,
          }),
      );
    }
  });

  it(cover("Softmax", "LogSoftmax"), async () => {
    await property(
      shapes(1, 4).chain((shape) => hosts(shape)),
      async (x) => {
        await expectAgreement((input) => [tf.softmax(input as tf.Tensor), tf.logSoftmax(input as tf.Tensor)], [x]);
        // tf.logSoftmax is made of other kernels; older models may still hold this one.
        await expectAgreement((input) => tf.logSoftmax(input as tf.Tensor), [x], {
          compiled: (input) => tf.engine().runKernel("LogSoftmax", { logits: input as tf.Tensor }, { axis: -1 }),
        });
      },
    );
  });
});

describe("running sums and products", () => {
  const running = (dtype: Host["dtype"]) =>
    shapes(1, 3).chain((shape) =>
      fc.tuple(hosts(shape, { dtype }), fc.nat({ max: shape.length - 1 }), fc.boolean(), fc.boolean()),
    );

  it(cover("Cumsum"), async () => {
    // tfjs's cpu kernel takes no axis from the end, and its gradient is right for the last axis only.
    await property(running("float32"), ([x, axis, exclusive, reverse]) =>
      expectAgreement((input) => tf.cumsum(input as tf.Tensor, axis, exclusive, reverse), [x], {
        gradients: axis === x.shape.length - 1,
      }),
    );
    await property(running("int32"), ([x, axis, exclusive, reverse]) =>
      expectAgreement((input) => tf.cumsum(input as tf.Tensor, axis, exclusive, reverse), [x], { gradients: false }),
    );
  });

  it(cover("Cumprod"), async () => {
    for (const dtype of ["float32", "int32", "bool"] as const) {
      await property(running(dtype), ([x, axis, exclusive, reverse]) =>
        expectAgreement((input) => tf.cumprod(input as tf.Tensor, axis, exclusive, reverse), [x], { gradients: false }),
      );
    }
    await property(fc.tuple(hosts([2, 13], { min: 0.5, max: 1.5 }), fc.boolean()), ([x, reverse]) =>
      expectAgreement((input) => tf.cumprod(input as tf.Tensor, 1, false, reverse), [x], { gradients: false }),
    );
  });

  it("along an axis counted from the end", async () => {
    await property(hosts([2, 3]), async (x) => {
      for (const run of [tf.cumsum, tf.cumprod]) {
        await expectAgreement((a) => run(a as tf.Tensor, 1), [x], {
          gradients: false,
          compiled: (a) => run(a as tf.Tensor, -1),
        });
      }
    });
  });
});

describe("order", () => {
  it(cover("TopK"), async () => {
    for (const dtype of ["float32", "int32"] as const) {
      await property(
        shapes(1, 3).chain((shape) => fc.tuple(hosts(shape, { dtype }), fc.nat({ max: shape.at(-1) ?? 1 }))),
        ([x, k]) =>
          expectAgreement(
            (input) => {
              const { values, indices } = tf.topk(input as tf.Tensor, k);
              return [values, indices];
            },
            [x],
            { gradients: false },
          ),
      );
    }
  });

  it(cover("SearchSorted"), async () => {
    const sorted = hosts([2, 6], { dtype: "int32" }).map((x) => ({
      ...x,
      values: [0, 6].flatMap((at) => x.values.slice(at, at + 6).sort((a, b) => a - b)),
    }));
    await property(fc.tuple(sorted, hosts([2, 4], { dtype: "int32", min: -4, max: 4 })), (pair) =>
      expectAgreement(
        (row, values) => [
          tf.lowerBound(row as tf.Tensor, values as tf.Tensor),
          tf.upperBound(row as tf.Tensor, values as tf.Tensor),
          tf.searchSorted(tf.cast(row as tf.Tensor, "float32"), tf.cast(values as tf.Tensor, "float32"), "right"),
        ],
        pair,
        { gradients: false },
      ),
    );
  });
});

it("every rule of these families has a test above", () => {
  expectCovered("reductions", "ranking");
});
