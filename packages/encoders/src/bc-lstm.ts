// bc-LSTM: Poria, Cambria, Hazarika, Majumder, Zadeh, Morency, "Context-Dependent Sentiment Analysis in User-Generated
// Videos", ACL 2017: a bidirectional LSTM over the utterances of each dialogue. Here one per modality, or one over all
// modalities side by side; modalities without one get a linear map, as in the release of LMAM. What follows the LSTM in
// the paper, a dense layer and the classifier, is left to fusion and head.
import {
  applyLstm,
  contextWithin,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderSite,
  linear,
  linearSpecs,
  lstmSpecs,
} from "@merclab/core";
import type { Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { contextualStreams, halfOf, hostSequences, inputOption, ofSequence, sequenceRows } from "./host-sequences.ts";

export const bcLstmOptions = z.strictObject({
  dim: z.int().positive().default(128).describe("width of every stream; each direction has half of it"),
  numLayers: z.int().positive().default(1),
  dropout: z.number().min(0).lt(1).default(0.5).describe("between layers, and on the streams"),
  input: inputOption.default("per-modality"),
  contextual: z
    .union([z.literal("all"), z.array(z.string().min(1)).min(1)])
    .default("all")
    .describe("streams that go through an LSTM; the others are mapped linearly"),
});

export type BcLstmOptions = z.output<typeof bcLstmOptions>;

export function createBcLstmEncoder(options: BcLstmOptions, site: EncoderSite): Encoder {
  const { dim, numLayers } = options;
  const half = halfOf("bc-lstm", "dim", dim);
  const sequences = hostSequences(options.input, site);
  const names = sequences.map(({ name }) => name);
  const contextual = contextualStreams("bc-lstm", options.contextual, names);
  const shape = { numLayers, bidirectional: true, dropout: options.dropout };
  return {
    modalities: names,
    dim,
    parameters: sequences.flatMap((sequence) =>
      ofSequence(
        sequence,
        contextual.has(sequence.name)
          ? lstmSpecs(`bc_lstm.${sequence.name}`, sequence.dim, half, shape)
          : linearSpecs(`bc_lstm.${sequence.name}.linear`, sequence.dim, dim),
      ),
    ),
    apply: (parameters, inputs, context) => {
      const rows = new Map(sequences.map((sequence) => [sequence.name, sequenceRows(sequence, inputs)]));
      const running = names.filter((name) => contextual.has(name));
      const made = applyLstm(
        parameters,
        running.map((name) => ({ name: `bc_lstm.${name}`, x: rows.get(name) as Tensor2D, site: name })),
        inputs.layout,
        shape,
        context,
      );
      return Object.fromEntries(
        names.map((name) => {
          const stream = contextual.has(name)
            ? (made[running.indexOf(name)] as Tensor2D)
            : linear(parameters, `bc_lstm.${name}.linear`, rows.get(name) as Tensor2D);
          return [name, dropout(stream, options.dropout, contextWithin(context, name), "stream")];
        }),
      );
    },
  };
}

export const bcLstmPlugin = definePlugin({
  kind: "encoder",
  name: "bc-lstm",
  summary: "A bidirectional LSTM over each dialogue, per modality or over all of them side by side",
  options: bcLstmOptions,
  create: createBcLstmEncoder,
});
