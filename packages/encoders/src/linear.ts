// One linear map per modality: no context, no speakers. The host for questions about fusion alone.
import {
  type Context,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderSite,
  type Inputs,
  linear,
  linearSpecs,
  observedFeatures,
  ofModality,
  type Parameters,
} from "@merclab/core";
import { z } from "zod";

export const linearOptions = z.strictObject({
  dim: z.int().positive().default(128).describe("width of every stream"),
  dropout: z.number().min(0).lt(1).default(0.5).describe("dropout on the projected features"),
});

export function createLinearEncoder(options: z.output<typeof linearOptions>, site: EncoderSite): Encoder {
  const { dim } = options;
  return {
    modalities: site.modalities.map(({ name }) => name),
    dim,
    parameters: site.modalities.flatMap(({ name, dim: inDim }) =>
      ofModality(name, linearSpecs(`linear.${name}`, inDim, dim)),
    ),
    apply: (parameters: Parameters, inputs: Inputs, context: Context) =>
      Object.fromEntries(
        site.modalities.map(({ name }) => {
          const projected = linear(parameters, `linear.${name}`, observedFeatures(inputs, name));
          return [name, dropout(projected, options.dropout, context, name)];
        }),
      ),
  };
}

export const linearPlugin = definePlugin({
  kind: "encoder",
  name: "linear",
  summary: "One linear map per modality; no context, no speakers",
  options: linearOptions,
  create: createLinearEncoder,
});
