// Laws of layers, attention and optimisers; their values are checked in torch.test.ts.
import {
  type Context,
  classWeightsOption,
  clippingScale,
  concatLast,
  contextWithin,
  createAdam,
  createEagerEngine,
  createRandomSource,
  createSgd,
  crossEntropy,
  dropout,
  globalNorm,
  keyFromSeed,
  linear,
  maskedSoftmax,
  multiHeadAttention,
  positionEncoding,
  resolveClassWeights,
  scaledWithDecay,
  stopGradient,
  valueAndGradients,
} from "@merclab/core";
import {
  add,
  gather,
  mul,
  ones,
  scalar,
  square,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tensor1d,
  tensor2d,
  tensor3d,
} from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose, valuesOf } from "./support/tensors.ts";

await createEagerEngine("cpu").start();

const numbers = (length: number): fc.Arbitrary<number[]> =>
  fc
    .array(fc.integer({ min: -40, max: 40 }), { minLength: length, maxLength: length })
    .map((xs) => xs.map((x) => x / 8));

describe("linear", () => {
  it("leaves the bias out where none was declared", () => {
    const weight = tensor2d([[1, 2]]);
    expect(linear({ "l.weight": weight }, "l", tensor2d([[3, 4]])).arraySync()).toEqual([[11]]);
  });

  it("refuses a parameter that was never declared", () => {
    expect(() => linear({}, "l", tensor2d([[1]]))).toThrow('parameter "l.weight" was never declared');
  });
});

describe("position encoding", () => {
  it("interleaves sines and cosines as worked out by hand", () => {
    const encoded = positionEncoding({ positions: tensor1d([0, 3], "int32"), time: 4 }, 4);
    expect(encoded.shape).toEqual([2, 4]);
    expectClose(valuesOf(encoded), [0, 1, 0, 1, Math.sin(3), Math.cos(3), Math.sin(0.03), Math.cos(0.03)]);
  });
});

describe("dropout", () => {
  const x = tensor2d([[1, 2, 3, 4]]);
  const context: Context = { random: createRandomSource(keyFromSeed(1)) };

  it("is the identity in evaluation and for rate 0", () => {
    expect(dropout(x, 0.5, {}, "site")).toBe(x);
    expect(dropout(x, 0, context, "site")).toBe(x);
  });

  it("drops or scales, in value and gradient alike", () => {
    const wide = ones([1, 200]);
    const { gradients } = valueAndGradients(() => sum(dropout(wide, 0.25, context, "site")), { wide });
    const kept = valuesOf(dropout(wide, 0.25, context, "site"));
    expect(new Set(kept)).toEqual(new Set([0, Math.fround(4 / 3)]));
    expect(valuesOf(gradients.wide as Tensor)).toEqual(kept);
  });

  it("draws other masks within a sub-part", () => {
    const wide = ones([1, 200]);
    const outer = valuesOf(dropout(wide, 0.5, context, "site"));
    expect(valuesOf(dropout(wide, 0.5, contextWithin(context, "part"), "site"))).not.toEqual(outer);
    expect(contextWithin({}, "part")).toEqual({});
  });
});

describe("concatLast and stopGradient", () => {
  it("join rows side by side", () => {
    const joined = concatLast([
      tensor2d([[1], [2]]),
      tensor2d([
        [3, 4],
        [5, 6],
      ]),
    ]);
    expect(joined.arraySync()).toEqual([
      [1, 3, 4],
      [2, 5, 6],
    ]);
  });

  it("keep the value and stop its gradient", () => {
    const x = tensor1d([2, 3]);
    const { value, gradients } = valueAndGradients(() => sum(mul(x, stopGradient(x))), { x });
    expect(valuesOf(value)).toEqual([13]);
    expect(valuesOf(gradients.x as Tensor)).toEqual([2, 3]);
  });
});

