// The hosts of LMAM's release, counted: what the release has besides our parts is a batch norm for each of its four text
// feature sets (4 · 2 · 1024 numbers; our text comes as one set), and further maps at the end that are named below. Its
// recurrent layers have two biases, as ours. Widths are those of its IEMOCAP features.

import { createModel } from "@merclab/trainer";
import { describe, expect, it } from "vitest";
import { type ModelChoice, modelOf, partsOf } from "./support/contract.ts";

const TEXT_NORMS = 4 * 2 * 1024;
const CLASSES = 6;
const map = (inDim: number, outDim: number) => inDim * outDim + outDim;

function count(choice: ModelChoice): number {
  return createModel(partsOf(choice), {
    modalities: [
      { name: "text", dim: 1024 },
      { name: "audio", dim: 1582 },
      { name: "visual", dim: 342 },
    ],
    numSpeakers: 2,
    task: { type: "single-label", classes: Array.from({ length: CLASSES }, (_, i) => `c${i}`) },
    trainClassCounts: new Array(CLASSES).fill(1),
    trainUtterances: CLASSES,
  }).count.total;
}

const BC_LSTM = { dim: 512, numLayers: 4 };
const DIALOGUE_RNN = { dim: 256, globalDim: 512, partyDim: 150 };

describe("parameters of the hosts in LMAM's release", () => {
  it("bc-LSTM with LMAM: an LSTM for text, maps for audio and visual, LMAM, 512 to 100, GELU, 100 to 6", () => {
    const ours = count({
      encoder: ["bc-lstm", { ...BC_LSTM, contextual: ["text"] }],
      fusion: ["lmam", { outputProjection: { units: 100, activation: "gelu" } }],
    });
    expect(ours + TEXT_NORMS).toBe(8_665_282);
    expect(ours).toBe(8_657_090);
  });

  it("bc-LSTM without: all modalities side by side; the classifier has a hidden layer of 100", () => {
    const ours = count({ encoder: ["bc-lstm", { ...BC_LSTM, input: "concatenated" }], fusion: ["concat"] });
    const heads = map(512, 100) + map(100, CLASSES) - map(512, CLASSES);
    expect(ours + TEXT_NORMS + heads).toBe(11_356_866);
  });

  it("DialogueRNN without LMAM: 256 to 512 before the classifier", () => {
    const ours = count({ encoder: ["dialogue-rnn", DIALOGUE_RNN], fusion: ["concat"] });
    const heads = map(256, 512) + map(512, CLASSES) - map(256, CLASSES);
    expect(ours + TEXT_NORMS + heads).toBe(7_630_142);
  });

  it("DialogueRNN with LMAM beside it: maps of the raw features to 512, LMAM, and 256 to 512 behind the host", () => {
    const ours = count({
      encoder: ["dialogue-rnn", DIALOGUE_RNN],
      fusion: ["lmam", { placement: "parallel", width: 512 }],
    });
    expect(ours + TEXT_NORMS).toBe(9_403_710);
  });
});

describe("LMAM behind a host of one stream", () => {
  it.each(["dialogue-rnn", "dialogue-gcn"])(
    "%s is refused, and works before it, beside it or per modality",
    (encoder) => {
      expect(() => modelOf({ encoder: [encoder, { dim: 8 }], fusion: ["lmam", { rank: 2 }] })).toThrow(
        /one stream of all of them \(joint\)/,
      );
      for (const placement of ["early", "early-residual", "parallel"]) {
        expect(
          modelOf({ encoder: [encoder, { dim: 8 }], fusion: ["lmam", { rank: 2, placement }] }).count.total,
        ).toBeGreaterThan(0);
      }
      const apart = modelOf({ encoder: [encoder, { dim: 8, input: "per-modality" }], fusion: ["lmam", { rank: 2 }] });
      expect(apart.count.total).toBeGreaterThan(0);
    },
  );

  it("is not refused where there is but one modality, which is its own memory", () => {
    const model = modelOf({ encoder: ["dialogue-rnn", { dim: 8 }], fusion: ["lmam", { rank: 2 }] }, ["text"]);
    expect(model.count.total).toBeGreaterThan(0);
  });

  it("a fusion that needs two modalities says so of a host of one stream", () => {
    expect(() =>
      modelOf({ encoder: ["dialogue-rnn", { dim: 8 }], fusion: ["cross-attention", { numHeads: 2 }] }),
    ).toThrow(/needs two modalities/);
  });
});
