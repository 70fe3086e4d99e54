// A new fusion as text: a small real one, whose comments say what a fusion may and must not do.

export const fusionTemplate = (
  name: string,
): string => `// ${name}: a weighted mean of the modalities. The weights of an utterance come from its own rows.
import { concatLast, definePlugin, dropout, linear, linearSpecs, maskedSoftmax } from "@merclab/core";
import { addN, mul, slice, stack, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";

export default definePlugin({
  kind: "fusion",
  name: "${name}",
  summary: "Weighted mean of the modalities that were observed",
  // Set with fusion.${name}.dropout=0.2; each option has a default, and what is not listed is refused.
  options: z.strictObject({
    dropout: z.number().min(0).lt(1).default(0.1).describe("on the fused rows, in training"),
  }),
  // modalities: names in order, e.g. ["text", "audio"]; dim: width of every stream.
  create: (options, { modalities, dim }) => ({
    dim, // width of what comes out
    gives: new Set(), // what else comes out, e.g. "streams", for objectives that ask for it
    // Names, shapes, initial values. The trainer makes, trains and stores the tensors.
    parameters: modalities.flatMap((each) => linearSpecs(\`${name}.\${each}\`, dim, 1)),
    // A pure function of tensors: it reads no values, branches on none, and keeps none.
    apply: (parameters, streams, { present }, context) => {
      // The utterances of all dialogues lie end to end: [tokens, dim] per modality.
      const rows = modalities.map((each) => streams[each] as Tensor2D);
      const scores = concatLast(modalities.map((each, m) => linear(parameters, \`${name}.\${each}\`, rows[m] as Tensor2D)));
      // 1 = observed, 0 = missing or padding. What is missing holds anything, and must not be seen.
      const observed = stack(modalities.map((each) => present[each] as Tensor1D), 1); // [tokens, modalities]
      // Once more times observed: where nothing was, a softmax still gives weights.
      const weights = mul(maskedSoftmax(scores, observed), observed);
      const parts = rows.map((row, m) => mul(row, slice(weights, [0, m], [-1, 1]))); // each [tokens, dim]
      // context.random is there in training only; each random tensor has a name of its own ("fused").
      return { fused: dropout(addN(parts) as Tensor2D, options.dropout, context, "fused") };
    },
  }),
});
`;

export const fusionTestTemplate = (
  name: string,
): string => `// ${name} by hand. "exp plugin test ${name}" checks what must hold for every fusion, then runs this file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuse } from "@merclab/plugin-kit";
import plugin from "./${name}.ts";

test("with equal scores it is the mean of what was observed", async () => {
  const fused = await fuse(plugin, {
    streams: { text: [[1, 2], [3, 4]], audio: [[5, 6], [99, 99]] },
    present: { text: [1, 1], audio: [1, 0] },
    parameters: () => 0,
  });
  assert.deepEqual(fused, [[3, 4], [3, 4]]);
});

test("a modality with a higher score weighs more", async () => {
  const fused = await fuse(plugin, {
    streams: { text: [[1]], audio: [[0]] },
    parameters: (parameter) => (parameter === "${name}.text.bias" ? Math.log(3) : 0),
  });
  assert.ok(Math.abs((fused[0]?.[0] ?? 0) - 3 / 4) < 1e-6); // e^log 3 against e^0
});
`;
