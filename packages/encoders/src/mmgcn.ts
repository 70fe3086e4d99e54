// MMGCN: Hu, Liu, Zhao, Jin, "MMGCN: Multimodal Fusion via Deep Graph Convolution Network for Emotion Recognition in
// Conversation", ACL 2021. A node per utterance and modality; edges to all utterances of the same modality and to the same
// utterance in the others, weighed by how close the features are in angle; deep convolutions with initial residual
// and identity mapping (GCNII, Chen et al. 2020). The graph is kept as one dense block per modality and one vector per
// pair of modalities, which is all that it has.
import {
  applyLstm,
  type Context,
  concatLast,
  contextWithin,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderSite,
  embed,
  type Inputs,
  type Layout,
  linear,
  linearSpecs,
  lstmSpecs,
  normal,
  ofModality,
  type ParameterSpec,
  type Parameters,
  packTokens,
  padMask,
  padTokens,
  parameter,
  uniformFanIn,
} from "@merclab/core";
import {
  acos,
  add,
  addN,
  expandDims,
  matMul,
  mul,
  relu,
  reshape,
  rsqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tensor3d,
  transpose,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { contextualStreams, halfOf, hostSequences, sequenceRows } from "./host-sequences.ts";

export const mmgcnOptions = z.strictObject({
  dim: z
    .int()
    .positive()
    .default(128)
    .describe("width of every stream: the modality's features beside the graph's, half each"),
  numLayers: z.int().positive().default(4).describe("graph convolutions"),
  alpha: z.number().min(0).max(1).default(0.1).describe("α: share of the first layer's input in every layer"),
  eta: z
    .number()
    .positive()
    .default(0.5)
    .describe("η: layer l learns a share log(η / l + 1) of its map, the rest is the identity"),
  crossWeight: z.number().nonnegative().default(0.7).describe("γ: weight of edges between modalities"),
  dropout: z.number().min(0).lt(1).default(0.4).describe("on the graph's input and after every layer"),
  speakers: z.boolean().default(true).describe("speaker embedding"),
  contextual: z
    .union([z.enum(["all", "none"]), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe("modalities with a bidirectional LSTM in front; absent: text where there is one, else all"),
});

export type MmgcnOptions = z.output<typeof mmgcnOptions>;

/** Keeps angles away from 0 and π, where their slope is infinite (the official code's factor). */
const INSIDE = 0.99999;
const NORM_EPSILON = 1e-8;

export function createMmgcnEncoder(options: MmgcnOptions, site: EncoderSite): Encoder {
  const { dim, numLayers } = options;
  const width = halfOf("mmgcn", "dim", dim);
  const sequences = hostSequences("per-modality", site);
  const names = sequences.map(({ name }) => name);
  const chosen = options.contextual ?? (names.includes("text") ? ["text"] : "all");
  const contextual = contextualStreams("mmgcn", chosen, names);
  const half = contextual.size === 0 ? 0 : halfOf("mmgcn", "half of dim", width);
  const shape = { numLayers: 1, bidirectional: true, dropout: 0 };
  const inputSpecs = sequences.flatMap(({ name, dim: inDim }) =>
    ofModality(
      name,
      contextual.has(name)
        ? lstmSpecs(`mmgcn.${name}.lstm`, inDim, half, shape)
        : linearSpecs(`mmgcn.${name}.linear`, inDim, width),
    ),
  );
  return {
    modalities: names,
    dim,
    parameters: [
      ...inputSpecs,
      ...(options.speakers ? [{ name: "mmgcn.speakers", shape: [site.numSpeakers, width], initial: normal(1) }] : []),
      ...graphSpecs(width, numLayers),
    ],
    apply: (parameters, inputs, context) => {
      const running = sequences.filter(({ name }) => contextual.has(name));
      const runs = applyLstm(
        parameters,
        running.map((sequence) => ({ name: `mmgcn.${sequence.name}.lstm`, x: sequenceRows(sequence, inputs) })),
        inputs.layout,
        shape,
        context,
      );
      const features = sequences.map((sequence) => {
        const at = running.indexOf(sequence);
        const mapped =
          at < 0
            ? linear(parameters, `mmgcn.${sequence.name}.linear`, sequenceRows(sequence, inputs))
            : (runs[at] as Tensor2D);
        return options.speakers
          ? (add(mapped, embed(parameter(parameters, "mmgcn.speakers") as Tensor2D, inputs.speakers)) as Tensor2D)
          : mapped;
      });
      const graph = createGraph(features, names, inputs, options.crossWeight);
      const convolved = convolve(parameters, features, names, graph, inputs.layout, options, context);
      return Object.fromEntries(
        names.map((name, m) => [name, concatLast([features[m] as Tensor2D, convolved[m] as Tensor2D])]),
      );
    },
  };
}

function graphSpecs(width: number, numLayers: number): ParameterSpec[] {
  const initial = uniformFanIn(width);
  return [
    ...linearSpecs("mmgcn.graph.input", width, width),
    ...Array.from({ length: numLayers }, (_, layer) => ({
      name: `mmgcn.graph.${layer}.weight`,
      shape: [width, width],
      initial,
    })),
  ];
}

/** Normalised edge weights, D^−½ A D^−½. */
interface Graph {
  /** Per modality `[batch, time, time]`. */
  readonly within: readonly Tensor3D[];
  /** Per ordered pair of modalities `[tokens, 1]`, the edge between the nodes of one utterance; none to itself. */
  readonly between: readonly (readonly (Tensor2D | undefined)[])[];
}

/** Edges of the nodes whose modality was observed; a node alone sees itself. */
function createGraph(
  features: readonly Tensor2D[],
  names: readonly string[],
  inputs: Inputs,
  crossWeight: number,
): Graph {
  const { layout, present } = inputs;
  const { batch, time } = layout;
  const units = features.map((x) => mul(x, rsqrt(add(sum(square(x), 1, true), NORM_EPSILON))) as Tensor2D);
  const observed = names.map((name) => mul(present[name] as Tensor1D, layout.tokenMask) as Tensor1D);
  const diagonal = tensor3d(
    Float32Array.from({ length: time * time }, (_, at) => (at % (time + 1) === 0 ? 1 : 0)),
    [1, time, time],
  );
  const blocks = units.map((unit, m) => {
    const padded = padTokens(unit, layout);
    const mask = padMask(observed[m] as Tensor1D, layout);
    const pairs = mul(reshape(mask, [batch, time, 1]), reshape(mask, [batch, 1, time]));
    const close = angularSimilarity(matMul(padded, padded, false, true));
    // A node is as close to itself as can be, which has no slope.
    return add(mul(mul(close, pairs), sub(1, diagonal)), diagonal) as Tensor3D;
  });
  const crossed = units.map((unit, m) =>
    units.map((other, k) => {
      if (m === k) {
        return undefined;
      }
      const both = mul(observed[m] as Tensor1D, observed[k] as Tensor1D);
      const close = angularSimilarity(sum(mul(unit, other), 1, true));
      return mul(mul(close, expandDims(both, 1)), crossWeight) as Tensor2D;
    }),
  );
  const scales = blocks.map((block, m) => {
    const inside = packTokens(sum(block, 2, true) as Tensor3D, layout); // [tokens, 1]
    const outside = (crossed[m] ?? []).filter((edge) => edge !== undefined);
    // A padding token has no degree.
    return rsqrt(add(addN([inside, ...outside]), expandDims(sub(1, layout.tokenMask), 1))) as Tensor2D;
  });
  return {
    within: blocks.map((block, m) => {
      const scale = padTokens(scales[m] as Tensor2D, layout); // [batch, time, 1]
      return mul(mul(block, scale), transpose(scale, [0, 2, 1])) as Tensor3D;
    }),
    between: crossed.map((row, m) =>
      row.map((edge, k) =>
        edge === undefined ? undefined : (mul(mul(edge, scales[m] as Tensor2D), scales[k] as Tensor2D) as Tensor2D),
      ),
    ),
  };
}

/** 1 − arccos(cosine) / π: 1 for the same direction, 0 for the opposite one. */
function angularSimilarity(cosine: Tensor): Tensor {
  return sub(1, mul(acos(mul(cosine, INSIDE)), 1 / Math.PI));
}

/** H ← ReLU(((1 − α) P H + α H₀)((1 − β) I + β W)) per layer. `[tokens, width]` per modality */
function convolve(
  parameters: Parameters,
  features: readonly Tensor2D[],
  names: readonly string[],
  { within, between }: Graph,
  layout: Layout,
  { alpha, eta, numLayers, dropout: rate }: MmgcnOptions,
  context: Context,
): Tensor2D[] {
  const sites = names.map((name) => contextWithin(context, name));
  const first = features.map((x, m) => {
    const kept = dropout(x, rate, sites[m] as Context, "input");
    return relu(linear(parameters, "mmgcn.graph.input", kept));
  });
  let states = first;
  for (let layer = 0; layer < numLayers; layer++) {
    const beta = Math.log(eta / (layer + 1) + 1);
    const weight = parameter(parameters, `mmgcn.graph.${layer}.weight`) as Tensor2D;
    const before = states.map((state, m) => dropout(state, rate, sites[m] as Context, `layer${layer}`));
    states = before.map((state, m) => {
      const seen = packTokens(matMul(within[m] as Tensor3D, padTokens(state, layout)) as Tensor3D, layout);
      const crossing = (between[m] ?? []).flatMap((edge, k) =>
        edge === undefined ? [] : [mul(before[k] as Tensor2D, edge) as Tensor2D],
      );
      const spread = addN([seen, ...crossing]);
      const mixed = add(mul(spread, 1 - alpha), mul(first[m] as Tensor2D, alpha)) as Tensor2D;
      return relu(add(mul(mixed, 1 - beta), mul(matMul(mixed, weight), beta))) as Tensor2D;
    });
  }
  return states;
}

export const mmgcnPlugin = definePlugin({
  kind: "encoder",
  name: "mmgcn",
  summary: "MMGCN: a graph of modalities and utterances by angle, with deep convolutions (Hu et al. 2021)",
  options: mmgcnOptions,
  create: createMmgcnEncoder,
});
