// Every rule against the eager cpu backend: values and gradients, random shapes, broadcasting and negative axes.
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { RULES } from "../src/index.ts";
import { axes, broadcastPairs, type Dtype, expectAgreement, fc, hosts, property, shapes } from "./support.ts";

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** tfjs's gradients of these do not sum over broadcast axes. */
const GRADIENT_TAKES_EQUAL_SHAPES: ReadonlySet<string> = new Set(["Maximum", "Minimum", "SquaredDifference", "Prelu"]);

/** Kernels that some test below compiles; the last test compares them with the rules. */
const covered = new Set<string>();

function cover(...kernels: readonly string[]): string {
  for (const kernel of kernels) {
    covered.add(kernel);
  }
  return kernels.join(", ");
}

describe("element-wise rules", () => {
  const smooth: [kernel: string, fn: Unary, range?: { min: number; max: number }][] = [
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
    ["Softplus", tf.softplus],
    ["Sqrt", tf.sqrt, { min: 0.1, max: 5 }],
    ["Square", tf.square],
    ["Step", (x) => tf.step(x, 0.25)],
    ["Tan", tf.tan, { min: -1, max: 1 }],
    ["Tanh", tf.tanh],
    ["ClipByValue", (x) => tf.clipByValue(x, -1, 1.5)],
  ];
  it.each(smooth)("%s", async (...[kernel, fn, range]: (typeof smooth)[number]) => {
    cover(kernel, ...(kernel === "Elu" ? ["EluGrad"] : []));
    await property(
      shapes().chain((shape) => hosts(shape, range)),
      (x) => expectAgreement((input) => fn(input as tf.Tensor), [x]),
    );
  });

  it.each([
    ["Abs", tf.abs],
    ["Neg", tf.neg],
    ["Square", tf.square],
    ["ClipByValue", (x: tf.Tensor) => tf.clipByValue(x, -1, 2)],
  ] as const)("%s of int32", async (_kernel, fn) => {
    await property(
      shapes().chain((shape) => hosts(shape, { dtype: "int32" })),
      (x) => expectAgreement((input) => fn(input as tf.Tensor), [x], { gradients: false }),
    );
  });

  it(cover("IsNan", "IsInf", "IsFinite", "LogicalNot"), async () => {
    const values = [0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const all = (x: tf.Tensor) => [tf.isNaN(x), tf.isInf(x), tf.isFinite(x), tf.logicalNot(tf.isNaN(x))];
    await expectAgreement((x) => all(x as tf.Tensor), [{ shape: [6], dtype: "float32", values }], { gradients: false });
  });

  it.each([
    ["float32", "int32"],
    ["float32", "bool"],
    ["int32", "float32"],
    ["int32", "bool"],
    ["bool", "float32"],
    ["bool", "int32"],
  ] as const)("Cast from %s to %s", async (from, to) => {
    cover("Cast");
    await property(
      shapes().chain((shape) => hosts(shape, { dtype: from })),
      (x) => expectAgreement((input) => tf.cast(input as tf.Tensor, to), [x], { gradients: false }),
    );
  });

  it(cover("Identity", "OnesLike", "ZerosLike"), async () => {
    await property(
      shapes().chain((shape) => hosts(shape)),
      (x) =>
        expectAgreement(
          (a) => [tf.clone(a as tf.Tensor), tf.onesLike(a as tf.Tensor), tf.zerosLike(a as tf.Tensor)],
          [x],
        ),
    );
  });

  const arithmetic: [kernel: string, fn: Binary, dtypes: Dtype[], range?: { min: number; max: number }][] = [
    ["Add", tf.add, ["float32", "int32"]],
    ["Sub", tf.sub, ["float32", "int32"]],
    ["Multiply", tf.mul, ["float32", "int32"]],
    ["RealDiv", tf.div, ["float32"], { min: 0.3, max: 4 }],
    ["FloorDiv", (a, b) => tf.floorDiv(a, tf.add(b, 4.5 as never)), ["float32"]],
    ["Maximum", tf.maximum, ["float32", "int32"]],
    ["Minimum", tf.minimum, ["float32", "int32"]],
    ["Pow", tf.pow, ["float32"], { min: 0.3, max: 3 }],
    ["SquaredDifference", tf.squaredDifference, ["float32", "int32"]],
    ["Mod", tf.mod, ["float32"]],
    ["Prelu", (a, b) => tf.prelu(a, b), ["float32"]],
  ];
  it.each(arithmetic)("%s, broadcast", async (...[kernel, fn, dtypes, range]: (typeof arithmetic)[number]) => {
    cover(kernel);
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

  it("FloorDiv and Mod of int32, every pair of signs", async () => {
    cover("FloorDiv", "Mod");
    const a = { shape: [9, 1], dtype: "int32" as const, values: [-8, -7, -6, -1, 0, 1, 6, 7, 8] };
    const b = { shape: [6], dtype: "int32" as const, values: [-7, -3, -2, 2, 3, 7] };
    await expectAgreement(
      (x, y) => [tf.floorDiv(x as tf.Tensor, y as tf.Tensor), tf.mod(x as tf.Tensor, y as tf.Tensor)],
      [a, b],
      {
        gradients: false,
      },
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

  const comparisons: readonly (readonly [string, Binary])[] = [
    ["Equal", tf.equal],
    ["NotEqual", tf.notEqual],
    ["Greater", tf.greater],
    ["GreaterEqual", tf.greaterEqual],
    ["Less", tf.less],
    ["LessEqual", tf.lessEqual],
  ];
  it.each(comparisons)("%s, broadcast", async (kernel, fn) => {
    cover(kernel);
    for (const dtype of ["float32", "int32"] as const) {
      await property(
        broadcastPairs.chain(([a, b]) => fc.tuple(hosts(a, { dtype, max: -1 }), hosts(b, { dtype, max: -1 }))),
        ([a, b]) => expectAgreement((x, y) => fn(x as tf.Tensor, y as tf.Tensor), [a, b], { gradients: false }),
      );
    }
  });

  it(`${cover("LogicalAnd", "LogicalOr")}, broadcast`, async () => {
    await property(
      broadcastPairs.chain(([a, b]) => fc.tuple(hosts(a, { dtype: "bool" }), hosts(b, { dtype: "bool" }))),
      ([a, b]) =>
        expectAgreement(
          (x, y) => [tf.logicalAnd(x as tf.Tensor, y as tf.Tensor), tf.logicalOr(x as tf.Tensor, y as tf.Tensor)],
          [a, b],
          { gradients: false },
        ),
    );
  });

  it(cover("Select"), async () => {
    await property(
      shapes(1, 3).chain((shape) => fc.tuple(hosts(shape, { dtype: "bool" }), hosts(shape), hosts(shape))),
      ([condition, yes, no]) =>
        expectAgreement((c, a, b) => tf.where(c as tf.Tensor, a as tf.Tensor, b as tf.Tensor), [condition, yes, no]),
    );
  });

  it(cover("AddN"), async () => {
    await property(
      shapes().chain((shape) => fc.tuple(hosts(shape), hosts(shape), hosts(shape))),
      (list) => expectAgreement((...inputs) => tf.addN(inputs), list),
    );
  });
});

describe("reductions", () => {
  const reductions: readonly (readonly [
    string,
    (x: tf.Tensor, axis: number[] | undefined, keep: boolean) => tf.Tensor,
    boolean,
  ])[] = [
    ["Sum", tf.sum, true],
    ["Mean", tf.mean, true],
    ["Max", tf.max, true],
    ["Min", tf.min, true],
    ["Prod", (x, axis, keep) => tf.prod(x as never, axis, keep), false], // tfjs's gradient needs chained ops
    ["LogSumExp", (x, axis, keep) => tf.logSumExp(x, axis, keep), true],
  ];
  it.each(reductions)("%s", async (kernel, fn, gradients) => {
    if (kernel !== "LogSumExp") {
      cover(kernel);
    }
    await property(
      shapes(1, 3).chain((shape) =>
        fc.tuple(
          hosts(shape),
          fc.option(
            axes(shape.length).map((axis) => [axis]),
            { nil: undefined },
          ),
          fc.boolean(),
        ),
      ),
      ([x, axis, keep]) => expectAgreement((input) => fn(input as tf.Tensor, axis, keep), [x], { gradients }),
    );
  });

  it(cover("All", "Any"), async () => {
    await property(
      shapes(1, 3).chain((shape) => fc.tuple(hosts(shape, { dtype: "bool" }), axes(shape.length))),
      ([x, axis]) =>
        expectAgreement((input) => [tf.all(input as tf.Tensor, axis), tf.any(input as tf.Tensor, axis)], [x], {
          gradients: false,
        }),
    );
  });

  it(cover("ArgMax", "ArgMin"), async () => {
    await property(
      shapes(1, 3).chain((shape) => fc.tuple(hosts(shape), axes(shape.length))),
      ([x, axis]) =>
        expectAgreement((input) => [tf.argMax(input as tf.Tensor, axis), tf.argMin(input as tf.Tensor, axis)], [x], {
          gradients: false,
        }),
    );
  });

  it(cover("Cumsum"), async () => {
    // tfjs's cpu kernel takes no axis from the end, and its gradient is right for the last axis only.
    await property(
      shapes(1, 3).chain((shape) =>
        fc.tuple(hosts(shape), fc.nat({ max: shape.length - 1 }), fc.boolean(), fc.boolean()),
      ),
      ([x, axis, exclusive, reverse]) =>
        expectAgreement((input) => tf.cumsum(input as tf.Tensor, axis, exclusive, reverse), [x], {
          gradients: axis === x.shape.length - 1,
        }),
    );
  });

  it(cover("Softmax", "LogSoftmax"), async () => {
    await property(
      shapes(1, 3).chain((shape) => hosts(shape)),
      (x) => expectAgreement((input) => [tf.softmax(input as tf.Tensor), tf.logSoftmax(input as tf.Tensor)], [x]),
    );
  });
});

describe("shapes", () => {
  const ranked = (min: number, max = 3) => shapes(min, max).chain((shape) => hosts(shape));

  it(cover("Reshape", "ExpandDims", "Transpose"), async () => {
    await property(
      ranked(1).chain((x) =>
        fc.tuple(
          fc.constant(x),
          axes(x.shape.length),
          fc.shuffledSubarray([...x.shape.keys()], { minLength: x.shape.length }),
        ),
      ),
      ([x, axis, perm]) =>
        expectAgreement(
          (input) => [
            tf.reshape(input as tf.Tensor, [-1, 1]),
            tf.expandDims(input as tf.Tensor, axis),
            tf.transpose(input as tf.Tensor, perm),
          ],
          [x],
        ),
    );
  });

  it(cover("Slice", "PadV2"), async () => {
    const cut = ranked(1).chain((x) =>
      fc.tuple(
        fc.constant(x),
        fc.tuple(...x.shape.map((dim) => fc.integer({ min: 0, max: dim - 1 }))),
        fc.tuple(...x.shape.map(() => fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 })))),
      ),
    );
    await property(cut, ([x, begin, paddings]) =>
      expectAgreement(
        (input) => [tf.slice(input as tf.Tensor, begin), tf.pad(input as tf.Tensor, paddings as never, 0.5)],
        [x],
      ),
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
    const cut = ranked(1, 3).chain((x) =>
      fc.tuple(
        fc.constant(x),
        fc.tuple(...x.shape.map(span)),
        fc.nat({ max: 7 }),
        fc.nat({ max: 7 }),
        fc.constantFrom(0, 1),
      ),
    );
    await property(cut, ([x, spans, beginMask, endMask, shrinkMask]) =>
      expectAgreement(
        (a) =>
          tf.stridedSlice(
            a as tf.Tensor,
            spans.map(({ begin }) => begin),
            spans.map(({ end }) => end),
            spans.map(({ stride }) => stride),
            beginMask,
            endMask,
            0,
            0,
            spans.every(({ stride }) => stride === 1) ? shrinkMask : 0,
          ),
        [x],
        { gradients: false },
      ),
    );
  });

  it(cover("Concat", "Pack", "Unpack", "SplitV"), async () => {
    await property(
      ranked(1).chain((x) => fc.tuple(fc.constant(x), hosts(x.shape), axes(x.shape.length))),
      ([x, y, axis]) =>
        expectAgreement(
          (a, b) => {
            const joined = tf.concat([a as tf.Tensor, b as tf.Tensor], axis);
            const stacked = tf.stack([a as tf.Tensor, b as tf.Tensor], axis);
            return [joined, stacked, ...tf.split(joined, 2, axis), ...tf.unstack(stacked, axis)];
          },
          [x, y],
        ),
    );
  });

  it("SplitV into unequal parts", async () => {
    await property(hosts([2, 5]), (x) => expectAgreement((a) => tf.split(a as tf.Tensor, [1, 3, 1], -1), [x]));
  });

  it(cover("Tile", "BroadcastTo", "Reverse"), async () => {
    await property(
      ranked(1).chain((x) =>
        fc.tuple(fc.constant(x), fc.tuple(...x.shape.map(() => fc.integer({ min: 1, max: 3 }))), axes(x.shape.length)),
      ),
      ([x, reps, axis]) =>
        expectAgreement(
          (a) => [
            tf.tile(a as tf.Tensor, reps),
            tf.broadcastTo(a as tf.Tensor, [2, ...x.shape]),
            tf.reverse(a as tf.Tensor, axis),
          ],
          [x],
        ),
    );
  });

  it(cover("MirrorPad"), async () => {
    await property(hosts([3, 4]), (x) =>
      expectAgreement(
        (a) =>
          tf.mirrorPad(
            a as tf.Tensor,
            [
              [1, 2],
              [0, 3],
            ],
            "reflect",
          ),
        [x],
        { gradients: false },
      ),
    );
  });

  it(cover("Fill", "Range", "LinSpace"), async () => {
    await expectAgreement(
      (x) => [
        tf.add(tf.fill([2, 3], 1.5), x as tf.Tensor),
        tf.range(1, 7, 2),
        tf.range(5, 1),
        tf.range(3, -2, -2, "int32"),
        tf.linspace(0, 1, 5),
      ],
      [{ shape: [], dtype: "float32", values: [2] }],
      { gradients: false },
    );
  });
});

describe("rows by index", () => {
  const places = (count: number, length: number) => hosts([length], { dtype: "int32", min: 0, max: count - 1 });

  it(`${cover("GatherV2", "UnsortedSegmentSum")} with repeated indices`, async () => {
    await property(
      shapes(1, 3).chain((shape) =>
        axes(shape.length).chain((axis) => fc.tuple(hosts(shape), places(shape.at(axis) ?? 1, 5), fc.constant(axis))),
      ),
      ([x, indices, axis]) =>
        expectAgreement((a, i) => tf.gather(a as tf.Tensor, i as tf.Tensor1D, axis), [x, indices]),
    );
  });

  it("GatherV2 with batches", async () => {
    await property(
      fc.tuple(hosts([2, 4, 3]), hosts([2, 5], { dtype: "int32", min: 0, max: 3 }), hosts([2, 3, 4])),
      ([x, indices, y]) =>
        expectAgreement(
          (a, i, b) => [
            tf.gather(a as tf.Tensor, i as tf.Tensor, 1, 1),
            tf.gather(b as tf.Tensor, i as tf.Tensor, 2, 1),
          ],
          [x, indices, y],
          { gradients: false },
        ),
    );
  });

  it("UnsortedSegmentSum drops indices outside", async () => {
    await property(fc.tuple(hosts([5, 2]), hosts([5], { dtype: "int32", min: -2, max: 5 })), ([x, ids]) =>
      expectAgreement((a, i) => tf.unsortedSegmentSum(a as tf.Tensor, i as tf.Tensor1D, 3), [x, ids], {
        gradients: false,
      }),
    );
  });

  it(`${cover("OneHot")} with indices outside`, async () => {
    await property(hosts([4], { dtype: "int32", min: -1, max: 5 }), (x) =>
      expectAgreement(
        (a) => [tf.oneHot(a as tf.Tensor1D, 4), tf.oneHot(a as tf.Tensor1D, 4, 2.5, -1, "float32")],
        [x],
        {
          gradients: false,
        },
      ),
    );
  });

  it(cover("GatherNd", "ScatterNd"), async () => {
    const indices = fc.tuple(...Array.from({ length: 4 }, () => fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 2 }))));
    await property(fc.tuple(hosts([2, 3, 2]), hosts([4, 2]), indices), ([x, updates, pairs]) =>
      expectAgreement(
        (a, u, i) => [
          tf.gatherND(a as tf.Tensor, i as tf.Tensor),
          tf.scatterND(i as tf.Tensor, u as tf.Tensor, [2, 3, 2]),
        ],
        [x, updates, { shape: [4, 2], dtype: "int32", values: pairs.flat() }],
        { gradients: false },
      ),
    );
  });
});

describe("products", () => {
  it(`${cover("BatchMatMul")}, each side as it is or transposed, stacks broadcast`, async () => {
    const dim = fc.integer({ min: 1, max: 4 });
    const dims = fc.tuple(dim, dim, dim);
    const stacks = fc.constantFrom<[number[], number[]]>(
      [[], []],
      [[2], [2]],
      [
        [2, 3],
        [2, 3],
      ],
      [
        [2, 3],
        [1, 1],
      ],
    );
    await property(
      fc
        .tuple(dims, stacks, fc.boolean(), fc.boolean())
        .chain(([[m, k, n], [outerA, outerB], ta, tb]) =>
          fc.tuple(
            hosts([...outerA, ...(ta ? [k, m] : [m, k])]),
            hosts([...outerB, ...(tb ? [n, k] : [k, n])]),
            fc.constant([ta, tb] as const),
          ),
        ),
      ([a, b, [ta, tb]]) => {
        const sameStacks = a.shape.slice(0, -2).join() === b.shape.slice(0, -2).join();
        return expectAgreement((x, y) => tf.matMul(x as tf.Tensor, y as tf.Tensor, ta, tb), [a, b], {
          gradients: sameStacks, // tfjs's own gradient does not sum over broadcast stacks
        });
      },
    );
  });

  it.each(["linear", "relu", "elu", "relu6", "sigmoid", "leakyrelu", "prelu"] as const)(
    `${cover("_FusedMatMul")} with %s`,
    async (activation) => {
      await property(fc.tuple(hosts([3, 2]), hosts([2, 4]), hosts([4])), (list) =>
        expectAgreement(
          (a, b, bias) =>
            tf.fused.matMul({
              a: a as tf.Tensor,
              b: b as tf.Tensor,
              bias: bias as tf.Tensor,
              activation,
              ...(activation === "prelu" ? { preluActivationWeights: bias as tf.Tensor } : {}),
              leakyreluAlpha: 0.2,
            }),
          list,
          { gradients: false },
        ),
      );
    },
  );
});

it("every rule has a test above", () => {
  expect([...RULES.keys()].filter((kernel) => !covered.has(kernel))).toEqual([]);
});
