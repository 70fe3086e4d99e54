// Golden values of the specification (computed there in double precision): one dialogue of four utterances, the last
// one masked, three modalities of width 3. The masked utterance is one at which nothing was observed; with maskOutput
// off it still queries.
import { tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { lmamOptions, matchSides, planMatches } from "../src/index.ts";
import { createRows } from "../src/rows.ts";
import { type Batch, ENGINES, expectClose, type Rows, runLmam, startEngine, toInputs, toTensors } from "./support.ts";

const table = (rows: number, columns: number, f: (i: number, k: number) => number): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, k) => f(i, k)));

const modality = (m: number): Rows => table(4, 3, (i, k) => Math.sin(0.7 * (i + 1) + 0.5 * (k + 1) + 1.3 * m));

const MU = [1, 1, 1, 0];
const batch: Batch = {
  lengths: [4],
  features: { text: modality(0), audio: modality(1), visual: modality(2) },
  present: { text: MU, audio: MU, visual: MU },
};

const full = {
  "lmam.weight": table(3, 3, (o, k) => 0.3 * Math.cos(0.4 * (o + 1) * (k + 1))),
  "lmam.bias": [0.05, 0.1, 0.15],
};
const zero = { "lmam.weight": table(3, 3, () => 0), "lmam.bias": [0, 0, 0] };
const rank2 = {
  "lmam.u": table(3, 2, (k, c) => 0.5 * Math.cos(0.6 * (k + 1) + 0.9 * (c + 1))),
  "lmam.v": table(3, 2, (k, c) => 0.5 * Math.sin(0.8 * (k + 1) - 0.3 * (c + 1))),
  "lmam.c": [0.1, -0.2],
};

/** Scores of the anchor's rows against its own, before tanh. */
function anchorScores(given: Readonly<Record<string, unknown>>, parameters: typeof full | typeof rank2): number[][] {
  return tidy(() => {
    const options = lmamOptions.parse(given);
    const inputs = toInputs(batch);
    const [match] = planMatches(options, ["text"]);
    if (match === undefined) {
      throw new Error("no match");
    }
    const sides = matchSides(options, toTensors(parameters), match, createRows(inputs.features), inputs.layout);
    const [queries] = sides.queries.arraySync() as number[][][];
    const [keys] = sides.keys.arraySync() as number[][][];
    const bias = (sides.keyBias?.arraySync() as number[][][] | undefined)?.[0]?.[0] ?? [0, 0, 0, 0];
    return (queries ?? []).map((q) =>
      (keys ?? []).map((key, j) => key.reduce((sum, value, c) => sum + value * (q[c] ?? 0), bias[j] ?? 0)),
    );
  });
}

describe.each(ENGINES)("golden values on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("scores of the full weight", () => {
    expectClose(anchorScores({}, full), [
      [0.518085, 0.598393, 0.397267, 0.009301],
      [0.714687, 0.623712, 0.239396, -0.257512],
      [0.700755, 0.426589, -0.048208, -0.500333],
      [0.482842, 0.099734, -0.33028, -0.604958],
    ]);
  });

  it("attention of the full weight", () => {
    const { shown } = runLmam(batch, { options: { maskOutput: false }, parameters: full });
    expect(Object.keys(shown)).toEqual(["attention.text.text", "attention.audio.text", "attention.visual.text"]);
    expectClose(shown["attention.text.text"]?.[0] ?? [], [
      [0.336973, 0.357697, 0.305329, 0],
      [0.380717, 0.358582, 0.260701, 0],
      [0.427852, 0.349463, 0.222685, 0],
      [0.460918, 0.325092, 0.21399, 0],
    ]);
    expectClose(shown["attention.audio.text"]?.[0] ?? [], [
      [0.421247, 0.351869, 0.226884, 0],
      [0.458489, 0.328755, 0.212756, 0],
      [0.451333, 0.310994, 0.237673, 0],
      [0.399906, 0.312994, 0.287099, 0],
    ]);
    expectClose(shown["attention.visual.text"]?.[0] ?? [], [
      [0.455822, 0.312142, 0.232036, 0],
      [0.408424, 0.312084, 0.279492, 0],
      [0.349734, 0.318953, 0.331313, 0],
      [0.305707, 0.329403, 0.364889, 0],
    ]);
  });

  it("P of the full weight, from the maps that are shown", () => {
    const { shown } = runLmam(batch, { options: { maskOutput: false }, parameters: full });
    const text = modality(0);
    const pooled = table(4, 3, (i, k) =>
      Object.values(shown).reduce(
        (total, map) => total + (map[0]?.[i] ?? []).reduce((sum, a, j) => sum + a * (text[j]?.[k] ?? 0), 0),
        0,
      ),
    );
    expectClose(pooled, [
      [2.492349, 1.925827, 0.887795],
      [2.496738, 1.943611, 0.91462],
      [2.480324, 1.91315, 0.87757],
      [2.449202, 1.84632, 0.791395],
    ]);
  });

  it("anchorMemory, full weight, equation 9", () => {
    expectClose(runLmam(batch, { options: { maskOutput: false }, parameters: full }).fused, [
      [3.408574, 2.865373, 1.529985],
      [3.427391, 2.568596, 0.989059],
      [2.979547, 1.901422, 0.268233],
      [2.273923, 1.174599, -0.294412],
    ]);
  });

  it("allPairs, full weight, equation 12", () => {
    expectClose(runLmam(batch, { options: { maskOutput: false, mode: "allPairs" }, parameters: full }).fused, [
      [1.013638, 0.118226, -0.545121],
      [-0.07176, -0.904588, -1.345186],
      [-1.111704, -1.534919, -1.513737],
      [-1.621241, -1.47821, -0.972447],
    ]);
  });

  it("allPairs, full weight, equation 11", () => {
    const options = { maskOutput: false, mode: "allPairs", postForm: "sumGelu" };
    expectClose(runLmam(batch, { options, parameters: full }).fused, [
      [3.278523, 0.723969, -1.766674],
      [1.820462, -1.009793, -3.37473],
      [-0.05324, -2.61686, -3.916689],
      [-1.317642, -2.671551, -2.800582],
    ]);
  });

  const rankOptions = { rank: 2, allowLargeRank: true, maskOutput: false };

  it("scores of rank 2", () => {
    expectClose(anchorScores(rankOptions, rank2), [
      [-1.512419, -0.838118, 0.230363, 1.1905],
      [-0.793086, -0.418199, 0.153373, 0.652812],
      [0.384431, 0.261232, 0.015172, -0.238024],
      [1.46633, 0.88063, -0.119243, -1.063035],
    ]);
  });

  it("anchorMemory, rank 2", () => {
    expectClose(runLmam(batch, { options: rankOptions, parameters: rank2 }).fused, [
      [3.292567, 2.605261, 1.231003],
      [3.400385, 2.485018, 0.876602],
      [3.056605, 2.041841, 0.431228],
      [2.340103, 1.288762, -0.170711],
    ]);
  });

  it("zero weight attends uniformly", () => {
    expectClose(runLmam(batch, { options: { maskOutput: false }, parameters: zero }).fused, [
      [3.305923, 2.625613, 1.248789],
      [3.320184, 2.309412, 0.679542],
      [2.889386, 1.675529, -0.002228],
      [2.216139, 1.022091, -0.475873],
    ]);
  });

  it("maskOutput blanks the masked utterance and nothing else", () => {
    const open = runLmam(batch, { options: { maskOutput: false }, parameters: full }).fused;
    const masked = runLmam(batch, { parameters: full }).fused;
    expectClose(masked, [...open.slice(0, 3), [0, 0, 0]], 0);
  });
});
