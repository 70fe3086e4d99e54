// Rules of element-wise functions, activations, arithmetic and logic against the eager cpu backend.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import {
  broadcastPairs,
  cover,
  DEVICE,
  type Dtype,
  expectAgreement,
  expectCovered,
  fc,
  hosts,
  property,
  shapes,
  vector,
} from "./support.ts";

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** tfjs's gradients of these do not sum over broadcast axes. */
const GRADIENT_TAKES_EQUAL_SHAPES: ReadonlySet<string> = new Set(["Maximum", "Minimum", "SquaredDifference", "Prelu"]);

describe("functions of one operand", () => {
  const floats: [kernel: string, fn: Unary, range?: { min: number; max: number }][] = [
    ["Abs", tf.abs],
    ["Acos", tf.acos, { min: -0.9, max: 0.9 }],
    ["Acosh", tf.acosh, { min: 1.2, max: 4 }],
    ["Asin", tf.asin, { min: -0.9, max: 0.9 }],
    ["Asinh", tf.asinh],
    ["Atan", tf.atan],
    ["Atanh", tf.atanh, { min: -0.9, max: 0.9 }],
    ["Ceil", tf.ceil],
    ["Cos", tf.cos],
    ["Cosh", tf.cosh],
    ["Elu", tf.elu],
    ["Erf", tf.erf],
    ["Exp", tf.exp],
    ["Expm1", tf.expm1],
    ["Floor", tf.floor],
    ["LeakyRelu", (x) => tf.leakyRelu(x, 0.3)],
    ["Log", tf.log, { min: 0.1, max: 5 }],
    ["Log1p", tf.log1p, { min: -0.8, max: 5 }],
    ["Neg", tf.neg],
    ["Reciprocal", tf.reciprocal, { min: 0.2, max: 4 }],
    ["Relu", tf.relu],
    ["Relu6", tf.relu6, { min: -3, max: 9 }],
    ["Round", tf.round],
    ["Rsqrt", tf.rsqrt, { min: 0.1, max: 5 }],
    ["Selu", tf.selu],
    ["Sigmoid", tf.sigmoid],
    ["Sign", tf.sign],
    ["Sin", tf.sin],
    ["Sinh", tf.sinh],
    ["Softplus", tf.softplus, { min: -30, max: 30 }],
    ["Sqrt", tf.sqrt, { min: 0.1, max: 5 }],
    ["Square", tf.square],
    ["Step", (x) => tf.step(x, 0.25)],
    ["Tan", tf.tan, { min: -1, max: 1 }],
    ["Tanh", tf.tanh],
    ["ClipByValue", (x) => tf.clipByValue(x, -1, 1.5)],
  ];
  it.each(floats)("%s", async (...[kernel, fn, range]: (typeof floats)[number]) => {
    cover(kernel, ...(kernel === "Elu" ? ["EluGrad"] : []));
    await property(
      shapes(0, 4).chain((shape) => hosts(shape, range)),
      (x) => expectAgreement((input) => fn(input as tf.Tensor), [x]),
    );
    await expectAgreement((input) => fn(input as tf.Tensor), [{ shape: [2, 0], dtype: "float32", values: [] }]);
  });

  const integers: [kernel: string, fn: Unary][] = [
    ["Abs", tf.abs],
    ["ClipByValue", (x) => tf.clipByValue(x, -1, 2)],
    ["ClipByValue without an upper bound", (x) => tf.clipByValue(x, -1.5, Number.POSITIVE_INFINITY)],
    ["Exp", tf.exp],
    ["IsFinite", tf.isFinite],
    ["IsInf", tf.isInf],
    ["IsNan", tf.isNaN],
    ["LeakyRelu", (x) => tf.leakyRelu(x, 0.3)],
    ["Neg", tf.neg],
    ["Relu", tf.relu],
    ["Relu6", tf.relu6],
    ["Round", tf.round],
    ["Sign", tf.sign],
    ["Square", tf.square],
  ];
  it.each(integers)("%s of int32", async (_kernel, fn) => {
    await property(
      shapes().chain((shape) => hosts(shape, { dtype: "int32", min: -9, max: 9 })),
      (x) => expectAgreement((input) => fn(input as tf.Tensor), [x], { gradients: false }),
    );
  });

  it("Round: halves to even, and Sign: zeros", async () => {
    const x = vector("float32", -2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 3.5);
    await expectAgreement((a) => [tf.round(a as tf.Tensor), tf.sign(a as tf.Tensor)], [x]);
  });

  it("Expm1 and Log1p: as fine near 0 as away from it", async () => {
    const x = vector("float32", -1e-3, -1e-5, -1e-8, 0, 1e-8, 1e-5, 1e-3, 0.499, 0.501, -0.499, -0.501);
    for (const fn of [tf.expm1, tf.log1p]) {
      await expectAgreement((a) => tf.mul(fn(a as tf.Tensor), 1e5), [x], { tolerance: 1e-6 });
    }
  });

  // A GPU may assume that there is no NaN: jit looks for it in what is trained there.
  it.skipIf(DEVICE === "webgpu")("NaN stays NaN, so that a model which diverged says so", async () => {
    const x = vector("float32", Number.NaN, 1);
    const functions = [tf.relu, tf.relu6, tf.elu, tf.selu, tf.softplus, tf.sigmoid, tf.tanh, tf.abs, tf.exp, tf.step];
    await expectAgreement((a) => functions.map((fn) => fn(a as tf.Tensor)), [x], { gradients: false });
  });

  const casts: [Dtype, Dtype][] = (["float32", "int32", "bool"] as const).flatMap((from) =>
    (["float32", "int32", "bool"] as const).map((to): [Dtype, Dtype] => [from, to]),
  );
  it.each(casts)("Cast from %s to %s", async (from, to) => {
    cover("Cast");
    await property(
      shapes().chain((shape) => hosts(shape, { dtype: from })),
      (x) =>
        expectAgreement((input) => tf.cast(input as tf.Tensor, to), [x], {
          gradients: from === "float32" && to === "float32",
        }),
    );
  });

  it(cover("Identity", "OnesLike", "ZerosLike"), async () => {
    for (const dtype of ["float32", "int32", "bool"] as const) {
      await property(
        shapes().chain((shape) => hosts(shape, { dtype })),
        (x) =>
          expectAgreement(
            (a) => [tf.clone(a as tf.Tensor), tf.onesLike(a as tf.Tensor), tf.zerosLike(a as tf.Tensor)],
            [x],
            { gradients: dtype === "float32" },
          ),
      );
    }
  });
});

