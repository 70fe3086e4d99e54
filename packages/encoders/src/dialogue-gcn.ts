// DialogueGCN: Ghosal, Majumder, Poria, Chhaya, Gelbukh, "DialogueGCN: A Graph Convolutional Neural Network for Emotion
// Recognition in Conversation", EMNLP 2019. Utterances are nodes; each sees the ones in a window of its past and future,
// by edges that attention weighs, through weights of the relation: who speaks, who is seen, and whether before or after.
// The graph is a dense mask per dialogue. At the end every utterance attends to all of its dialogue (nodal attention).
import {
  applyGru,
  applyLstm,
  type Context,
  concatLast,
  contextWithin,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderSite,
  gruSpecs,
  type Inputs,
  type Layout,
  linear,
  linearSpecs,
  lstmSpecs,
  MerclabError,
  maskedSoftmax,
  oneHotRows,
  type ParameterSpec,
  type Parameters,
  packTokens,
  padTokens,
  parameter,
  uniformFanIn,
} from "@merclab/core";
import {
  add,
  concat,
  div,
  expandDims,
  matMul,
  maximum,
  mul,
  relu,
  reshape,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tanh,
  tensor3d,
  transpose,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { type HostSequence, halfOf, hostSequences, inputOption, ofSequence, sequenceRows } from "./host-sequences.ts";

/** Utterances that a node sees in one direction; null = all. */
const windowOption = z.int().nonnegative().nullable();

export const dialogueGcnOptions = z.strictObject({
  dim: z.int().positive().default(128).describe("width of the stream: the context's features beside the graph's"),
  graphDim: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("width of the graph's part; half of dim where it is null"),
  context: z
    .enum(["gru", "lstm"])
    .default("gru")
    .describe("what runs over the dialogue before the graph, in both directions"),
  numLayers: z.int().positive().default(1).describe("recurrent layers of the context"),
  dropout: z.number().min(0).lt(1).default(0.5).describe("between layers of the context, and on the graph's features"),
  past: windowOption.default(10),
  future: windowOption.default(10),
  numBases: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("basis matrices that the relations' weights are sums of; null = weights of their own"),
  nodalAttention: z.boolean().default(true).describe("attention over the whole dialogue, last"),
  input: inputOption.default("concatenated"),
});

export type DialogueGcnOptions = z.output<typeof dialogueGcnOptions>;

interface Widths {
  readonly contextDim: number;
  readonly graphDim: number;
}

export function createDialogueGcnEncoder(options: DialogueGcnOptions, site: EncoderSite): Encoder {
  const { dim, numLayers } = options;
  const widths = checkWidths(options);
  const sequences = hostSequences(options.input, site);
  const shape = { numLayers, bidirectional: true, dropout: options.dropout };
  const nameOf = ({ name }: HostSequence) => `dialogue_gcn.${name}`;
  const contextSpecs = options.context === "gru" ? gruSpecs : lstmSpecs;
  return {
    modalities: sequences.map(({ name }) => name),
    dim,
    parameters: sequences.flatMap((sequence) =>
      ofSequence(sequence, [
        ...contextSpecs(`${nameOf(sequence)}.context`, sequence.dim, widths.contextDim / 2, shape),
        ...graphSpecs(nameOf(sequence), widths, options, site.numSpeakers),
      ]),
    ),
    apply: (parameters, inputs, context) => {
      const applyContext = options.context === "gru" ? applyGru : applyLstm;
      const contexts = applyContext(
        parameters,
        sequences.map((sequence) => ({
          name: `${nameOf(sequence)}.context`,
          x: sequenceRows(sequence, inputs),
          site: sequence.name,
        })),
        inputs.layout,
        shape,
        context,
      );
      const window = windowMask(inputs.layout, options);
      return Object.fromEntries(
        sequences.map((sequence, s) => {
          const [nodes, name] = [contexts[s] as Tensor2D, nameOf(sequence)];
          const sites = contextWithin(context, sequence.name);
          const graph = convolve(parameters, name, nodes, window, inputs, site.numSpeakers, options, sites);
          const both = concatLast([nodes, graph]);
          return [sequence.name, options.nodalAttention ? attendNodes(parameters, name, both, inputs.layout) : both];
        }),
      );
    },
  };
}

function checkWidths({ dim, graphDim: given }: DialogueGcnOptions): Widths {
  const graphDim = given ?? halfOf("dialogue-gcn", "dim", dim);
  const contextDim = dim - graphDim;
  if (contextDim < 2 || contextDim % 2 !== 0) {
    throw new MerclabError(
      "config",
      `encoder dialogue-gcn: dim ${dim} leaves ${contextDim} beside graphDim ${graphDim}; the context needs an even width, half for each direction`,
      { hint: "Choose dim and graphDim with an even difference of 2 or more; graphDim: null takes half of dim." },
    );
  }
  return { contextDim, graphDim };
}

/** Relations seen by one speaker: each speaker, before and after. */
const relationsPerSpeaker = (numSpeakers: number): number => 2 * numSpeakers;

function graphSpecs(
  name: string,
  { contextDim, graphDim }: Widths,
  { dim, numBases, nodalAttention }: DialogueGcnOptions,
  numSpeakers: number,
): ParameterSpec[] {
  const relations = numSpeakers * relationsPerSpeaker(numSpeakers);
  const initial = uniformFanIn(contextDim);
  return [
    { name: `${name}.edge.weight`, shape: [contextDim, contextDim], initial },
    ...(numBases === null
      ? [{ name: `${name}.conv1.weight`, shape: [relations, contextDim, graphDim], initial }]
      : [
          { name: `${name}.conv1.bases`, shape: [numBases, contextDim, graphDim], initial },
          { name: `${name}.conv1.coefficients`, shape: [relations, numBases], initial: uniformFanIn(numBases) },
        ]),
    { name: `${name}.conv1.root`, shape: [contextDim, graphDim], initial },
    ...linearSpecs(`${name}.conv2.neighbours`, graphDim, graphDim, false),
    ...linearSpecs(`${name}.conv2.root`, graphDim, graphDim),
    ...(nodalAttention ? linearSpecs(`${name}.nodal`, dim, dim) : []),
  ];
}

/** Who sees whom. */
interface Window {
  /** `[batch, time, time]`, rows see columns: before, after, and either or themselves. */
  readonly before: Tensor3D;
  readonly after: Tensor3D;
  readonly all: Tensor3D;
}

function windowMask({ batch, time, mask }: Layout, { past, future }: DialogueGcnOptions): Window {
  const seen = (reaches: (distance: number) => boolean) =>
    tensor3d(
      Float32Array.from({ length: time * time }, (_, at) => (reaches((at % time) - Math.floor(at / time)) ? 1 : 0)),
      [1, time, time],
    );
  const pairs = mul(reshape(mask, [batch, time, 1]), reshape(mask, [batch, 1, time]));
  const before = mul(
    seen((distance) => distance < 0 && -distance <= (past ?? time)),
    pairs,
  );
  const after = mul(
    seen((distance) => distance > 0 && distance <= (future ?? time)),
    pairs,
  );
  const self = mul(
    seen((distance) => distance === 0),
    pairs,
  );
  return { before, after, all: add(add(before, after), self) } as { before: Tensor3D; after: Tensor3D; all: Tensor3D };
}

/**
 * Both convolutions.
 *
 * @param nodes `[tokens, contextDim]`
 * @returns `[tokens, graphDim]`
 */
function convolve(
  parameters: Parameters,
  name: string,
  nodes: Tensor2D,
  window: Window,
  { layout, speakers }: Inputs,
  numSpeakers: number,
  options: DialogueGcnOptions,
  context: Context,
): Tensor2D {
  const { batch, time } = layout;
  const contextDim = nodes.shape[1];
  const padded = padTokens(nodes, layout);
  const asking = padTokens(matMul(nodes, parameter(parameters, `${name}.edge.weight`) as Tensor2D), layout);
  const attention = maskedSoftmax(matMul(asking, padded, false, true), window.all); // [batch, time, time]

  // What each node sees of each relation, as the mean over its neighbours in it.
  const spoken = padTokens(oneHotRows(speakers, numSpeakers), layout);
  const heard = reshape(transpose(spoken, [0, 2, 1]), [batch, numSpeakers, 1, time]);
  const relations = concat(
    [window.before, window.after].map((side) => mul(heard, expandDims(side, 1))),
    1,
  ); // [batch, 2 · speakers, time, time]
  const share = div(relations, maximum(sum(relations, 3, true), 1));
  const rows = reshape(mul(share, expandDims(attention, 1)), [batch, -1, time]);
  const count = relationsPerSpeaker(numSpeakers);
  const means = reshape(matMul(rows, padded), [batch, count, time, contextDim]);
  const seen = packTokens(reshape(transpose(means, [0, 2, 1, 3]), [batch, time, count * contextDim]), layout);

  // Each speaker has weights of its own; those of the others are masked out.
  const weights = relationWeights(parameters, name, options); // [relations, contextDim, graphDim]
  const graphDim = weights.shape[2] as number;
  const perSpeaker = transpose(reshape(weights, [numSpeakers, count * contextDim, graphDim]), [1, 0, 2]);
  const byAll = matMul(seen, reshape(perSpeaker, [count * contextDim, numSpeakers * graphDim]) as Tensor2D);
  const speaker = expandDims(oneHotRows(speakers, numSpeakers), 2);
  const fromOthers = sum(mul(reshape(byAll, [-1, numSpeakers, graphDim]), speaker), 1);

  const own = mul(attention, identityMask(time)); // α_ii
  const toSelf = packTokens(sum(own, 2, true) as Tensor3D, layout);
  const root = mul(matMul(nodes, parameter(parameters, `${name}.conv1.root`) as Tensor2D), toSelf);
  const first = dropout(relu(add(fromOthers, root)) as Tensor2D, options.dropout, context, "conv1");

  const neighbours = matMul(add(window.before, window.after) as Tensor3D, padTokens(first, layout)) as Tensor3D;
  const summed = linear(parameters, `${name}.conv2.neighbours`, packTokens(neighbours, layout));
  return relu(add(summed, linear(parameters, `${name}.conv2.root`, first)));
}

/**
 * What each utterance takes from all of its dialogue, `β_i = softmax_j tanh((W x_i + b) · x_j)`, `Σ_j β_ij x_j`: the
 * matching attention of the authors' code, where the paper's has neither tanh nor bias.
 *
 * @param rows `[tokens, dim]`
 * @returns `[tokens, dim]`
 */
function attendNodes(parameters: Parameters, name: string, rows: Tensor2D, layout: Layout): Tensor2D {
  const nodes = padTokens(rows, layout);
  const asking = padTokens(linear(parameters, `${name}.nodal`, rows), layout);
  const mask = reshape(layout.mask, [layout.batch, 1, layout.time]);
  const beta = maskedSoftmax(tanh(matMul(asking, nodes, false, true)), mask);
  return packTokens(matMul(beta, nodes) as Tensor3D, layout);
}

/** `[1, time, time]` */
function identityMask(time: number): Tensor3D {
  return tensor3d(
    Float32Array.from({ length: time * time }, (_, at) => (at % (time + 1) === 0 ? 1 : 0)),
    [1, time, time],
  );
}

/** `[relations, contextDim, graphDim]` */
function relationWeights(parameters: Parameters, name: string, { numBases }: DialogueGcnOptions): Tensor {
  if (numBases === null) {
    return parameter(parameters, `${name}.conv1.weight`);
  }
  const bases = parameter(parameters, `${name}.conv1.bases`);
  const [, contextDim, graphDim] = bases.shape as [number, number, number];
  const coefficients = parameter(parameters, `${name}.conv1.coefficients`) as Tensor2D;
  return reshape(matMul(coefficients, reshape(bases, [numBases, -1])), [-1, contextDim, graphDim]);
}

export const dialogueGcnPlugin = definePlugin({
  kind: "encoder",
  name: "dialogue-gcn",
  summary: "DialogueGCN: context, then a graph of the utterances by speaker and direction (Ghosal et al. 2019)",
  options: dialogueGcnOptions,
  create: createDialogueGcnEncoder,
});
