// Laws of the block: attention rows, padding, permutation, flatness under tanh, equal modalities, low rank as full
// weight, missing modalities, purity.
import {
  createEagerEngine,
  createRandomSource,
  encodeSafetensors,
  keyFromSeed,
  layoutTensors,
  parametersFromArrays,
  parseSafetensors,
  sizeOf,
} from "@merclab/core";
import { dispose, memory, tidy } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createLmam, lmamOptions } from "../src/index.ts";
import {
  type Batch,
  drawValues,
  ENGINES,
  expectClose,
  type Rows,
  runLmam,
  site,
  startEngine,
  structures,
  toInputs,
  toTensors,
  type Values,
  wave,
} from "./support.ts";

const NAMES = ["text", "audio", "visual"];
const structure = fc.constantFrom(...structures());
const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 });
const phase = fc.integer({ min: 0, max: 1000 });

function batchOf(sizes: readonly number[], at: number): Batch {
  const count = sizes.reduce((sum, size) => sum + size, 0);
  return {
    lengths: sizes,
    features: Object.fromEntries(NAMES.map((name, m) => [name, wave(count, 4, at + 10 * m)])),
  };
}

/** Every row of every modality in another order. */
function reorder(batch: Batch, order: readonly number[]): Batch {
  const pick = <T>(rows: readonly T[]): T[] => order.map((i) => rows[i] as T);
  return {
    ...batch,
    features: Object.fromEntries(Object.entries(batch.features).map(([name, rows]) => [name, pick(rows)])),
    ...(batch.present === undefined
      ? {}
      : { present: Object.fromEntries(Object.entries(batch.present).map(([name, mask]) => [name, pick(mask)])) }),
  };
}

