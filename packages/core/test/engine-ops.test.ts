// wasm, with its replaced kernels, against cpu (plain JavaScript): every op and layer that models use, in value and
// gradient, on random shapes.
import {
  createLayout,
  crossEntropy,
  drawNormal,
  EAGER_BACKENDS,
  embed,
  fastTanh,
  foldKey,
  geluErf,
  geluTanh,
  keyFromSeed,
  klDivergence,
  type Layout,
  layerNorm,
  linear,
  maskedSoftmax,
  multiHeadAttention,
  oneHotRows,
  packTokens,
  padTokens,
  positionEncoding,
  sizeOf,
  valueAndGradients,
} from "@merclab/core";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { onBackend } from "./support/backends.ts";
import { expectClose, valuesOf } from "./support/tensors.ts";

type Shape = readonly number[];
type Apply = (...inputs: tf.Tensor[]) => tf.Tensor;

/** A function and the shapes of its inputs, which are filled with normals. */
interface Example {
  readonly shapes: readonly Shape[];
  readonly seed: number;
  /** Called outside the differentiated function: tensors that a gradient needs must not be made within it. */
  readonly prepare: () => Apply;
}

interface Result {
  readonly shape: Shape;
  readonly value: number[];
  readonly gradients: Readonly<Record<string, number[]>>;
}

function normals(shape: Shape, seed: number, input: number): tf.Tensor {
  return tf.tensor(Float32Array.from(drawNormal(foldKey(keyFromSeed(seed), input), sizeOf(shape))), [...shape]);
}

function compute({ shapes, seed, prepare }: Example, withGradients: boolean): Result {
  const apply = prepare();
  const inputs = shapes.map((shape, i) => normals(shape, seed, i));
  const out = apply(...inputs);
  const result = { shape: out.shape, value: valuesOf(out), gradients: {} };
  if (!withGradients) {
    return result;
  }
  // An upstream gradient without symmetries, so that a sum over the wrong axis shows.
  const upstream = normals(out.shape, seed, inputs.length);
  const named = Object.fromEntries(inputs.map((input, i) => [`input ${i}`, input]));
  const { gradients } = valueAndGradients(() => tf.sum(tf.mul(apply(...inputs), upstream)), named);
  const onHost = Object.entries(gradients).map(([name, gradient]) => [name, valuesOf(gradient)]);
  return { ...result, gradients: Object.fromEntries(onHost) };
}

async function expectAgreement(example: Example, withGradients = true): Promise<void> {
  const expected = await onBackend("cpu", () => compute(example, withGradients));
  const actual = await onBackend("wasm", () => compute(example, withGradients));
  expect(actual.shape).toEqual(expected.shape);
  expectClose(actual.value, expected.value, { atol: 1e-6, what: "value" });
  expect(Object.keys(actual.gradients)).toEqual(Object.keys(expected.gradients));
  for (const [name, gradient] of Object.entries(expected.gradients)) {
    expectClose(actual.gradients[name] ?? [], gradient, { atol: 1e-6, what: `gradient of ${name}` });
  }
}

async function agrees(examples: fc.Arbitrary<Example>, numRuns = 8, withGradients = true): Promise<void> {
  await fc.assert(
    fc.asyncProperty(examples, (example) => expectAgreement(example, withGradients)),
    { numRuns },
  );
}

const size = fc.integer({ min: 1, max: 6 });
const seeds = fc.nat(2 ** 31 - 1);

/** An op on matrices of one shape. */
function onMatrices(count: number, apply: Apply): fc.Arbitrary<Example> {
  return fc.record({ rows: size, columns: size, seed: seeds }).map(({ rows, columns, seed }) => ({
    shapes: new Array<Shape>(count).fill([rows, columns]),
    seed,
    prepare: () => apply,
  }));
}

/** An op on two sides, of which either may be broadcast. */
function onBroadcast(apply: Apply): fc.Arbitrary<Example> {
  const shapes = fc.tuple(size, size).chain(([rows, columns]) =>
    fc.constantFrom<Shape[]>(
      [
        [rows, columns],
        [rows, columns],
      ],
      [[rows, columns], [columns]],
      [
        [rows, columns],
        [1, columns],
      ],
      [
        [rows, columns],
        [rows, 1],
      ],
      [[rows, columns], []],
      [[columns], [rows, columns]],
      [
        [rows, 1],
        [1, columns],
      ],
      [
        [2, rows, columns],
        [rows, columns],
      ],
      [
        [2, 3, rows, columns],
        [2, 1, 1, columns],
      ],
    ),
  );
  return fc.record({ shapes, seed: seeds, prepare: fc.constant(() => apply) });
}

