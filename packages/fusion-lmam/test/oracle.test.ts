// The fusion against the row loop of oracle.ts: every structure of options, and random options on random batches with
// missing modalities.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { lmamOptions } from "../src/index.ts";
import { oracle } from "./oracle.ts";
import {
  type Batch,
  drawValues,
  ENGINES,
  expectClose,
  runLmam,
  site,
  startEngine,
  structures,
  wave,
} from "./support.ts";

const MODALITIES = ["text", "audio", "visual", "pulse"];

/** Options that go with any structure. */
const extras = fc.record({
  scoreActivation: fc.constantFrom("tanh", "identity", "scaled"),
  reduce: fc.constantFrom("sum", "mean"),
  residual: fc.boolean(),
  causal: fc.boolean(),
  maskOutput: fc.boolean(),
  outputProjection: fc.option(
    fc.record({
      units: fc.integer({ min: 1, max: 5 }),
      activation: fc.constantFrom("gelu", "relu", "tanh", "identity"),
    }),
  ),
});

const batches: fc.Arbitrary<Batch> = fc
  .record({
    lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
    modalities: fc.integer({ min: 1, max: 4 }),
    phase: fc.integer({ min: 0, max: 1000 }),
    missing: fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
    extraTokens: fc.integer({ min: 0, max: 3 }),
    extraTime: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ lengths, modalities, phase, missing, extraTokens, extraTime }) => {
    const count = lengths.reduce((sum, length) => sum + length, 0);
    const names = MODALITIES.slice(0, modalities);
    return {
      lengths,
      features: Object.fromEntries(names.map((name, m) => [name, wave(count, 4, phase + 10 * m)])),
      present: Object.fromEntries(
        names.map((name, m) => [name, Array.from({ length: count }, (_, i) => (missing[15 * m + i] ? 0 : 1))]),
      ),
      bucket: { tokens: count + extraTokens, time: Math.max(...lengths) + extraTime },
    };
  });

describe.each(ENGINES)("fusion and row loop on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("agree for every mode, sharing, bias, augmentation and value space", () => {
    const batch: Batch = {
      lengths: [3, 1, 2],
      features: { text: wave(6, 4), audio: wave(6, 4, 1), visual: wave(6, 4, 2) },
    };
    for (const options of structures()) {
      const parameters = drawValues(options, site(batch));
      expectClose(
        runLmam(batch, { options, parameters }).fused,
        oracle(lmamOptions.parse(options), parameters, batch),
        2e-5,
      );
    }
  });

  it("agree for random options and missing modalities", () => {
    fc.assert(
      fc.property(
        batches,
        fc.constantFrom(...structures()),
        extras,
        fc.boolean(),
        (batch, structure, extra, sumGelu) => {
          const postForm = sumGelu && structure.mode === "allPairs" && extra.residual ? "sumGelu" : "geluSum";
          const options = { ...structure, ...extra, postForm };
          const parameters = drawValues(options, site(batch), 5);
          const { fused, all } = runLmam(batch, { options, parameters });
          expectClose(fused, oracle(lmamOptions.parse(options), parameters, batch), 1e-4);
          if (extra.maskOutput) {
            expectClose(
              all.slice(fused.length),
              all.slice(fused.length).map((row) => row.map(() => 0)),
              0,
            );
          }
          expect(all.flat().every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 120 },
    );
  });
});
