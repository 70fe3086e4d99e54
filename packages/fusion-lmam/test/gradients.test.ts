// Gradients of every structure of options against central differences of the row loop in double precision, and finite
// gradients where nothing was observed.
import { valueAndGradients } from "@merclab/core";
import { mul, sum, type Tensor, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { createLmam, lmamOptions } from "../src/index.ts";
import { oracle } from "./oracle.ts";
import {
  type Batch,
  drawValues,
  ENGINES,
  expectClose,
  flatten,
  type Rows,
  site,
  startEngine,
  structures,
  toInputs,
  toTensors,
  type Values,
  wave,
} from "./support.ts";

const batch: Batch = {
  lengths: [2, 1],
  features: { text: wave(3, 4), audio: wave(3, 4, 1) },
};

/** What the fused rows are weighed with before they are summed to a scalar. */
const probe = (count: number, dim: number): number[][] => wave(count, dim, 7);

/** Gradients with respect to parameters and streams, by name. */
function gradientsOf(
  given: Readonly<Record<string, unknown>>,
  parameters: Values,
  of: Batch,
): Record<string, number[]> {
  return tidy(() => {
    const fusion = createLmam(lmamOptions.parse(given), site(of));
    const inputs = toInputs(of);
    const values = toTensors(parameters);
    const weights = tensor2d(probe(inputs.layout.tokens, fusion.dim));
    const loss = (): Tensor => sum(mul(fusion.apply(values, inputs.features, inputs, {}).fused, weights));
    const { gradients } = valueAndGradients(loss, { ...values, ...inputs.features });
    return Object.fromEntries(
      Object.entries({ ...values, ...inputs.features }).map(([name, { size }]) => {
        const gradient = gradients[name];
        return [name, gradient === undefined ? Array(size).fill(0) : [...gradient.dataSync()]];
      }),
    );
  });
}

/** The same by central differences of the row loop. */
function differencesOf(
  given: Readonly<Record<string, unknown>>,
  parameters: Values,
  of: Batch,
): Record<string, number[]> {
  const options = lmamOptions.parse(given);
  const loss = (values: Values, features: Batch["features"]): number => {
    const rows = oracle(options, values, { ...of, features });
    const weights = probe(rows.length, rows[0]?.length ?? 0);
    return rows.reduce((total, row, i) => total + row.reduce((s, h, k) => s + h * (weights[i]?.[k] ?? 0), 0), 0);
  };
  const step = 1e-5;
  const slopes = <V extends Rows | readonly number[]>(values: V, at: (moved: V) => number): number[] =>
    flatten(values).map((_, index) => {
      const moved = (by: number): V => {
        let place = 0;
        const walk = (x: unknown): unknown =>
          Array.isArray(x) ? x.map(walk) : (x as number) + (place++ === index ? by : 0);
        return walk(values) as V;
      };
      return (at(moved(step)) - at(moved(-step))) / (2 * step);
    });
  return {
    ...Object.fromEntries(
      Object.entries(parameters).map(([name, values]) => [
        name,
        slopes(values, (moved) => loss({ ...parameters, [name]: moved }, of.features)),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(of.features).map(([name, values]) => [
        name,
        slopes(values, (moved) => loss(parameters, { ...of.features, [name]: moved })),
      ]),
    ),
  };
}

function compareGradients(options: Readonly<Record<string, unknown>>, of: Batch): void {
  const parameters = drawValues(options, site(of), 3);
  const got = gradientsOf(options, parameters, of);
  const want = differencesOf(options, parameters, of);
  expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
  for (const [name, values] of Object.entries(want)) {
    expectClose(got[name] ?? [], values, 1e-4);
  }
}

describe("gradients on cpu", () => {
  beforeAll(() => startEngine("cpu"));

  it.each(structures())("equal finite differences for $mode, $sharing, rank $rank, $bias, $augment, $valueSpace", (o) =>
    compareGradients(o, batch),
  );

  it.each([
    { scoreActivation: "identity" },
    { scoreActivation: "scaled" },
    { reduce: "mean" },
    { residual: false },
    { causal: true },
    { mode: "allPairs", postForm: "sumGelu" },
    { outputProjection: { units: 3, activation: "gelu" } },
    { outputProjection: { units: 3, activation: "tanh" } },
    { outputProjection: { units: 3, activation: "identity" } },
  ])("equal finite differences for %o", (o) => compareGradients(o, batch));

  it("equal finite differences with missing modalities", () => {
    const present = { text: [1, 0, 1], audio: [0, 1, 1] };
    compareGradients({ mode: "allPairs" }, { ...batch, present });
    compareGradients({ mode: "anchorMemory", rank: 2 }, { ...batch, present });
  });
});

describe.each(ENGINES)("gradients on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("are finite for every structure when a dialogue was not observed at all, with padding in tokens and time", () => {
    const holes: Batch = {
      ...batch,
      lengths: [2, 1],
      present: { text: [0, 0, 1], audio: [0, 0, 1] },
      bucket: { tokens: 5, time: 4 },
    };
    for (const structure of structures()) {
      for (const maskOutput of [true, false]) {
        const options = { ...structure, maskOutput };
        const gradients = gradientsOf(options, drawValues(options, site(holes)), holes);
        expect(flatten(Object.values(gradients)).every(Number.isFinite), JSON.stringify(options)).toBe(true);
      }
    }
  });

  it("reach every parameter", () => {
    for (const structure of structures()) {
      const options = { ...structure, outputProjection: { units: 3, activation: "gelu" } };
      for (const [name, values] of Object.entries(gradientsOf(options, drawValues(options, site(batch)), batch))) {
        expect(
          values.some((value) => value !== 0),
          `${name} of ${JSON.stringify(options)}`,
        ).toBe(true);
      }
    }
  });
});