describe("masked softmax", () => {
  it("gives masked entries exactly 0 and the rest the softmax among themselves", () => {
    fc.assert(
      fc.property(numbers(5), fc.array(fc.constantFrom(0, 1), { minLength: 5, maxLength: 5 }), (scores, mask) => {
        fc.pre(mask.includes(1));
        const exps = scores.map((score, i) => (mask[i] === 1 ? Math.exp(score) : 0));
        const total = exps.reduce((a, b) => a + b, 0);
        const weights = valuesOf(maskedSoftmax(tensor1d(scores), tensor1d(mask)));
        expectClose(
          weights,
          exps.map((value) => value / total),
        );
        expect(weights.every((weight, i) => mask[i] === 1 || weight === 0)).toBe(true);
      }),
    );
  });

  it("is uniform where everything is masked, and gives masked scores no gradient", () => {
    expect(valuesOf(maskedSoftmax(tensor1d([3, -2]), tensor1d([0, 0])))).toEqual([0.5, 0.5]);
    const scores = tensor1d([3, -2, 1]);
    const { gradients } = valueAndGradients(() => sum(square(maskedSoftmax(scores, tensor1d([1, 1, 0])))), { scores });
    const gradient = valuesOf(gradients.scores as Tensor);
    expect(gradient[2]).toBeCloseTo(0, 30);
    expect(gradient[0]).not.toBe(0);
  });
});

describe("multi-head attention", () => {
  const options = { numHeads: 2, dropout: 0 };
  const shape: [number, number, number] = [2, 3, 4];
  const keyMask = tensor2d([
    [1, 1, 0],
    [1, 0, 0],
  ]);
  const attend = (q: Tensor3D, k: Tensor3D, v: Tensor3D): number[] =>
    valuesOf(multiHeadAttention(q, k, v, keyMask, options, {}));

  it("never sees what lies under a masked key", () => {
    fc.assert(
      fc.property(numbers(24), numbers(24), numbers(24), numbers(24), (q, k, v, noise) => {
        const masked = valuesOf(keyMask);
        const change = (values: number[]): Tensor3D =>
          tensor3d(
            values.map((value, i) => (masked[Math.floor(i / 4)] === 1 ? value : (noise[i] ?? 0))),
            shape,
          );
        const queries = tensor3d(q, shape);
        expect(attend(queries, change(k), change(v))).toEqual(attend(queries, tensor3d(k, shape), tensor3d(v, shape)));
      }),
    );
  });

  it("gives the only key's value where one key is left", () => {
    const v = tensor3d(
      Array.from({ length: 24 }, (_, i) => i),
      shape,
    );
    const q = tensor3d(
      Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      shape,
    );
    expect(attend(q, q, v).slice(12)).toEqual([12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15]);
  });

  it("gives a permuted batch the permuted result", () => {
    fc.assert(
      fc.property(numbers(24), numbers(24), numbers(24), (q, k, v) => {
        const swapped = (x: Tensor): Tensor => gather(x, tensor1d([1, 0], "int32"));
        const inputs = [q, k, v].map((values) => tensor3d(values, shape)) as [Tensor3D, Tensor3D, Tensor3D];
        const [a, b, c] = inputs.map(swapped) as [Tensor3D, Tensor3D, Tensor3D];
        const forward = multiHeadAttention(...inputs, keyMask, options, {});
        const backward = multiHeadAttention(a, b, c, swapped(keyMask) as Tensor2D, options, {});
        expectClose(valuesOf(backward), valuesOf(swapped(forward)), { rtol: 1e-6 });
      }),
    );
  });
});

describe("valueAndGradients", () => {
  it("has no entry for a parameter that the value does not depend on", () => {
    const used = scalar(3);
    const { value, gradients } = valueAndGradients(() => square(used), { used, idle: scalar(1) });
    expect(valuesOf(value)).toEqual([9]);
    expect(Object.keys(gradients)).toEqual(["used"]);
    expect(valuesOf(gradients.used as Tensor)).toEqual([6]);
  });
});