/** An op on packed `[tokens, dim]` or padded `[batch, time, dim]` rows of some layout. */
function onLayout(
  side: "packed" | "padded",
  apply: (x: tf.Tensor, layout: Layout) => tf.Tensor,
): fc.Arbitrary<Example> {
  return fc
    .record({ lengths: fc.array(size, { minLength: 1, maxLength: 4 }), padding: fc.nat(3), dim: size, seed: seeds })
    .map(({ lengths, padding, dim, seed }) => {
      const tokens = lengths.reduce((total, length) => total + length, padding);
      return {
        shapes: [side === "packed" ? [tokens, dim] : [lengths.length, Math.max(...lengths), dim]],
        seed,
        prepare: () => {
          const layout = createLayout(lengths, { tokens });
          return (x) => apply(x as tf.Tensor, layout);
        },
      };
    });
}

const positive = (x: tf.Tensor): tf.Tensor => tf.add(tf.square(x), 0.1);
const labels = (count: number, classes: number): tf.Tensor1D =>
  tf.tensor1d(
    Int32Array.from({ length: count }, (_, i) => (i * 7) % classes),
    "int32",
  );
const mask = (count: number): tf.Tensor1D =>
  tf.tensor1d(Float32Array.from({ length: count }, (_, i) => (i % 3 === 2 ? 0 : 1)));

describe("wasm agrees with cpu on ops of two sides", () => {
  it.each<[string, Apply]>([
    ["add", (a, b) => tf.add(a, b)],
    ["sub", (a, b) => tf.sub(a, b)],
    ["mul", (a, b) => tf.mul(a, b)],
    ["div", (a, b) => tf.div(a, positive(b))],
    ["pow", (a, b) => tf.pow(positive(a), b)],
  ])("%s", (_, apply) => agrees(onBroadcast(apply), 16));

  // tfjs's gradients of these do not sum over a broadcast side.
  it.each<[string, Apply]>([
    ["maximum", (a, b) => tf.maximum(a, b)],
    ["minimum", (a, b) => tf.minimum(a, b)],
    ["maximum with a number", (a, b) => tf.mul(tf.maximum(a, 0.1), b)],
  ])("%s", (_, apply) => agrees(onMatrices(2, apply)));
});

describe("wasm agrees with cpu on ops of matrices", () => {
  it.each<[string, number, Apply]>([
    ["neg", 1, (x) => tf.neg(x)],
    ["square", 1, (x) => tf.square(x)],
    ["sqrt", 1, (x) => tf.sqrt(positive(x))],
    ["rsqrt", 1, (x) => tf.rsqrt(positive(x))],
    ["exp", 1, (x) => tf.exp(x)],
    ["sin", 1, (x) => tf.sin(tf.mul(x, 10))],
    ["cos", 1, (x) => tf.cos(tf.mul(x, 10))],
    ["relu", 1, (x) => tf.relu(x)],
    ["sigmoid", 1, (x) => tf.sigmoid(tf.mul(x, 5))],
    ["erf", 1, (x) => tf.erf(x)],
    ["pow by a number", 1, (x) => tf.pow(positive(x), 2.5)],
    ["power of a number", 1, (x) => tf.pow(0.9, x)],
    ["softmax", 1, (x) => tf.softmax(tf.mul(x, 5))],
    ["logSoftmax", 1, (x) => tf.logSoftmax(tf.mul(x, 5))],
    ["sum", 1, (x) => tf.sum(x)],
    ["sum of rows", 1, (x) => tf.sum(x, 1)],
    ["sum of columns, kept", 1, (x) => tf.sum(x, 0, true)],
    ["mean of rows, kept", 1, (x) => tf.mean(x, -1, true)],
    ["largest of rows", 1, (x) => tf.max(x, 1)],
    ["reshape", 1, (x) => tf.reshape(x, [1, -1])],
    ["expandDims", 1, (x) => tf.expandDims(x, 1)],
    ["transpose", 1, (x) => tf.transpose(x)],
    ["slice", 1, (x) => tf.slice(x, [0, 0], [1, -1])],
    ["concat", 3, (a, b, c) => tf.concat([a, b, tf.concat([c, a], 1)], 1)],
    ["stack", 2, (a, b) => tf.stack([a, b], 2)],
    ["addN", 3, (a, b, c) => tf.addN([a, b, c, a])],
    ["zerosLike and onesLike", 1, (x) => tf.add(tf.mul(x, tf.zerosLike(x)), tf.mul(x, tf.onesLike(x)))],
    ["tanh by way of the sigmoid", 1, (x) => fastTanh(x)],
    ["GELU in the tanh form", 1, (x) => geluTanh(x)],
    ["GELU in the exact form", 1, (x) => geluErf(x)],
    ["masked softmax", 1, (x) => maskedSoftmax(x, tf.tensor1d(valuesOf(mask(x.shape[1] ?? 0))))],
  ])("%s", (_, count, apply) => agrees(onMatrices(count, apply)));
});

