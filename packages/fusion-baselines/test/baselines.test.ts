// Every baseline against its formula written out on plain numbers, parameter counts, and what is refused.
import {
  countParameters,
  createEagerEngine,
  createLayout,
  type Fusion,
  type Inputs,
  initialParameters,
  keyFromSeed,
  MerclabError,
  type Parameters,
  type Plugin,
} from "@merclab/core";
import { type Tensor1D, tensor1d, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { plugins } from "../src/index.ts";

const NAMES = ["text", "audio", "visual"];
const LENGTHS = [2, 1];
const TOKENS = 3;
const PRESENT: Readonly<Record<string, readonly number[]>> = { text: [1, 1, 0], audio: [1, 0, 1], visual: [1, 1, 1] };

type Options = Readonly<Record<string, unknown>>;
type Rows = readonly (readonly number[])[];

function fusionOf(name: string, options: Options = {}, dim = 2, modalities: readonly string[] = NAMES): Fusion {
  const plugin = plugins.find((each) => each.name === name) as Plugin<"fusion">;
  return plugin.create(plugin.options.parse(options), { modalities, dim });
}

const wave = (rows: number, dim: number, phase: number): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: dim }, (_, k) => Math.sin(1.3 * i + 2.1 * k + phase)));

const STREAMS: Readonly<Record<string, Rows>> = Object.fromEntries(NAMES.map((name, m) => [name, wave(TOKENS, 2, m)]));
/** What was observed, zeros elsewhere. */
const SEEN: Rows[] = NAMES.map((name) =>
  (STREAMS[name] ?? []).map((row, i) => row.map((x) => x * (PRESENT[name]?.[i] ?? 0))),
);
const row = (m: number, i: number): readonly number[] => SEEN[m]?.[i] ?? [];

function run(fusion: Fusion, seed = 1) {
  const { fused, alone, values } = tidy(() => {
    const layout = createLayout(LENGTHS);
    const inputs: Inputs = {
      features: {},
      present: Object.fromEntries(NAMES.map((name) => [name, tensor1d([...(PRESENT[name] ?? [])]) as Tensor1D])),
      speakers: tensor1d([0, 0, 0], "int32"),
      layout,
    };
    const parameters: Parameters = initialParameters(fusion.parameters, keyFromSeed(seed));
    const streams = Object.fromEntries(
      NAMES.map((name) => [name, tensor2d((STREAMS[name] ?? []).map((each) => [...each]))]),
    );
    const { fused, alone } = fusion.apply(parameters, streams, inputs, {});
    const values = Object.fromEntries(
      Object.entries(parameters).map(([name, tensor]) => [
        name,
        tensor.shape.length === 1 ? [[...tensor.dataSync()]] : (tensor.arraySync() as number[][]),
      ]),
    );
    return { fused: fused.arraySync(), alone: alone?.("audio").arraySync() ?? [], values };
  });
  return { fused, alone, value: (name: string): number[][] => values[name] ?? [] };
}

const affine = (weight: Rows, bias: readonly number[], x: readonly number[]): number[] =>
  weight.map((each, o) => each.reduce((sum, w, i) => sum + w * (x[i] ?? 0), bias[o] ?? 0));

function expectClose(actual: Rows, expected: Rows): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((each, i) => {
    expect(each.length).toBe(expected[i]?.length);
    each.forEach((x, k) => {
      expect(x, `row ${i}: ${each} against ${expected[i]}`).toBeCloseTo(expected[i]?.[k] ?? Number.NaN, 5);
    });
  });
}

