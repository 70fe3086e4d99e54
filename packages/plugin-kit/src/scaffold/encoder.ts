// A new encoder as text: each utterance mapped to one width, with the mean of its dialogue added.

export const encoderTemplate = (
  name: string,
): string => `// ${name}: a linear map per modality, and the mean of the dialogue as context.
import { definePlugin, dropout, linear, linearSpecs, ofModality, packTokens, padMask, padTokens } from "@merclab/core";
import { add, div, expandDims, maximum, mul, sum, type Tensor1D, type Tensor2D, type Tensor3D } from "@tensorflow/tfjs-core";
import { z } from "zod";

export default definePlugin({
  kind: "encoder",
  name: "${name}",
  summary: "Linear map and mean of the dialogue, per modality",
  // Set with encoder.${name}.dim=64; each option has a default, and what is not listed is refused.
  options: z.strictObject({
    dim: z.int().positive().default(128),
    dropout: z.number().min(0).lt(1).default(0.1),
  }),
  // modalities: each { name, dim }, with the width of its features.
  create: ({ dim, dropout: rate }, { modalities }) => ({
    modalities: modalities.map((each) => each.name), // of the streams that come out
    dim, // width of every stream
    // ofModality says whom the parameters serve, which balancers want to know.
    parameters: modalities.flatMap((each) => ofModality(each.name, linearSpecs(\`${name}.\${each.name}\`, each.dim, dim))),
    // A pure function of tensors: it reads no values, branches on none, and keeps none.
    apply: (parameters, { features, present, layout }, context) =>
      Object.fromEntries(
        modalities.map((each) => {
          // The utterances of all dialogues lie end to end: [tokens, dim].
          const own = linear(parameters, \`${name}.\${each.name}\`, features[each.name] as Tensor2D);
          const observed = present[each.name] as Tensor1D; // 1 = observed; what is missing must not be seen
          const seen = mul(own, expandDims(observed, 1)) as Tensor2D;
          // Dialogues are kept apart by padding them to [batch, time, dim].
          const total = sum(padTokens(seen, layout), 1, true);
          const count = expandDims(sum(padMask(observed, layout), 1, true), 2); // [batch, 1, 1]
          const mean = mul(div(total, maximum(count, 1)), expandDims(layout.mask, 2)) as Tensor3D;
          const mixed = add(seen, packTokens(mean, layout)) as Tensor2D;
          // context.random is there in training only; each random tensor has a name of its own.
          return [each.name, dropout(mixed, rate, context, each.name)];
        }),
      ),
  }),
});
`;
