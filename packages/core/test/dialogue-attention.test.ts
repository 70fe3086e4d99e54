// Attention within the dialogues of a packed batch against attention on each dialogue alone.
import {
  attendWithinDialogues,
  type Context,
  createEagerEngine,
  createLayout,
  createRandomSource,
  keyFromSeed,
  layoutTensors,
  multiHeadAttention,
  valueAndGradients,
} from "@merclab/core";
import {
  concat,
  gather,
  mul,
  range,
  reshape,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tensor1d,
  tensor2d,
  tidy,
  zeros,
} from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { expectClose, valuesOf } from "./support/tensors.ts";

beforeAll(() => createEagerEngine("cpu").start());

const NUM_HEADS = 2;
const DIM = 6;

const cases = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
  more: fc.record({ tokens: fc.nat(3), time: fc.nat(2), shortTime: fc.nat(2) }),
  missing: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
  seed: fc.nat(1000),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function prepare({ lengths, more, missing, seed }: Case, bucketed: boolean) {
  const used = lengths.reduce((total, length) => total + length, 0);
  const sorted = [...lengths].sort((a, b) => b - a);
  const bucket = {
    tokens: used + more.tokens,
    time: (sorted[0] ?? 0) + more.time,
    shortTime: (sorted[Math.ceil(sorted.length / 2)] ?? 0) + more.shortTime,
  };
  const layout = createLayout(lengths, bucketed ? bucket : {});
  const rows = (from: number): Tensor2D =>
    tensor2d(
      Float32Array.from({ length: layout.tokens * DIM }, (_, i) =>
        i < used * DIM ? Math.sin(seed + from + i * i) : 9,
      ),
      [layout.tokens, DIM],
    );
  const present = tensor1d(Array.from({ length: layout.tokens }, (_, i) => (i < used && missing[i] !== true ? 1 : 0)));
  return { used, layout, q: rows(1), k: rows(100), v: rows(1000), present };
}

/** One dialogue after the other, unpadded. */
function oneByOne({ q, k, v, present }: Record<"q" | "k" | "v", Tensor2D> & { present: Tensor1D }, lengths: number[]) {
  let start = 0;
  const parts = lengths.map((length) => {
    const at = range(start, start + length, 1, "int32");
    start += length;
    const of = (x: Tensor2D) => reshape(gather(x, at), [1, length, DIM]) as Tensor3D;
    const keys = reshape(gather(present, at), [1, length]) as Tensor2D;
    if (valuesOf(keys).every((value) => value === 0)) {
      return zeros([length, DIM]);
    }
    return reshape(multiHeadAttention(of(q), of(k), of(v), keys, { numHeads: NUM_HEADS, dropout: 0 }, {}), [
      length,
      DIM,
    ]);
  });
  return concat(parts) as Tensor2D;
}

describe("attention within dialogues", () => {
  it("is that of each dialogue alone, in value and gradients, whatever the bucket and what is missing", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), (given, bucketed) => {
        tidy(() => {
          const { used, layout, present, ...inputs } = prepare(given, bucketed);
          const weights = tensor2d(
            Float32Array.from({ length: used * DIM }, (_, i) => Math.cos(i * 3)),
            [used, DIM],
          );
          const real = range(0, used, 1, "int32");
          const options = { numHeads: NUM_HEADS, dropout: 0 };
          const ours = valueAndGradients(() => {
            const out = attendWithinDialogues({ ...inputs, present, layout }, options, {});
            return sum(mul(gather(out, real), weights));
          }, inputs);
          const theirs = valueAndGradients(
            () => sum(mul(oneByOne({ ...inputs, present }, given.lengths), weights)),
            inputs,
          );
          expectClose(valuesOf(ours.value), valuesOf(theirs.value), { rtol: 1e-4, atol: 1e-5 });
          for (const name of ["q", "k", "v"] as const) {
            const expected = theirs.gradients[name];
            const zero = new Array(layout.tokens * DIM).fill(0);
            expectClose(valuesOf(ours.gradients[name] as Tensor), expected === undefined ? zero : valuesOf(expected), {
              rtol: 1e-4,
              atol: 1e-5,
            });
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it("drops the same weights whatever the bucket", () => {
    fc.assert(
      fc.property(cases, (given) => {
        const context: Context = { random: createRandomSource(keyFromSeed(given.seed)) };
        const results = [false, true].map((bucketed) => {
          const { used, layout, ...inputs } = prepare(given, bucketed);
          const out = attendWithinDialogues({ ...inputs, layout }, { numHeads: NUM_HEADS, dropout: 0.5 }, context);
          return valuesOf(out).slice(0, used * DIM);
        });
        expectClose(results[1] ?? [], results[0] ?? [], { rtol: 1e-5, atol: 1e-6 });
      }),
      { numRuns: 40 },
    );
  });

  it("has a layout whose tensors can all be freed", () => {
    const layout = createLayout([3, 1, 2]);
    expect(layoutTensors(layout)).toHaveLength(9);
    expect(() => createLayout([3, 3], { shortTime: 2 })).toThrow(/does not fit a group of time 2/);
  });
});