describe.each(ENGINES)("laws on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("attention rows are non-negative, sum to 1 over valid memory, are 0 elsewhere, and are flat under tanh", () => {
    fc.assert(
      fc.property(structure, lengths, phase, fc.boolean(), (options, sizes, at, causal) => {
        const batch = { ...batchOf(sizes, at), bucket: { time: Math.max(...sizes) + 1 } };
        const { shown } = runLmam(batch, { options: { ...options, causal } });
        const maps = { anchorMemory: 3, allPairs: 9, anchorQuery: 3 }[options.mode as string];
        expect(Object.keys(shown).length).toBe(maps);
        for (const map of Object.values(shown)) {
          sizes.forEach((size, dialogue) => {
            (map[dialogue] ?? []).slice(0, size).forEach((row, i) => {
              const visible = row.slice(0, causal ? i + 1 : size);
              expectClose(
                visible.reduce((sum, a) => sum + a, 0),
                1,
              );
              expect(row.slice(visible.length).every((a) => a === 0)).toBe(true);
              expect(Math.min(...visible)).toBeGreaterThan(0);
              expect(Math.max(...visible) / Math.min(...visible)).toBeLessThan(Math.E ** 2 + 1e-4);
            });
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  it("padding in tokens and time changes nothing, and neither do other dialogues", () => {
    fc.assert(
      fc.property(structure, lengths, phase, (options, sizes, at) => {
        const batch = batchOf(sizes, at);
        const parameters = drawValues(options, site(batch));
        const { fused } = runLmam(batch, { options, parameters });
        const bucket = { tokens: fused.length + 3, time: Math.max(...sizes) + 2 };
        expectClose(runLmam({ ...batch, bucket }, { options, parameters }).fused, fused, 1e-6);
        const [size = 0] = sizes;
        const alone = reorder({ ...batch, lengths: [size] }, [...Array(size).keys()]);
        expectClose(runLmam(alone, { options, parameters }).fused, fused.slice(0, size), 1e-6);
      }),
      { numRuns: 30 },
    );
  });

  it("permuting the utterances permutes the output, and permuting the modalities leaves it", () => {
    const orders = fc
      .integer({ min: 1, max: 6 })
      .chain((size) => fc.shuffledSubarray([...Array(size).keys()], { minLength: size, maxLength: size }));
    fc.assert(
      fc.property(
        structure,
        orders,
        phase,
        fc.array(fc.boolean(), { minLength: 18, maxLength: 18 }),
        (options, order, at, bits) => {
          const present = Object.fromEntries(
            NAMES.map((name, m) => [name, order.map((i) => (bits[6 * m + i] ? 1 : 0))]),
          );
          const batch = { ...batchOf([order.length], at), present };
          const parameters = drawValues(options, site(batch));
          const { fused } = runLmam(batch, { options, parameters });
          const permuted = runLmam(reorder(batch, order), { options, parameters }).fused;
          expectClose(
            permuted,
            order.map((i) => fused[i] as number[]),
            2e-6,
          );
          const turned = Object.fromEntries(Object.entries(batch.features).reverse());
          expectClose(runLmam({ ...batch, features: turned }, { options, parameters }).fused, fused, 2e-6);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("the rank form equals the full form with W = U Vᵀ and b = U c", () => {
    const batch = batchOf([4, 2], 3);
    const factored = drawValues({ rank: 2 }, site(batch));
    const [u, v, c] = ["lmam.u", "lmam.v", "lmam.c"].map((name) => factored[name]) as [Rows, Rows, number[]];
    const full = {
      "lmam.weight": u.map((left) => v.map((right) => left.reduce((sum, x, k) => sum + x * (right[k] ?? 0), 0))),
      "lmam.bias": u.map((left) => left.reduce((sum, x, k) => sum + x * (c[k] ?? 0), 0)),
    };
    for (const mode of ["anchorMemory", "allPairs", "anchorQuery"]) {
      const got = runLmam(batch, { options: { mode, rank: 2 }, parameters: factored }).fused;
      expectClose(got, runLmam(batch, { options: { mode }, parameters: full }).fused);
    }
  });

  it("rank = dim with U = I equals the full form with W = Vᵀ and b = c", () => {
    const batch = batchOf([4, 2], 3);
    const options = { rank: 4, allowLargeRank: true };
    const drawn = drawValues(options, site(batch));
    const identity = wave(4, 4).map((row, i) => row.map((_, k) => (i === k ? 1 : 0)));
    const v = drawn["lmam.v"] as Rows;
    const c = drawn["lmam.c"] as number[];
    const full = { "lmam.weight": identity.map((_, o) => v.map((row) => row[o] ?? 0)), "lmam.bias": c };
    expectClose(
      runLmam(batch, { options, parameters: { ...drawn, "lmam.u": identity } }).fused,
      runLmam(batch, { parameters: full }).fused,
    );
  });

  it("one weight copied to every query modality or pair equals the shared weight", () => {
    const batch = batchOf([3, 2], 1);
    for (const [mode, sharing] of [
      ["anchorMemory", "perQueryModality"],
      ["allPairs", "perQueryModality"],
      ["allPairs", "perPair"],
      ["anchorQuery", "perPair"],
    ]) {
      for (const weight of [{}, { rank: 2, valueSpace: "rank" }]) {
        const shared = drawValues({ mode, ...weight }, site(batch));
        const copied = Object.fromEntries(
          Object.keys(drawValues({ mode, sharing, ...weight }, site(batch))).map((name) => {
            const origin = name.replace(/\.(text|audio|visual)(\.(text|audio|visual))?$/, "");
            return [name, shared[origin] as Rows];
          }),
        );
        expectClose(
          runLmam(batch, { options: { mode, sharing, ...weight }, parameters: copied }).fused,
          runLmam(batch, { options: { mode, ...weight }, parameters: shared }).fused,
        );
      }
    }
  });

  it("with every modality equal to the anchor, P is three times the intra-modal pool", () => {
    const text = wave(5, 4);
    const parameters = drawValues({}, { modalities: ["text"], dim: 4 });
    const intra = { lengths: [5], features: { text } };
    const three = { lengths: [5], features: { text, audio: text, visual: text } };
    const [map] = Object.values(runLmam(intra, { parameters }).shown);
    const maps = runLmam(three, { parameters }).shown;
    expect(Object.values(maps).length).toBe(3);
    for (const other of Object.values(maps)) {
      expectClose(other, map ?? [], 1e-6);
    }
    const { fused } = runLmam(three, { parameters, options: { reduce: "mean" } });
    expectClose(fused, runLmam(intra, { parameters }).fused, 1e-6);
  });

  it("a modality missing everywhere leaves the result of the others, rescaled to the full number of terms", () => {
    const [text, audio, visual] = [wave(5, 4), wave(5, 4, 1), wave(5, 4, 2)];
    const missing = { text: [1, 1, 1, 1, 1], audio: [1, 1, 1, 1, 1], visual: [0, 0, 0, 0, 0] };
    const three = { lengths: [3, 2], features: { text, audio, visual }, present: missing };
    const two = { lengths: [3, 2], features: { text, audio } };
    for (const mode of ["anchorMemory", "allPairs", "anchorQuery"]) {
      const options = { mode, reduce: "mean" };
      const parameters = drawValues(options, site(two));
      expectClose(runLmam(three, { options, parameters }).fused, runLmam(two, { options, parameters }).fused, 1e-6);
      // As a sum, three terms are expected and two are there: P grows by 3/2.
      const bare = { mode, residual: false, rank: 2, valueSpace: "rank", outputProjection: null };
      const linear = drawValues(bare, site(two));
      const blank: Values = { ...linear, "lmam.value.bias": [0, 0, 0, 0] };
      const factor = mode === "allPairs" ? 9 / 4 : 3 / 2;
      const grown = {
        ...blank,
        "lmam.value.weight": (blank["lmam.value.weight"] as Rows).map((row) => row.map((w) => w * factor)),
      };
      expectClose(
        runLmam(three, { options: bare, parameters: blank }).fused,
        runLmam(two, { options: bare, parameters: grown }).fused,
      );
    }
  });

  it("what stands in a missing row is never seen", () => {
    fc.assert(
      fc.property(structure, phase, fc.array(fc.boolean(), { minLength: 15, maxLength: 15 }), (options, at, bits) => {
        const batch = batchOf([3, 2], at);
        const present = Object.fromEntries(
          NAMES.map((name, m) => [name, Array.from({ length: 5 }, (_, i) => (bits[5 * m + i] ? 1 : 0))]),
        );
        const spoilt = Object.fromEntries(
          Object.entries(batch.features).map(([name, rows]) => [
            name,
            rows.map((row, i) => row.map((x) => (present[name]?.[i] === 1 ? x : 3 - x))),
          ]),
        );
        const parameters = drawValues(options, site(batch));
        const { fused } = runLmam({ ...batch, present }, { options, parameters });
        expectClose(runLmam({ ...batch, present, features: spoilt }, { options, parameters }).fused, fused, 0);
      }),
      { numRuns: 40 },
    );
  });

  it("weights survive a safetensors file", () => {
    const batch = batchOf([3, 2], 1);
    for (const options of [{}, { variant: "as-described", rank: 2, sharing: "perPair", valueSpace: "rank" }]) {
      const fusion = createLmam(lmamOptions.parse(options), site(batch));
      const values = drawValues(options, site(batch));
      const arrays = new Map(
        fusion.parameters.map(({ name, shape }) => {
          const data = Float32Array.from((values[name] ?? []).flat());
          expect(data.length).toBe(sizeOf(shape));
          return [name, { shape, data }];
        }),
      );
      tidy(() => {
        const loaded = parametersFromArrays(fusion.parameters, parseSafetensors(encodeSafetensors(arrays)));
        const inputs = toInputs(batch);
        const { fused } = fusion.apply(loaded, inputs.features, inputs, {});
        expectClose(fused.arraySync(), runLmam(batch, { options, parameters: values }).fused, 0);
      });
    }
  });

  it("is pure: the same numbers twice, inputs kept, nothing left over", async () => {
    const batch = batchOf([3, 2], 1);
    const engine = createEagerEngine(backend);
    for (const options of structures()) {
      const before = memory().numTensors;
      const fusion = createLmam(lmamOptions.parse({ ...options, causal: true, attentionDropout: 0.5 }), site(batch));
      const inputs = toInputs(batch);
      const values = toTensors(drawValues(options, site(batch)));
      const held = memory().numTensors;
      const step = engine.compile((key: number) => {
        const random = createRandomSource(keyFromSeed(key));
        return fusion.apply(values, inputs.features, inputs, { random }).fused;
      });
      const [first, second] = [await step(1), await step(1)];
      expect([...first.dataSync()]).toEqual([...second.dataSync()]);
      expect(memory().numTensors).toBe(held + 2);
      dispose([first, second]);
      dispose([values, { ...inputs.features }, { ...inputs.present }, inputs.speakers]);

      dispose(layoutTensors(inputs.layout));
      expect(memory().numTensors).toBe(before);
    }
  });
});
