// Parameter counts of the recurrent and graph encoders by formula. Those of the hosts in LMAM's release are in
// test/lmam-hosts.test.ts at the root.
import { countParameters } from "@merclab/core";
import { describe, expect, it } from "vitest";
import { createEncoder, type Options } from "./support.ts";

const S = 3;
const WIDTHS = { text: 11, audio: 7, visual: 5 };
const ALL = Object.values(WIDTHS);
const JOINT = 11 + 7 + 5;

function count(encoder: string, options: Options): number {
  const modalities = Object.entries(WIDTHS).map(([name, dim]) => ({ name, dim }));
  return countParameters(createEncoder(encoder, options, { modalities, numSpeakers: S }).parameters).total;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
/** Weights and two biases of a recurrent cell. */
const cell = (gates: number, inDim: number, hidden: number) => gates * hidden * (inDim + hidden + 2);

describe("parameters of bc-lstm", () => {
  it.each([1, 2, 4])("%d layers, per modality and of all side by side", (numLayers) => {
    const further = (numLayers - 1) * 2 * cell(4, 8, 4);
    const options = { dim: 8, numLayers };
    expect(count("bc-lstm", options)).toBe(total(ALL.map((width) => 2 * cell(4, width, 4) + further)));
    expect(count("bc-lstm", { ...options, input: "concatenated" })).toBe(2 * cell(4, JOINT, 4) + further);
  });

  it("modalities without an LSTM have a linear map", () => {
    const linear = total([7, 5].map((width) => width * 8 + 8));
    expect(count("bc-lstm", { dim: 8, contextual: ["text"] })).toBe(2 * cell(4, 11, 4) + linear);
  });
});

describe("parameters of dialogue-rnn", () => {
  const one = (width: number, dim: number) => cell(3, width + 4, 6) + cell(3, width + 6, 4) + cell(3, 4, dim) + 6;
  const options = { dim: 8, globalDim: 6, partyDim: 4 };

  it("global, party and emotion cell, and a vector for the attention", () => {
    expect(count("dialogue-rnn", options)).toBe(one(JOINT, 8));
    expect(count("dialogue-rnn", { ...options, input: "per-modality" })).toBe(total(ALL.map((width) => one(width, 8))));
  });

  it("twice that for two directions, and a cell for listeners", () => {
    const directions = 2 * (one(JOINT, 4) + cell(3, JOINT + 4, 4));
    expect(count("dialogue-rnn", { ...options, bidirectional: true, listener: true })).toBe(directions);
  });
});

describe("parameters of dialogue-gcn", () => {
  const relations = 2 * S * S;
  const rest = 6 * 6 + 6 * 2 + 2 * (2 * 2) + 2 + 8 * 8 + 8; // edges, root of the first layer, second layer, nodal

  it.each([
    ["gru", 3],
    ["lstm", 4],
  ])("context of a %s, weights of every relation", (context, gates) => {
    expect(count("dialogue-gcn", { dim: 8, graphDim: 2, context })).toBe(
      2 * cell(gates, JOINT, 3) + relations * 6 * 2 + rest,
    );
  });

  it("basis matrices in place of weights for every relation", () => {
    expect(count("dialogue-gcn", { dim: 8, graphDim: 2, numBases: 4 })).toBe(
      2 * cell(3, JOINT, 3) + 4 * 6 * 2 + relations * 4 + rest,
    );
  });
});

describe("parameters of mmgcn", () => {
  it.each([1, 4])("an LSTM for text, maps for the others, speakers, %d convolutions", (numLayers) => {
    const inputs = 2 * cell(4, 11, 2) + total([7, 5].map((width) => width * 4 + 4));
    const graph = 4 * 4 + 4 + numLayers * 16;
    expect(count("mmgcn", { dim: 8, numLayers })).toBe(inputs + S * 4 + graph);
    expect(count("mmgcn", { dim: 8, numLayers, speakers: false })).toBe(inputs + graph);
  });
});
