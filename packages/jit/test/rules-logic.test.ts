// Rules of comparisons, logical kernels, tests for NaN, and choice against the eager cpu backend.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import {
  broadcastPairs,
  cover,
  expectAgreement,
  expectCovered,
  fc,
  hosts,
  property,
  shapes,
  vector,
} from "./support.ts";

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

describe("tests of one operand", () => {
  it(cover("IsNan", "IsInf", "IsFinite", "LogicalNot"), async () => {
    const x = vector("float32", 0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    const all = (a: tf.Tensor) => [tf.isNaN(a), tf.isInf(a), tf.isFinite(a), tf.logicalNot(tf.isNaN(a))];
    await expectAgreement((a) => all(a as tf.Tensor), [x], { gradients: false });
  });
});

describe("comparisons and logic, broadcast", () => {
  const comparisons: readonly (readonly [string, Binary])[] = [
    ["Equal", tf.equal],
    ["NotEqual", tf.notEqual],
    ["Greater", tf.greater],
    ["GreaterEqual", tf.greaterEqual],
    ["Less", tf.less],
    ["LessEqual", tf.lessEqual],
  ];
  it.each(comparisons)("%s", async (kernel, fn) => {
    cover(kernel);
    for (const dtype of ["float32", "int32", "bool"] as const) {
      const range = dtype === "bool" ? { dtype } : { dtype, max: -1 };
      await property(
        broadcastPairs.chain(([a, b]) => fc.tuple(hosts(a, range), hosts(b, range))),
        ([a, b]) => expectAgreement((x, y) => fn(x as tf.Tensor, y as tf.Tensor), [a, b], { gradients: false }),
      );
    }
  });

  it(cover("LogicalAnd", "LogicalOr", "LogicalXor"), async () => {
    await property(
      broadcastPairs.chain(([a, b]) => fc.tuple(hosts(a, { dtype: "bool" }), hosts(b, { dtype: "bool" }))),
      async (pair) => {
        const all = (x: unknown, y: unknown) =>
          [tf.logicalAnd, tf.logicalOr, tf.logicalXor].map((fn) => fn(x as tf.Tensor, y as tf.Tensor));
        await expectAgreement(all, pair, { gradients: false });
        // tf.logicalXor is made of the other two; the kernel is there for models that hold it.
        await expectAgreement((x, y) => tf.logicalXor(x as tf.Tensor, y as tf.Tensor), pair, {
          gradients: false,
          compiled: (a, b) =>
            tf.engine().runKernel("LogicalXor", { a: a as tf.Tensor, b: b as tf.Tensor }) as tf.Tensor,
        });
      },
    );
  });
});

describe("choice", () => {
  it(cover("Select"), async () => {
    await property(
      shapes(1, 3).chain((shape) => fc.tuple(hosts(shape, { dtype: "bool" }), hosts(shape), hosts(shape))),
      (list) => expectAgreement((c, a, b) => tf.where(c as tf.Tensor, a as tf.Tensor, b as tf.Tensor), list),
    );
  });

  it("Select of whole rows by a vector", async () => {
    // The kernel takes such a vector, tf.where spreads it first, and tfjs's cpu kernel reads the wrong elements.
    await property(fc.tuple(hosts([3], { dtype: "bool" }), hosts([3, 2]), hosts([3, 2])), (list) =>
      expectAgreement((c, a, b) => tf.where(tf.reshape(c as tf.Tensor, [3, 1]), a as tf.Tensor, b as tf.Tensor), list, {
        gradients: false,
        compiled: (condition, t, e) =>
          tf.engine().runKernel("Select", {
            condition: condition as tf.Tensor,
            t: t as tf.Tensor,
            e: e as tf.Tensor,
          }) as tf.Tensor,
      }),
    );
  });

  it.each([
    ["bool", "bool"],
    ["int32", "int32"],
    ["float32", "int32"],
    ["bool", "float32"],
  ] as const)("Select between %s and %s, broadcast", async (yes, no) => {
    await property(
      broadcastPairs.chain(([a, b]) =>
        fc.tuple(hosts(a, { dtype: "bool" }), hosts(b, { dtype: yes }), hosts(a, { dtype: no })),
      ),
      (list) =>
        expectAgreement((c, a, b) => tf.where(c as tf.Tensor, a as tf.Tensor, b as tf.Tensor), list, {
          gradients: false,
        }),
    );
  });
});

it("every rule of this family has a test above", () => {
  expectCovered("logic");
});