const tokens = <T>(make: (i: number) => T): T[] => Array.from({ length: TOKENS }, (_, i) => make(i));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  it("concat puts what was observed side by side, and may map it back", () => {
    const side = tokens((i) => [...row(0, i), ...row(1, i), ...row(2, i)]);
    expectClose(run(fusionOf("concat")).fused, side);
    const { fused, value } = run(fusionOf("concat", { projection: true }));
    const [weight, bias] = [value("concat.projection.weight"), value("concat.projection.bias")[0] ?? []];
    expectClose(
      fused,
      side.map((x) => affine(weight, bias, x)),
    );
  });

  it("sum adds, mean divides by the number of modalities that are there", () => {
    const total = tokens((i) => [0, 1].map((k) => [0, 1, 2].reduce((sum, m) => sum + (row(m, i)[k] ?? 0), 0)));
    expectClose(run(fusionOf("sum")).fused, total);
    const counts = tokens((i) => NAMES.reduce((sum, name) => sum + (PRESENT[name]?.[i] ?? 0), 0));
    expectClose(
      run(fusionOf("sum", { reduce: "mean" })).fused,
      total.map((x, i) => x.map((value) => value / (counts[i] ?? 1))),
    );
  });

  it("gated adds hidden states through gates that see all modalities", () => {
    const { fused, value } = run(fusionOf("gated"));
    const want = tokens((i) => {
      const all = [...row(0, i), ...row(1, i), ...row(2, i)];
      const parts = NAMES.map((name, m) => {
        const part = (of: string, x: readonly number[]) =>
          affine(value(`gated.${name}.${of}.weight`), value(`gated.${name}.${of}.bias`)[0] ?? [], x);
        const gate = part("gate", all).map(sigmoid);
        return part("hidden", row(m, i)).map((h, k) => (PRESENT[name]?.[i] ?? 0) * (gate[k] ?? 0) * Math.tanh(h));
      });
      return [0, 1].map((k) => parts.reduce((sum, part) => sum + (part[k] ?? 0), 0));
    });
    expectClose(fused, want);
  });

  it.each([null, 1, 3])("tfn maps the outer product of modalities of width %s with a constant 1", (modalityDim) => {
    const { fused, value } = run(fusionOf("tfn", { modalityDim }));
    const want = tokens((i) => {
      const factors = NAMES.map((name, m) => {
        const x = row(m, i);
        const narrow =
          modalityDim === null ? x : affine(value(`tfn.${name}.weight`), value(`tfn.${name}.bias`)[0] ?? [], x);
        return [...narrow, 1];
      });
      const product = factors.reduce((left, right) => left.flatMap((a) => right.map((b) => a * b)));
      return affine(value("tfn.out.weight"), value("tfn.out.bias")[0] ?? [], product).map((x) => Math.max(x, 0));
    });
    expectClose(fused, want);
  });

  it("lmf is the sum over ranks of products over modalities", () => {
    const { fused, value } = run(fusionOf("lmf", { rank: 3 }));
    const want = tokens((i) => {
      const maps = NAMES.map((name, m) =>
        affine(value(`lmf.${name}.weight`), value(`lmf.${name}.bias`)[0] ?? [], row(m, i)),
      );
      return [0, 1].map((k) =>
        [0, 1, 2].reduce(
          (sum, r) =>
            sum + (value("lmf.rank_weights")[0]?.[r] ?? 0) * maps.reduce((p, map) => p * (map[2 * r + k] ?? 0), 1),
          value("lmf.bias")[0]?.[k] ?? 0,
        ),
      );
    });
    expectClose(fused, want);
  });

  it("lmf of full rank can be any tensor fusion: the factors of a rank multiply to one outer product", () => {
    // With rank 1 the fused vector is an elementwise product: a modality of zeros still passes the constant.
    const { fused, value } = run(fusionOf("lmf", { rank: 1 }));
    const text = value("lmf.text.bias")[0] ?? [];
    const others = NAMES.slice(1).map((name, m) =>
      affine(value(`lmf.${name}.weight`), value(`lmf.${name}.bias`)[0] ?? [], row(m + 1, 2)),
    );
    const weight = value("lmf.rank_weights")[0]?.[0] ?? 0;
    const bias = value("lmf.bias")[0] ?? [];
    expectClose(
      [fused[2] ?? []],
      [text.map((t, k) => (bias[k] ?? 0) + weight * t * (others[0]?.[k] ?? 0) * (others[1]?.[k] ?? 0))],
    );
  });

  /** softmax(q·kᵀ/√dim)·v over rows of the same dialogue that may be attended to, one head. */
  const attend = (q: readonly number[], keys: Rows, values: Rows): number[] => {
    const scores = keys.map((k) => Math.exp(k.reduce((sum, x, i) => sum + x * (q[i] ?? 0), 0) / Math.sqrt(q.length)));
    const total = scores.reduce((a, b) => a + b, 0);
    return q.map((_, k) => scores.reduce((sum, s, j) => sum + (s / total) * (values[j]?.[k] ?? 0), 0));
  };
  const dialogueOf = [0, 0, 1];

  it("bare cross-attention adds to every modality what each other one answers", () => {
    const { fused, value } = run(fusionOf("cross-attention", { form: "bare", numHeads: 1 }));
    const want = tokens((i) =>
      NAMES.flatMap((target, m) => {
        const own = row(m, i);
        const answers = NAMES.filter((source) => source !== target).map((source) => {
          const s = NAMES.indexOf(source);
          const map = (of: string, x: readonly number[]) =>
            affine(
              value(`cross.${source}.${target}.0.${of}.weight`),
              value(`cross.${source}.${target}.0.${of}.bias`)[0] ?? [],
              x,
            );
          const rows = [0, 1, 2].filter((j) => dialogueOf[j] === dialogueOf[i] && PRESENT[source]?.[j] === 1);
          const zero = own.map(() => 0);
          const attended =
            rows.length === 0
              ? zero
              : attend(
                  map("query", own),
                  rows.map((j) => map("key", row(s, j))),
                  rows.map((j) => map("value", row(s, j))),
                );
          return map("out", attended).map((x, k) => x + (own[k] ?? 0));
        });
        return own.map(
          (_, k) => (PRESENT[target]?.[i] ?? 0) * answers.reduce((sum, answer) => sum + (answer[k] ?? 0), 0),
        );
      }),
    );
    expectClose(fused, want);
  });

  it("self-attention attends to the rows of all modalities at once", () => {
    const { fused, value } = run(fusionOf("self-attention", { numHeads: 1 }));
    const map = (of: string, x: readonly number[]) =>
      affine(value(`self_attention.${of}.weight`), value(`self_attention.${of}.bias`)[0] ?? [], x);
    const want = tokens((i) => {
      const all = NAMES.flatMap((name, m) =>
        [0, 1, 2].filter((j) => dialogueOf[j] === dialogueOf[i] && PRESENT[name]?.[j] === 1).map((j) => row(m, j)),
      );
      const there = NAMES.filter((name) => PRESENT[name]?.[i] === 1);
      const parts = there.map((name) => {
        const own = row(NAMES.indexOf(name), i);
        const attended = attend(
          map("query", own),
          all.map((x) => map("key", x)),
          all.map((x) => map("value", x)),
        );
        return map("out", attended).map((x, k) => x + (own[k] ?? 0));
      });
      return [0, 1].map((k) => parts.reduce((sum, part) => sum + (part[k] ?? 0), 0) / there.length);
    });
    expectClose(fused, want);
  });

  it.each(plugins.map(({ name }) => name))("%s: alone is the fusion with the other modalities unobserved", (name) => {
    const fusion = fusionOf(name, name.endsWith("attention") ? { numHeads: 1 } : {});
    const { alone } = run(fusion);
    const hidden = tidy(() => {
      const layout = createLayout(LENGTHS);
      const inputs: Inputs = {
        features: {},
        present: Object.fromEntries(
          NAMES.map((each) => [each, tensor1d(each === "audio" ? [...(PRESENT.audio ?? [])] : [0, 0, 0]) as Tensor1D]),
        ),
        speakers: tensor1d([0, 0, 0], "int32"),
        layout,
      };
      const streams = Object.fromEntries(
        NAMES.map((each) => [each, tensor2d((STREAMS[each] ?? []).map((x) => [...x]))]),
      );
      return fusion.apply(initialParameters(fusion.parameters, keyFromSeed(1)), streams, inputs, {}).fused.arraySync();
    });
    expectClose(alone, hidden);
  });
});

