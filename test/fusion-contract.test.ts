// The laws of packages/plugin-kit on the published methods and the baselines, as whole models.
import { describeLaws, type Method } from "./support/laws.ts";

const ada2i = { dim: 4, feedForwardDim: 8, dropout: 0.2 };
const METHODS: readonly Method[] = [
  {
    name: "Ada2I",
    encoder: ["ada2i", ada2i],
    fusion: ["ada2i", { rank: 3, dropout: 0.2 }],
    balancer: ["disparity-ratio"],
  },
  {
    name: "Ada2I as described",
    encoder: ["ada2i", ada2i],
    fusion: ["ada2i", { variant: "as-described", rank: 3, dropout: 0.2 }],
    objective: ["modal-cross-entropy"],
    balancer: ["disparity-ratio", { kappa: "smooth" }],
  },
  {
    name: "Ada2I with LSTMs",
    encoder: ["ada2i", { ...ada2i, kind: "lstm" }],
    fusion: ["ada2i", { rank: 2, layers: 1, dropout: 0, weighting: "none" }],
  },
  ...(
    [
      ["concat", { dropout: 0.1 }, {}, {}],
      [
        "poe",
        { central: "text", numBlocks: 2 },
        { skip: "concat", reconstructionNorm: "squared" },
        { direction: "reverse" },
      ],
      [
        "moe",
        { interaction: "symmetric" },
        { skip: "none", kernel: 5, reconstructionNorm: "root" },
        { direction: "both" },
      ],
      [
        "deterministic",
        { interaction: "self" },
        { compression: "linear" },
        { latentWeight: 0, scaleT2: true, temperature: 2 },
      ],
      [
        "concat",
        { central: ["text"], gate: "none", priorWeight: 0 },
        { kernel: 1, reconstructionWeight: 0 },
        { logitWeight: 0 },
      ],
    ] as const
  ).map(
    ([fusion, more, encoder, objective]): Method => ({
      name: `CMATH, ${fusion}, ${JSON.stringify({ ...more, ...encoder, ...objective })}`,
      encoder: ["cmath", { dim: 4, dropout: 0.1, ...encoder }],
      fusion: ["cmath", { numHeads: 2, fusion, latentDim: 3, dropout: 0.1, ...more }],
      // A detached teacher has no gradient by design, which slopes cannot know.
      objective: ["hierarchical-distillation", { dropout: 0.1, detachTeacher: false, ...objective }],
      // A bias of the keys adds the same to all scores of a query.
      idle: /\.key\.bias$/,
      text: "central" in more,
    }),
  ),
  ...(["early", "early-residual", "parallel"] as const).flatMap((placement): Method[] => [
    {
      name: `LMAM, ${placement}, and the transformer`,
      encoder: ["transformer", { dim: 4, numHeads: 2, dropout: 0.1 }],
      fusion: ["lmam", { rank: 2, mode: "allPairs", placement }],
      idle: /\.k\.bias$/,
    },
    {
      name: `LMAM, ${placement}, and CMATH's encoder`,
      encoder: ["cmath", { dim: 4, dropout: 0.1 }],
      fusion: ["lmam", { mode: "allPairs", bias: "none", placement }],
    },
  ]),
  ...(
    [
      ["concat", {}],
      ["concat", { projection: true }],
      ["sum", {}],
      ["sum", { reduce: "mean" }],
      ["gated", {}],
      ["tfn", { modalityDim: 2 }],
      ["lmf", { rank: 2 }],
      ["cross-attention", { numHeads: 2, numLayers: 2 }],
      ["cross-attention", { numHeads: 2, form: "bare" }],
      ["self-attention", { numHeads: 2 }],
    ] as const
  ).map(
    ([fusion, options]): Method => ({
      name: `${fusion} ${JSON.stringify(options)}`,
      encoder: ["transformer", { dim: 4, numHeads: 2, dropout: 0.1 }],
      fusion: [fusion, options],
      balancer: ["ogm-ge"],
      idle: /\.(k|key)\.bias$/,
      pair: fusion === "cross-attention",
    }),
  ),
];

describeLaws(METHODS);