describe("functions of two operands, broadcast", () => {
  const arithmetic: [kernel: string, fn: Binary, dtypes: Dtype[], range?: { min: number; max: number }][] = [
    ["Add", tf.add, ["float32", "int32"]],
    ["Atan2", tf.atan2, ["float32"]],
    ["Sub", tf.sub, ["float32", "int32"]],
    ["Multiply", tf.mul, ["float32", "int32", "bool"]],
    ["RealDiv", tf.div, ["float32"], { min: 0.3, max: 4 }],
    ["FloorDiv", (a, b) => tf.floorDiv(a, tf.add(b, 4.5 as never)), ["float32"]],
    ["Maximum", tf.maximum, ["float32", "int32", "bool"]],
    ["Minimum", tf.minimum, ["float32", "int32", "bool"]],
    ["Pow", tf.pow, ["float32"], { min: 0.3, max: 3 }],
    ["Pow of int32", tf.pow, ["int32"], { min: 0, max: 4 }],
    ["SquaredDifference", tf.squaredDifference, ["float32", "int32"]],
    ["Mod", tf.mod, ["float32"]],
    ["Prelu", (a, b) => tf.prelu(a, b), ["float32", "int32"]],
  ];
  it.each(arithmetic)("%s", async (...[kernel, fn, dtypes, range]: (typeof arithmetic)[number]) => {
    cover(kernel.replace(/ .*/, ""));
    for (const dtype of dtypes) {
      const gradients = dtype === "float32" && !GRADIENT_TAKES_EQUAL_SHAPES.has(kernel) && kernel !== "FloorDiv";
      await property(
        broadcastPairs
          .filter(([a, b]) => kernel !== "Prelu" || a.length >= b.length)
          .map(([a, b]) => (kernel === "Prelu" ? [a, b.length === a.length ? a : b] : [a, b]))
          .chain(([a, b]) =>
            fc.tuple(hosts(a as number[], { dtype, ...range }), hosts(b as number[], { dtype, ...range })),
          ),
        ([a, b]) => expectAgreement((x, y) => fn(x as tf.Tensor, y as tf.Tensor), [a, b], { gradients }),
      );
    }
  });

  it("FloorDiv and Mod of int32: every pair of signs, division by zero, and by constants", async () => {
    const a = {
      shape: [11, 1],
      dtype: "int32" as const,
      values: [-(2 ** 31), -8, -7, -6, -1, 0, 1, 6, 7, 8, 2 ** 31 - 1],
    };
    const b = vector("int32", -7, -3, -2, -1, 0, 2, 3, 7);
    const both = (x: tf.Tensor, y: tf.Tensor) => [tf.floorDiv(x, y), tf.mod(x, y)];
    const constant = tf.tensor1d([-3, 4], "int32");
    const smaller = { ...a, shape: [9, 1], values: a.values.slice(1, -1) };
    await expectAgreement((x, y) => both(x as tf.Tensor, y as tf.Tensor), [smaller, b], { gradients: false });
    await expectAgreement((x) => both(x as tf.Tensor, constant), [a], { gradients: false });
    await expectAgreement((x, y) => tf.mod(x as tf.Tensor, y as tf.Tensor), [a, b], { gradients: false });
  });

  it("Atan2 on the axes", async () => {
    const a = { shape: [3, 1], dtype: "float32" as const, values: [-1, 0, 1] };
    await expectAgreement((x, y) => tf.atan2(x as tf.Tensor, y as tf.Tensor), [a, vector("float32", -2, 0, 2)], {
      gradients: false,
    });
  });

  it(cover("BitwiseAnd"), async () => {
    await property(
      shapes(1, 3).chain((shape) =>
        fc.tuple(
          hosts(shape, { dtype: "int32", min: -99, max: 99 }),
          hosts(shape, { dtype: "int32", min: -99, max: 99 }),
        ),
      ),
      (pair) => expectAgreement((a, b) => tf.bitwiseAnd(a as tf.Tensor, b as tf.Tensor), pair, { gradients: false }),
    );
  });

  it.each([
    ["Maximum", tf.maximum],
    ["Minimum", tf.minimum],
    ["SquaredDifference", tf.squaredDifference],
    ["Prelu", tf.prelu],
  ] as const)("%s, gradients of equal shapes", async (_kernel, fn) => {
    await property(
      shapes().chain((shape) => fc.tuple(hosts(shape), hosts(shape))),
      ([a, b]) => expectAgreement((x, y) => fn(x as tf.Tensor, y as tf.Tensor), [a, b]),
    );
  });

  it(cover("AddN"), async () => {
    for (const dtype of ["float32", "int32"] as const) {
      await property(
        shapes().chain((shape) => fc.tuple(hosts(shape, { dtype }), hosts(shape, { dtype }), hosts(shape, { dtype }))),
        (list) => expectAgreement((...inputs) => tf.addN(inputs), list, { gradients: dtype === "float32" }),
      );
    }
  });
});

it("every rule of these families has a test above", () => {
  expectCovered("elementwise", "activations", "arithmetic");
});