describe("parameters of three modalities at width d", () => {
  const d = 16;
  it.each([
    ["concat", {}, 0],
    ["concat", { projection: true }, 3 * d * d + d],
    ["sum", {}, 0],
    ["gated", {}, 3 * (d * d + d) + 3 * (3 * d * d + d)],
    ["tfn", { modalityDim: null }, d * (d + 1) ** 3 + d],
    ["tfn", { modalityDim: 4 }, 3 * (4 * d + 4) + d * 5 ** 3 + d],
    ["lmf", { rank: 4 }, 3 * 4 * d * (d + 1) + 4 + d],
    ["cross-attention", { form: "bare" }, 6 * (4 * d * d + 4 * d)],
    ["cross-attention", {}, 6 * (4 * d * d + 4 * d + 8 * d * d + 5 * d + 6 * d)],
    ["self-attention", {}, 4 * d * d + 4 * d],
  ] as const)("%s %o: %d", (name, options, total) => {
    expect(countParameters(fusionOf(name, options, d).parameters).total).toBe(total);
  });

  it.each([
    [100, 121_304, 484_916],
    [256, 789_764, 3_158_288],
  ])("low-rank fusion at width %d: %d with rank 4, %d with rank 16", (dim, four, sixteen) => {
    const count = (rank: number) => countParameters(fusionOf("lmf", { rank }, dim).parameters).total;
    expect([count(4), count(16)]).toEqual([four, sixteen]);
  });
});

describe("what cannot be", () => {
  it.each([
    ["tfn", { modalityDim: null }, 128, NAMES, /outer product of 3 modalities of width 128 has 2146689 numbers/],
    ["cross-attention", {}, 16, ["text"], /needs two modalities/],
    ["cross-attention", { numHeads: 3 }, 16, NAMES, /16 is no multiple of numHeads 3/],
    ["self-attention", { numHeads: 3 }, 16, NAMES, /16 is no multiple of numHeads 3/],
  ] as const)("%s %o at width %d is refused with the reason", (name, options, dim, modalities, reason) => {
    expect(() => fusionOf(name, options, dim, modalities)).toThrow(reason);
    expect(() => fusionOf(name, options, dim, modalities)).toThrow(MerclabError);
  });
});