describe("gradients before the optimiser", () => {
  const gradients = { a: tensor1d([3, 0]), b: scalar(-4) };

  it("have the norm of all of them together", () => {
    expect(valuesOf(globalNorm(gradients))).toEqual([5]);
  });

  it("are scaled to the limit together, and left alone below it", () => {
    expectClose(valuesOf(clippingScale(gradients, 1) as Tensor), [0.2]);
    expect(valuesOf(clippingScale(gradients, 5.5) as Tensor)).toEqual([1]);
    expect(clippingScale(gradients, null)).toBeUndefined();
  });

  it("stay zero when all of them are zero", () => {
    expect(valuesOf(clippingScale({ a: tensor1d([0, 0]) }, 1) as Tensor)).toEqual([1]);
  });

  it("take coupled decay from their own parameter, after the scale", () => {
    const [gradient, weights] = [tensor1d([1, 1]), tensor1d([2, 4])];
    expect(valuesOf(scaledWithDecay(gradient, undefined, weights, 0.5))).toEqual([2, 3]);
    expect(valuesOf(scaledWithDecay(gradient, scalar(2), weights, 0.5))).toEqual([3, 4]);
    expect(scaledWithDecay(gradient, undefined, weights, 0)).toBe(gradient);
  });
});

describe("optimisers", () => {
  const adam = { lr: 0.1, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.5, maxGradientNorm: null } as const;
  const each = [
    ["Adam", createAdam({ ...adam, decay: "coupled" })],
    ["AdamW", createAdam({ ...adam, decay: "decoupled" })],
    ["SGD", createSgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.5, maxGradientNorm: null })],
  ] as const;

  it.each(each)("%s leaves a parameter without a gradient alone, decay included", (_, optimizer) => {
    const parameters = { used: tensor1d([1, -1]), idle: tensor1d([5]) };
    const state = optimizer.init(parameters);
    const next = optimizer.update(parameters, { used: tensor1d([1, 1]) }, state);
    expect(next.parameters.idle).toBe(parameters.idle);
    expect(valuesOf(next.parameters.used as Tensor)).not.toEqual([1, -1]);
    expect(Object.keys(next.state).sort()).toEqual(Object.keys(state).sort());
  });

  it.each(each)("%s does not change the parameters and the state that it is given", (_, optimizer) => {
    const parameters = { w: tensor1d([1, -1]) };
    const state = optimizer.init(parameters);
    const before = Object.values(state).map(valuesOf);
    optimizer.update(parameters, { w: tensor1d([1, 1]) }, state);
    expect(valuesOf(parameters.w)).toEqual([1, -1]);
    expect(Object.values(state).map(valuesOf)).toEqual(before);
  });

  it.each(each)("%s goes down a bowl", (_, optimizer) => {
    let parameters: Record<string, Tensor> = { w: tensor1d([1, -2]) };
    let state = optimizer.init(parameters);
    const height = (): Tensor => sum(square(add(parameters.w as Tensor, 3)));
    const start = valuesOf(height())[0] as number;
    for (let step = 0; step < 30; step++) {
      const { gradients } = valueAndGradients(height, parameters);
      const next = optimizer.update(parameters, gradients, state);
      parameters = { ...next.parameters };
      state = next.state;
    }
    expect(valuesOf(height())[0]).toBeLessThan(start / 2);
  });
});

describe("class weights", () => {
  it("are the inverse frequencies, and 0 for a class that training never shows", () => {
    expect(resolveClassWeights("inverse-frequency", [1, 3, 0])).toEqual([4, 4 / 3, 0]);
  });

  it("are taken as given, or absent", () => {
    expect(resolveClassWeights([1, 2], [5, 5])).toEqual([1, 2]);
    expect(resolveClassWeights("none", [5, 5])).toBeUndefined();
  });

  it("are refused when their number is not the task's", () => {
    expect(() => resolveClassWeights([1, 2], [5, 5, 5])).toThrow(expect.objectContaining({ code: "config" }));
  });

  it("may be 0 for some classes, not for all", () => {
    expect(classWeightsOption.safeParse([0, 1]).success).toBe(true);
    expect(classWeightsOption.safeParse([0, 0]).success).toBe(false);
  });

  it("of 0 for every token of a batch give loss and gradient 0, not NaN", () => {
    const logits = tensor2d([
      [1, -1],
      [0, 3],
    ]);
    const targets = { labels: tensor1d([0, 0], "int32"), mask: tensor1d([1, 1]) };
    const loss = () => crossEntropy(logits, targets, { classWeights: [0, 1] });
    const { value, gradients } = valueAndGradients(loss, { logits });
    expect(valuesOf(value).map(Math.abs)).toEqual([0]);
    expect(valuesOf(gradients.logits as Tensor).map(Math.abs)).toEqual([0, 0, 0, 0]);
  });
});
