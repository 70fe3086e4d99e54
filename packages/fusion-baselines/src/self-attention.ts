// Multi-head self-attention over the utterances of all modalities of a dialogue as one sequence, so that attention within
// and between modalities is the same thing (A. Vaswani et al., NeurIPS 2017); residual, then the mean over modalities.
import {
  type Context,
  contextWithin,
  definePlugin,
  dropout,
  linear,
  linearSpecs,
  MerclabError,
  multiHeadAttention,
  type Parameters,
  packTokens,
  padMask,
  padTokens,
} from "@merclab/core";
import {
  add,
  concat,
  max,
  mul,
  reshape,
  split,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { createBaseline, meanOfObserved, type Observed } from "./observed.ts";

const selfAttentionOptions = z.strictObject({
  numHeads: z.int().positive().default(8),
  dropout: z.number().min(0).lt(1).default(0.1),
});

type SelfAttentionOptions = z.output<typeof selfAttentionOptions>;

const PARTS = ["query", "key", "value", "out"] as const;
const NAME = "self_attention";

export const selfAttentionPlugin = definePlugin({
  kind: "fusion",
  name: "self-attention",
  summary: "Multi-head self-attention over the utterances of all modalities together",
  options: selfAttentionOptions,
  create: (options, { modalities, dim }) => {
    if (dim % options.numHeads !== 0) {
      throw new MerclabError(
        "combination",
        `fusion self-attention: the width ${dim} is no multiple of numHeads ${options.numHeads}`,
      );
    }
    const specs = PARTS.flatMap((part) => linearSpecs(`${NAME}.${part}`, dim, dim));
    return createBaseline(modalities, dim, specs, (parameters, observed, context) => {
      const answers = attendToAll(parameters, observed, options, contextWithin(context, NAME));
      const rows = observed.rows.map((row, m) => {
        const out = linear(parameters, `${NAME}.out`, answers[m] as Tensor2D);
        return add(row, dropout(out, options.dropout, context, `out.${modalities[m]}`)) as Tensor2D;
      });
      return { fused: meanOfObserved(rows, observed) };
    });
  },
});

/** Attended values of each modality's rows, each `[tokens, dim]`. */
function attendToAll(
  parameters: Parameters,
  { rows, present, layout }: Observed,
  options: SelfAttentionOptions,
  context: Context,
): Tensor2D[] {
  const keyMask = concat(
    present.map((mask: Tensor1D) => padMask(mask, layout)),
    1,
  ) as Tensor2D; // [batch, modalities · time]
  const along = (part: string) =>
    concat(
      rows.map((row) => padTokens(linear(parameters, `${NAME}.${part}`, row), layout)),
      1,
    ) as Tensor3D;
  const attended = multiHeadAttention(along("query"), along("key"), along("value"), keyMask, options, context);
  const anyKey = reshape(max(keyMask, 1), [layout.batch, 1, 1]);
  const answered = mul(attended, anyKey) as Tensor3D;
  const parts = rows.length === 1 ? [answered] : (split(answered, rows.length, 1) as Tensor3D[]); // tfjs 4.22 has no gradient for one part
  return parts.map((part) => packTokens(part, layout));
}
