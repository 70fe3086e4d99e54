// Laws of every encoder: shapes, padding, permutations, missing modalities, dropout, purity.
import { createEagerEngine, createRandomSource, keyFromSeed, layoutTensors } from "@merclab/core";
import { dispose, memory, type Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  batchOf,
  createEncoder,
  drawValues,
  ENGINES,
  expectClose,
  HOSTS,
  type Options,
  pickRows,
  runEncoder,
  STRUCTURES,
  site,
  startEngine,
  toInputs,
  toTensors,
} from "./support.ts";

const NAMES = ["text", "audio", "visual"];
const ALL = [...STRUCTURES, ...HOSTS];
const structure = fc.constantFrom(...ALL);
const lengths = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
const phase = fc.integer({ min: 0, max: 1000 });
const bits = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 36, maxLength: 36 });
const runs = { numRuns: 15 };

const count = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

/** Runs over all modalities as one sequence. */
const isJoint = ([name, { input }]: readonly [string, Options]): boolean =>
  (input ?? (name.startsWith("dialogue") ? "concatenated" : "per-modality")) === "concatenated";

const valuesFor = ([name, options]: readonly [string, Options], batch: Parameters<typeof site>[0]) =>
  drawValues(createEncoder(name, options, site(batch)).parameters);

describe.each(ENGINES)("laws on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("padding in tokens and time changes nothing, and neither do other dialogues, whatever was observed", () => {
    fc.assert(
      fc.property(structure, lengths, phase, bits, (encoder, sizes, at, observed) => {
        const total = count(sizes);
        const whole = batchOf(sizes, NAMES, at);
        const present = Object.fromEntries(NAMES.map((name, m) => [name, observed.slice(12 * m, 12 * m + total)]));
        const batch = { ...whole, present };
        const streams = runEncoder(encoder, batch);
        const bucket = { tokens: total + 3, time: Math.max(...sizes) + 2 };
        expectClose(runEncoder(encoder, { ...batch, bucket }), streams, 2e-6);
        const [size = 0] = sizes;
        const alone = pickRows(batch, [size], [...Array(size).keys()]);
        const first = Object.fromEntries(Object.entries(streams).map(([name, rows]) => [name, rows.slice(0, size)]));
        expectClose(runEncoder(encoder, alone), first, 2e-6);
      }),
      runs,
    );
  });

  it("permuting the dialogues of a batch permutes the streams", () => {
    fc.assert(
      fc.property(structure, lengths, phase, bits, (encoder, sizes, at, random) => {
        const batch = batchOf(sizes, NAMES, at);
        const starts = sizes.map((_, d) => count(sizes.slice(0, d)));
        const dialogues = [...sizes.keys()].sort((a, b) => (random[a] ?? 0) - (random[b] ?? 0) || b - a);
        const order = dialogues.flatMap((d) => Array.from({ length: sizes[d] ?? 0 }, (_, i) => (starts[d] ?? 0) + i));
        const permuted = pickRows(
          batch,
          dialogues.map((d) => sizes[d] ?? 0),
          order,
        );
        const streams = runEncoder(encoder, batch);
        const expected = Object.fromEntries(
          Object.entries(streams).map(([name, rows]) => [name, order.map((i) => rows[i] ?? [])]),
        );
        expectClose(runEncoder(encoder, permuted), expected, 2e-6);
      }),
      runs,
    );
  });

  it("sdt without positions: permuting the utterances permutes the streams; with them it does not", () => {
    const orders = fc
      .integer({ min: 2, max: 5 })
      .chain((size) => fc.shuffledSubarray([...Array(size).keys()], { minLength: size, maxLength: size }));
    const paths = fc.constantFrom("both", "intra", "inter");
    fc.assert(
      fc.property(orders, paths, fc.integer({ min: 1, max: 2 }), phase, (order, path, numLayers, at) => {
        const batch = batchOf([order.length], NAMES, at);
        const permuted = pickRows(batch, batch.lengths, order);
        const options = { dim: 4, numHeads: 2, numLayers, paths: path };
        const compare = (positions: boolean) => {
          const streams = runEncoder(["sdt", { ...options, positions }], batch);
          const expected = Object.fromEntries(
            Object.entries(streams).map(([name, rows]) => [name, order.map((i) => rows[i] ?? [])]),
          );
          expectClose(runEncoder(["sdt", { ...options, positions }], permuted), expected, 4e-6);
        };
        compare(false);
        if (order.some((from, to) => from !== to)) {
          expect(() => compare(true)).toThrow();
        }
      }),
      runs,
    );
  });

  it("what stands in a missing row is seen by nothing but the stream of that modality at that row", () => {
    fc.assert(
      fc.property(structure, lengths, phase, bits, (encoder, sizes, at, observed) => {
        const whole = batchOf(sizes, NAMES, at);
        const present = Object.fromEntries(
          NAMES.map((name, m) => [name, observed.slice(12 * m, 12 * m + count(sizes))]),
        );
        const batch = { ...whole, present };
        const spoilt = Object.fromEntries(
          Object.entries(whole.features).map(([name, rows]) => [
            name,
            rows.map((row, i) => (present[name]?.[i] === 1 ? row : row.map((x) => 3 - x))),
          ]),
        );
        const elsewhere = (streams: ReturnType<typeof runEncoder>) =>
          Object.entries(streams).flatMap(([name, rows]) => rows.filter((_, i) => present[name]?.[i] === 1));
        const before = runEncoder(encoder, batch);
        expectClose(elsewhere(runEncoder(encoder, { ...batch, features: spoilt })), elsewhere(before), 0);
      }),
      { numRuns: 25 },
    );
  });

  it("with one utterance attention is the identity on values: queries and keys do not matter", () => {
    for (const encoder of STRUCTURES.filter(([name]) => name !== "linear")) {
      const batch = batchOf([1, 1], NAMES);
      const values = valuesFor(encoder, batch);
      const others = Object.fromEntries(
        Object.entries(values).map(([name, value]) => [
          name,
          /\.(linear_)?[qk]\.(weight|bias)$/.test(name) ? { ...value, data: value.data.map((x) => 5 - 3 * x) } : value,
        ]),
      );
      expect(others).not.toEqual(values);
      expectClose(runEncoder(encoder, batch, { values: others }), runEncoder(encoder, batch, { values }), 1e-6);
      const two = batchOf([2], NAMES);
      expect(() =>
        expectClose(runEncoder(encoder, two, { values: others }), runEncoder(encoder, two, { values }), 1e-6),
      ).toThrow();
    }
  });

  it("any list of modalities will do", () => {
    const lists = [
      ["text"],
      ["pulse"],
      ["gaze", "text"],
      ["visual", "audio", "x_1"],
      ["text", "audio", "visual", "gaze"],
    ];
    for (const names of lists) {
      for (const encoder of ALL) {
        if (names.length > 1 || encoder[1].paths !== "inter") {
          const streams = runEncoder(encoder, batchOf([2, 1], names));
          expect(Object.keys(streams)).toEqual(names.length > 1 && isJoint(encoder) ? ["joint"] : names);
          expectClose(streams, streams, 0); // finite
        }
      }
    }
  });

  it("with one modality paths both and intra are the same encoder", () => {
    const batch = batchOf([3, 1], ["audio"]);
    const run = (paths: string) => runEncoder(["sdt", { dim: 4, numHeads: 2, paths }], batch);
    expectClose(run("both"), run("intra"), 0);
  });

  it("dropout: the same key gives the same streams, another key others, evaluation drops nothing", () => {
    const batch = batchOf([3, 2], NAMES);
    for (const [name, options] of ALL) {
      const run = (rate: number, seed?: number) =>
        runEncoder([name, { ...options, dropout: rate }], batch, {
          context: seed === undefined ? {} : { random: createRandomSource(keyFromSeed(seed)) },
        });
      expectClose(run(0.5, 1), run(0.5, 1), 0);
      expect(run(0.5, 2)).not.toEqual(run(0.5, 1));
      expect(run(0.5, 1)).not.toEqual(run(0.5));
      expectClose(run(0.5), run(0), 0);
      expectClose(run(0, 1), run(0), 0);
    }
  });

  it("is pure: inputs and parameters are kept, nothing is left over", async () => {
    const engine = createEagerEngine(backend);
    const batch = { ...batchOf([3, 2], NAMES), bucket: { tokens: 7, time: 4 } };
    for (const [name, options] of ALL) {
      const before = memory().numTensors;
      const encoder = createEncoder(name, options, site(batch));
      const inputs = toInputs(batch);
      const values = toTensors(drawValues(encoder.parameters));
      const held = memory().numTensors;
      const step = engine.compile((seed: number) =>
        encoder.apply(values, inputs, { random: createRandomSource(keyFromSeed(seed)) }),
      );
      const [first, second] = [await step(1), await step(1)];
      const numbers = (streams: typeof first) => Object.values(streams).map((stream) => [...stream.dataSync()]);
      expect(numbers(first)).toEqual(numbers(second));
      expect(memory().numTensors).toBe(held + 2 * Object.keys(first).length);

      const tensors: Tensor[] = [...layoutTensors(inputs.layout), inputs.speakers];
      dispose([...tensors, values, { ...first }, { ...second }, { ...inputs.features }, { ...inputs.present }]);
      expect(memory().numTensors).toBe(before);
    }
  });
});
