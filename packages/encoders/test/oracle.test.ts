// Every structure of options against the encoders written row by row, and its gradients against central differences
// of those.
import { valueAndGradients } from "@merclab/core";
import { addN, mul, sum, type Tensor, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { linearOptions, sdtEncoderOptions, transformerOptions } from "../src/index.ts";
import { type OracleOptions, oracle } from "./oracle.ts";
import {
  type Batch,
  batchOf,
  createEncoder,
  drawValues,
  ENGINES,
  expectClose,
  flatten,
  type Options,
  runEncoder,
  STRUCTURES,
  site,
  startEngine,
  toInputs,
  toTensors,
  type Values,
  wave,
} from "./support.ts";

function parsed(name: string, options: Options): OracleOptions {
  switch (name) {
    case "linear":
      return { name, options: linearOptions.parse(options) };
    case "transformer":
      return { name, options: transformerOptions.parse(options) };
    case "sdt":
      return { name, options: sdtEncoderOptions.parse(options) };
    default:
      throw new Error(`no oracle for encoder ${name}`);
  }
}

const full = batchOf([3, 1], ["text", "audio", "visual"]);

/** The first dialogue never shows its face, the second one is silent. */
const holes: Batch = {
  ...full,
  present: { text: [1, 1, 0, 1], audio: [1, 0, 1, 0], visual: [0, 0, 0, 1] },
};

describe.each(ENGINES)("on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it.each(STRUCTURES)("%s %o equals the row loop", (name, options) => {
    const { parameters } = createEncoder(name, options, site(full));
    for (const seed of [1, 2]) {
      const values = drawValues(parameters, seed);
      for (const batch of [full, holes]) {
        const expected = oracle(parsed(name, options), values, batch);
        expectClose(runEncoder([name, options], batch, { values }), expected, 2e-5);
      }
    }
  });

  it.each([1, 2, 3])("sdt with %d layers and each kind of path equals the row loop", (numLayers) => {
    for (const paths of ["both", "intra", "inter"]) {
      const options = { dim: 4, numHeads: 2, numLayers, paths };
      const values = drawValues(createEncoder("sdt", options, site(full)).parameters, numLayers);
      expectClose(runEncoder(["sdt", options], full, { values }), oracle(parsed("sdt", options), values, full), 2e-5);
    }
  });
});

/** Σ streams ⊙ probe: a scalar that every number of the streams enters differently. */
const probe = (rows: number, dim: number, modality: number) => wave(rows, dim, 7 + modality);

function gradientsOf(
  [name, options]: readonly [string, Options],
  values: Values,
  batch: Batch,
): Record<string, number[]> {
  return tidy(() => {
    const encoder = createEncoder(name, options, site(batch));
    const inputs = toInputs(batch);
    const tensors = toTensors(values);
    const loss = (): Tensor =>
      addN(
        Object.values(encoder.apply(tensors, inputs, {})).map((stream, m) =>
          sum(mul(stream, tensor2d(probe(stream.shape[0], stream.shape[1], m)))),
        ),
      );
    const { gradients } = valueAndGradients(loss, { ...tensors, ...inputs.features });
    return Object.fromEntries(Object.entries(gradients).map(([key, gradient]) => [key, [...gradient.dataSync()]]));
  });
}

function differencesOf(encoder: OracleOptions, values: Values, batch: Batch): Record<string, number[]> {
  const loss = (moved: Values, features: Batch["features"]): number =>
    Object.values(oracle(encoder, moved, { ...batch, features })).reduce((total, rows, m) => {
      const weights = probe(rows.length, rows[0]?.length ?? 0, m);
      return total + flatten(rows).reduce((s, y, i) => s + y * (flatten(weights)[i] ?? 0), 0);
    }, 0);
  const step = 1e-5;
  const slope = (at: (by: number) => number): number => (at(step) - at(-step)) / (2 * step);
  const ofValues = Object.entries(values).map(([name, { shape, data }]) => [
    name,
    data.map((_, i) => {
      const moved = (by: number) => data.map((x, k) => (k === i ? x + by : x));
      return slope((by) => loss({ ...values, [name]: { shape, data: moved(by) } }, batch.features));
    }),
  ]);
  const ofFeatures = Object.entries(batch.features).map(([name, rows]) => [
    name,
    rows.flatMap((row, i) =>
      row.map((_, k) => {
        const moved = (by: number) => rows.map((r, a) => r.map((x, b) => (a === i && b === k ? x + by : x)));
        return slope((by) => loss(values, { ...batch.features, [name]: moved(by) }));
      }),
    ),
  ]);
  return Object.fromEntries([...ofValues, ...ofFeatures]);
}

describe("gradients on cpu", () => {
  beforeAll(() => startEngine("cpu"));

  it.each([
    ["linear", { dim: 3 }],
    ["transformer", { dim: 4, numHeads: 2, feedForwardFactor: 1 }],
    ["sdt", { dim: 4, numHeads: 2 }],
    ["sdt", { dim: 4, numHeads: 1, numLayers: 2, variant: "as-described" }],
    ["sdt", { dim: 4, numHeads: 4, paths: "inter", unimodalGate: "none", positions: false }],
  ] as const)("of %s %o equal finite differences, with rows missing", (name, options) => {
    const two = batchOf([2, 1], ["text", "audio"]);
    const batch = { ...two, present: { text: [1, 1, 1], audio: [1, 0, 0] } };
    const { parameters } = createEncoder(name, options, site(batch));
    const values = drawValues(parameters, 3);
    const got = gradientsOf([name, options], values, batch);
    for (const [key, want] of Object.entries(differencesOf(parsed(name, options), values, batch))) {
      expectClose(got[key] ?? want.map(() => 0), want, 1e-4 * Math.max(1, ...want.map(Math.abs)), key);
    }
  });
});

describe.each(ENGINES)("gradients on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it.each(STRUCTURES)("of %s %o are finite and reach every trainable parameter", (name, options) => {
    const { parameters } = createEncoder(name, options, site(full));
    const values = drawValues(parameters);
    const trainable = parameters.filter((spec) => spec.frozen !== true).map((spec) => spec.name);
    const gradients = gradientsOf([name, options], values, full);
    // (That of a key's bias is rounding only: softmax takes no notice of a constant.)
    for (const key of trainable) {
      expect(
        gradients[key]?.some((x) => x !== 0),
        `${key} of ${name}`,
      ).toBe(true);
    }
    const padded = { ...holes, bucket: { tokens: 6, time: 5 } };
    for (const of of [full, holes, padded]) {
      expect(flatten(gradientsOf([name, options], values, of)).every(Number.isFinite)).toBe(true);
    }
  });

  it("the padding row of SDT's speaker table gets none", () => {
    const options = { dim: 4, numHeads: 2 };
    const values = drawValues(createEncoder("sdt", options, site(full)).parameters);
    const table = gradientsOf(["sdt", options], values, full)["speaker_embeddings.weight"] ?? [];
    expect(table.slice(-4)).toEqual([0, 0, 0, 0]);
  });
});
