// DialogueRNN: Majumder, Poria, Hazarika, Mihalcea, Gelbukh, Cambria, "DialogueRNN: An Attentive RNN for Emotion Detection
// in Conversations", AAAI 2019. A global state follows the dialogue, a state per party what its speaker said in that
// context, an emotion state the parties' states. Attention over past global states is the paper's simple one, which
// scores a state by itself; it is kept as a running sum, so that a step costs the same wherever it stands.
import {
  concatLast,
  contextWithin,
  definePlugin,
  type Encoder,
  type EncoderSite,
  gruCellSpecs,
  type ParameterSpec,
  uniformFanIn,
} from "@merclab/core";
import type { Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { emotionStates, type Run } from "./dialogue-rnn-states.ts";
import { type HostSequence, halfOf, hostSequences, inputOption, ofSequence, sequenceRows } from "./host-sequences.ts";

export const dialogueRnnOptions = z.strictObject({
  dim: z
    .int()
    .positive()
    .default(128)
    .describe("width of the emotion state, which is the stream; each direction has half of it where there are two"),
  globalDim: z.int().positive().default(128),
  partyDim: z.int().positive().default(128),
  dropout: z.number().min(0).lt(1).default(0.5).describe("on every new state"),
  bidirectional: z.boolean().default(false).describe("a second DialogueRNN from the end of each dialogue"),
  listener: z.boolean().default(false).describe("parties that listen are updated too"),
  input: inputOption.default("concatenated"),
});

export type DialogueRnnOptions = z.output<typeof dialogueRnnOptions>;

export function createDialogueRnnEncoder(options: DialogueRnnOptions, site: EncoderSite): Encoder {
  const { dim, bidirectional } = options;
  const emotionDim = bidirectional ? halfOf("dialogue-rnn", "dim", dim) : dim;
  const sequences = hostSequences(options.input, site);
  const directions = bidirectional ? ["forward", "backward"] : ["forward"];
  const nameOf = ({ name }: HostSequence, direction: string) => `dialogue_rnn.${name}.${direction}`;
  return {
    modalities: sequences.map(({ name }) => name),
    dim,
    parameters: sequences.flatMap((sequence) =>
      ofSequence(
        sequence,
        directions.flatMap((direction) => cellSpecs(nameOf(sequence, direction), sequence.dim, emotionDim, options)),
      ),
    ),
    apply: (parameters, inputs, context) => {
      const runs = sequences.flatMap((sequence) => {
        const x = sequenceRows(sequence, inputs);
        return directions.map((direction): Run => {
          const sites = contextWithin(context, `${sequence.name}.${direction}`);
          return { name: nameOf(sequence, direction), x, backward: direction === "backward", sites };
        });
      });
      const emotions = emotionStates(parameters, runs, inputs, site.numSpeakers, emotionDim, options);
      return Object.fromEntries(
        sequences.map(({ name }, s) => {
          const own = emotions.slice(s * directions.length, (s + 1) * directions.length);
          return [name, own.length === 1 ? (own[0] as Tensor2D) : concatLast(own)];
        }),
      );
    },
  };
}

function cellSpecs(name: string, inDim: number, emotionDim: number, options: DialogueRnnOptions): ParameterSpec[] {
  const { globalDim, partyDim, listener } = options;
  return [
    ...gruCellSpecs(`${name}.g_cell`, inDim + partyDim, globalDim),
    ...gruCellSpecs(`${name}.p_cell`, inDim + globalDim, partyDim),
    ...gruCellSpecs(`${name}.e_cell`, partyDim, emotionDim),
    ...(listener ? gruCellSpecs(`${name}.l_cell`, inDim + partyDim, partyDim) : []),
    { name: `${name}.attention.weight`, shape: [1, globalDim], initial: uniformFanIn(globalDim) },
  ];
}

export const dialogueRnnPlugin = definePlugin({
  kind: "encoder",
  name: "dialogue-rnn",
  summary: "DialogueRNN: global, party and emotion states, attention over past global states (Majumder et al. 2019)",
  options: dialogueRnnOptions,
  create: createDialogueRnnEncoder,
});