describe("wasm agrees with cpu on layers and losses", () => {
  it("linear", () =>
    agrees(
      fc.record({ tokens: size, inDim: size, outDim: size, seed: seeds }).map(({ tokens, inDim, outDim, seed }) => ({
        shapes: [[tokens, inDim], [outDim, inDim], [outDim]],
        seed,
        prepare: () => (x, weight, bias) =>
          linear({ "l.weight": weight as tf.Tensor, "l.bias": bias as tf.Tensor }, "l", x as tf.Tensor2D),
      })),
    ));

  it("layer norm", () =>
    agrees(
      fc.record({ tokens: size, dim: fc.integer({ min: 2, max: 8 }), seed: seeds }).map(({ tokens, dim, seed }) => ({
        shapes: [[tokens, dim], [dim], [dim]],
        seed,
        prepare: () => (x, weight, bias) =>
          layerNorm({ "n.weight": weight as tf.Tensor, "n.bias": bias as tf.Tensor }, "n", x as tf.Tensor2D, 1e-2),
      })),
    ));

  it("embedding and one-hot rows", () =>
    agrees(
      fc
        .record({
          entries: fc.integer({ min: 1, max: 6 }),
          depth: fc.integer({ min: 1, max: 3 }),
          dim: size,
          tokens: size,
          seed: seeds,
        })
        .map(({ entries, depth, dim, tokens, seed }) => ({
          shapes: [[entries, dim]],
          seed,
          prepare: () => (table) =>
            tf.concat(
              [embed(table as tf.Tensor2D, labels(tokens, entries)), oneHotRows(labels(tokens, entries), depth)],
              1,
            ),
        })),
    ));

  it("position encoding", () =>
    agrees(
      onMatrices(1, (x) =>
        tf.mul(x, tf.sum(positionEncoding({ positions: tf.tensor1d([0, 1, 57], "int32"), time: 58 }, 6))),
      ),
    ));

  it("multi-head attention with masked keys", () =>
    agrees(
      fc
        .record({ batch: size, time: size, numHeads: fc.integer({ min: 1, max: 3 }), headDim: size, seed: seeds })
        .map(({ batch, time, numHeads, headDim, seed }) => ({
          shapes: new Array<Shape>(3).fill([batch, time, numHeads * headDim]),
          seed,
          prepare: () => (q, k, v) =>
            multiHeadAttention(
              q as tf.Tensor3D,
              k as tf.Tensor3D,
              v as tf.Tensor3D,
              tf.reshape(mask(batch * time), [batch, time]) as tf.Tensor2D,
              { numHeads, dropout: 0 },
              {},
            ),
        })),
      12,
    ));

  it("cross-entropy, weighted and focal", () =>
    agrees(
      onMatrices(2, (left, right) => {
        const logits = tf.concat([left, right], 1);
        const [tokens, classes] = logits.shape as [number, number];
        const classWeights = Array.from({ length: classes }, (_, c) => c + 1);
        const targets = { labels: labels(tokens, classes), mask: mask(tokens) };
        return tf.addN([
          crossEntropy(logits as tf.Tensor2D, targets, { classWeights, focalGamma: 1.5 }),
          crossEntropy(logits as tf.Tensor2D, targets),
        ]);
      }),
    ));

  it("Kullback-Leibler divergence", () =>
    agrees(
      onMatrices(2, (teacher, student) =>
        klDivergence(teacher as tf.Tensor2D, student as tf.Tensor2D, mask(teacher.shape[0] ?? 0)),
      ),
    ));

  it("padding", () => agrees(onLayout("packed", (x, layout) => padTokens(x as tf.Tensor2D, layout))));

  it("packing", () => agrees(onLayout("padded", (x, layout) => packTokens(x as tf.Tensor3D, layout))));
});

