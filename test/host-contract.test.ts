// The laws of packages/plugin-kit on recurrent and graph encoders, alone and with LMAM wherever it can stand.
import { describeLaws, type Method } from "./support/laws.ts";

const LMAM = { rank: 2, mode: "allPairs" };

const METHODS: readonly Method[] = [
  {
    name: "bc-LSTM, two layers",
    encoder: ["bc-lstm", { dim: 4, numLayers: 2, dropout: 0.1 }],
    fusion: ["lmam", LMAM],
  },
  {
    name: "bc-LSTM of all modalities side by side",
    encoder: ["bc-lstm", { dim: 4, numLayers: 2, dropout: 0.1, input: "concatenated" }],
    fusion: ["concat"],
  },
  {
    name: "bc-LSTM of what LMAM fused",
    encoder: ["bc-lstm", { dim: 4, dropout: 0 }],
    fusion: ["lmam", { ...LMAM, placement: "early" }],
  },
  {
    name: "DialogueRNN",
    encoder: ["dialogue-rnn", { dim: 3, globalDim: 4, partyDim: 2, dropout: 0.1 }],
    fusion: ["concat"],
  },
  {
    name: "DialogueRNN of what LMAM fused",
    encoder: ["dialogue-rnn", { dim: 4, globalDim: 3, partyDim: 2, dropout: 0 }],
    fusion: ["lmam", { ...LMAM, placement: "early-residual" }],
  },
  {
    name: "DialogueRNN with LMAM beside it",
    encoder: ["dialogue-rnn", { dim: 3, globalDim: 3, partyDim: 2, dropout: 0.1 }],
    fusion: ["lmam", { ...LMAM, placement: "parallel", width: 4 }],
  },
  {
    name: "DialogueRNN in both directions with listeners, per modality",
    encoder: [
      "dialogue-rnn",
      { dim: 4, globalDim: 3, partyDim: 2, dropout: 0.1, bidirectional: true, listener: true, input: "per-modality" },
    ],
    fusion: ["lmam", LMAM],
  },
  {
    name: "DialogueGCN",
    encoder: ["dialogue-gcn", { dim: 6, graphDim: 4, dropout: 0.1 }],
    fusion: ["concat"],
  },
  {
    name: "DialogueGCN with short windows, bases and an LSTM, of what LMAM fused",
    encoder: ["dialogue-gcn", { dim: 4, dropout: 0.1, past: 1, future: 2, numBases: 3, context: "lstm" }],
    fusion: ["lmam", { ...LMAM, placement: "early" }],
  },
  {
    name: "DialogueGCN per modality",
    encoder: ["dialogue-gcn", { dim: 4, dropout: 0, past: null, future: null, input: "per-modality" }],
    fusion: ["lmam", LMAM],
  },
  {
    name: "MMGCN",
    encoder: ["mmgcn", { dim: 8, numLayers: 2, dropout: 0.1 }],
    fusion: ["concat"],
  },
  {
    name: "MMGCN with LMAM",
    encoder: ["mmgcn", { dim: 4, numLayers: 1, dropout: 0, contextual: "none", speakers: false }],
    fusion: ["lmam", LMAM],
  },
  {
    name: "MMGCN of what LMAM fused",
    encoder: ["mmgcn", { dim: 4, dropout: 0, contextual: "all" }],
    fusion: ["lmam", { ...LMAM, placement: "early" }],
  },
];

describeLaws(METHODS);