describe("wasm's replaced matMul agrees with cpu", () => {
  /** Shapes of both sides before any transposition, stacked by `outerA` and `outerB`. */
  function products(outers: fc.Arbitrary<readonly [Shape, Shape]>): fc.Arbitrary<Example> {
    const sizes = fc.integer({ min: 1, max: 9 });
    return fc
      .record({ outers, m: sizes, k: sizes, n: sizes, transposeA: fc.boolean(), transposeB: fc.boolean(), seed: seeds })
      .map(({ outers: [outerA, outerB], m, k, n, transposeA, transposeB, seed }) => ({
        shapes: [
          [...outerA, ...(transposeA ? [k, m] : [m, k])],
          [...outerB, ...(transposeB ? [n, k] : [k, n])],
        ],
        seed,
        prepare: () => (a, b) => tf.matMul(a, b, transposeA, transposeB),
      }));
  }

  it("on single matrices", () => agrees(products(fc.constant([[], []])), 20));

  it("on stacks of matrices", () =>
    agrees(products(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }).map((o) => [o, o])), 30));

  // Values only: tfjs has no gradient of a broadcast product on any backend.
  it.each<[Shape, Shape]>([
    [[], [3]],
    [[3], []],
    [[1], [3]],
    [
      [2, 3],
      [1, 1],
    ],
    [
      [1, 1],
      [2, 3],
    ],
    [[2, 3], []],
    [[2, 3], [1]],
    [[3], [1, 1]],
    [[1, 1], [3]],
    [[1, 3], [3]],
    [[3], [1, 3]],
  ])("on stacks %j and %j, one side broadcast", (outerA, outerB) =>
    agrees(products(fc.constant([outerA, outerB])), 4, false),
  );

  it("on matrices as large as a model's", () =>
    agrees(
      fc.record({ seed: seeds, transposeB: fc.boolean() }).map(({ seed, transposeB }) => ({
        shapes: [[67, 130], transposeB ? [65, 130] : [130, 65]],
        seed,
        prepare: () => (a, b) => tf.matMul(a, b, false, transposeB),
      })),
      2,
    ));

  it("and gives an empty product for no rows, on every backend", async () => {
    for (const backend of EAGER_BACKENDS) {
      const shape = await onBackend(backend, () => tf.matMul(tf.zeros([0, 3]), tf.ones([3, 2])).shape);
      expect(shape).toEqual([0, 2]);
    }
  });

  it("refuses stacks that do not fit, and integers, whose bits would pass for floats", async () => {
    await onBackend("wasm", () => {
      expect(() => tf.matMul(tf.ones([2, 3, 4]), tf.ones([3, 4, 5]))).toThrow(/broadcast/);
      expect(() => tf.matMul(tf.ones([2, 1, 3, 4]), tf.ones([1, 2, 4, 5]))).toThrow(/broadcast a stack/);
      const integers = tf.tensor2d([[1, 2]], [1, 2], "int32");
      expect(() => tf.matMul(integers, tf.transpose(integers))).toThrow(/int32/);
    });
  });
});

describe("gather", () => {
  it.each<[string, Shape, Shape, number]>([
    ["elements", [5], [4], 0],
    ["rows", [5, 3], [7], 0],
    ["blocks", [5, 3, 2], [2], 0],
    ["columns", [3, 5], [4], 1],
    ["rows by a matrix of indices", [5, 3], [2, 2], 0],
  ])("of %s agrees with cpu", (_, shape, indexShape, axis) =>
    agrees(
      fc
        .record({ seed: seeds, indices: fc.array(fc.nat(4), { minLength: 7, maxLength: 7 }) })
        .map(({ seed, indices }) => ({
          shapes: [shape],
          seed,
          prepare: () => (x) =>
            tf.gather(x, tf.tensor(indices.slice(0, sizeOf(indexShape)), [...indexShape], "int32"), axis),
        })),
      6,
      false,
    ),
  );

  it.each(EAGER_BACKENDS)("of integers works on %s", async (backend) => {
    const rows = await onBackend(backend, () =>
      valuesOf(tf.gather(tf.tensor1d([10, 20, 30], "int32"), tf.tensor1d([2, 0], "int32"))),
    );
    expect(rows).toEqual([30, 10]);
  });

  it.each(EAGER_BACKENDS.flatMap((backend) => [-1, 3, 1000].map((index) => [backend, index] as const)))(
    "on %s refuses the index %d of three rows, and keeps no memory",
    (backend, index) =>
      onBackend(backend, () => {
        const x = tf.ones([3, 2]);
        const indices = tf.tensor1d([0, index], "int32");
        const before = tf.memory().numBytes;
        const buffers = tf.backend().numDataIds();
        expect(() => tf.gather(x, indices)).toThrow(/index/);
        expect(tf.memory().numBytes).toBe(before);
        expect(tf.backend().numDataIds()).toBe(buffers);
      }),
  );
});

describe("a clone", () => {
  it.each(EAGER_BACKENDS)("on %s outlives its original, and frees its memory itself", (backend) =>
    onBackend(backend, () => {
      const buffers = tf.backend().numDataIds();
      const original = tf.tensor1d([1, 2, 3]);
      const clone = tf.clone(original);
      const second = tf.clone(clone);
      original.dispose();
      clone.dispose();
      const others = tf.fill([3], 9); // would take the place of memory that was freed too early
      expect(valuesOf(second)).toEqual([1, 2, 3]);
      tf.dispose([second, others]);
      expect(tf.backend().numDataIds()).toBe(buffers);
    }),
  );
});
