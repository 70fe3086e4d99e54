// Directed cross-modal attention in the manner of MulT: Y.-H. Tsai, S. Bai, P. Liang, J. Kolter, L.-P. Morency,
// R. Salakhutdinov, ACL 2019. Every modality asks every other one along the dialogue; its stream and the answers add
// up, and the modalities lie side by side. MulT's convolutions before and second stage after it are left to encoders.
import {
  attendWithinDialogues,
  type Context,
  concatLast,
  contextWithin,
  definePlugin,
  dropout,
  layerNorm,
  layerNormSpecs,
  linear,
  linearSpecs,
  MerclabError,
  type Parameters,
} from "@merclab/core";
import { add, addN, relu, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { createBaseline, masked, type Observed } from "./observed.ts";

const NORM_EPSILON = 1e-5;

const crossAttentionOptions = z.strictObject({
  numHeads: z.int().positive().default(8),
  numLayers: z
    .int()
    .positive()
    .default(1)
    .describe("layers of each directed pair; from the second on, answers ask again"),
  form: z
    .enum(["block", "bare"])
    .default("block")
    .describe("block: pre-norm attention and a feed-forward layer, as in MulT; bare: attention alone"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe("on attention weights, attended values and feed-forward layers"),
});

type CrossAttentionOptions = z.output<typeof crossAttentionOptions>;

export const crossAttentionPlugin = definePlugin({
  kind: "fusion",
  name: "cross-attention",
  summary: "Every modality attends to every other one along the dialogue, as in MulT",
  options: crossAttentionOptions,
  create: (options, { modalities, dim }) => {
    const { numHeads, numLayers } = options;
    if (modalities.length < 2) {
      throw new MerclabError("combination", "fusion cross-attention needs two modalities", {
        hint: "With one modality there is nobody to ask; use self-attention.",
      });
    }
    if (dim % numHeads !== 0) {
      throw new MerclabError(
        "combination",
        `fusion cross-attention: the width ${dim} is no multiple of numHeads ${numHeads}`,
      );
    }
    const layers = Array.from({ length: numLayers }, (_, layer) => layer);
    const specs = pairsOf(modalities).flatMap(({ name }) =>
      layers.flatMap((layer) => pairSpecs(`${name}.${layer}`, dim, options)),
    );
    return createBaseline(modalities, modalities.length * dim, specs, (parameters, observed, context) => {
      const enriched = modalities.map((target, m) => {
        const own = observed.rows[m] as Tensor2D;
        const answers = pairsOf(modalities)
          .filter((pair) => pair.target === target)
          .map((pair) =>
            layers.reduce(
              (state, layer) =>
                askOnce(parameters, `${pair.name}.${layer}`, state, pair.source, observed, options, context),
              own,
            ),
          );
        return masked(addN(answers) as Tensor2D, observed.present[m] as Tensor1D);
      });
      return { fused: concatLast(enriched) };
    });
  },
});

interface Pair {
  readonly source: string;
  readonly target: string;
  readonly name: string;
}

function pairsOf(modalities: readonly string[]): Pair[] {
  return modalities.flatMap((target) =>
    modalities
      .filter((source) => source !== target)
      .map((source) => ({ source, target, name: `cross.${source}.${target}` })),
  );
}

function pairSpecs(name: string, dim: number, { form }: CrossAttentionOptions) {
  const attention = ["query", "key", "value", "out"].flatMap((part) => linearSpecs(`${name}.${part}`, dim, dim));
  return form === "bare"
    ? attention
    : [
        ...layerNormSpecs(`${name}.query_norm`, dim),
        ...layerNormSpecs(`${name}.source_norm`, dim),
        ...attention,
        ...layerNormSpecs(`${name}.feed_forward_norm`, dim),
        ...linearSpecs(`${name}.feed_forward.0`, dim, 4 * dim),
        ...linearSpecs(`${name}.feed_forward.1`, 4 * dim, dim),
      ];
}

/** The state of a target after asking a source once, `[tokens, dim]`. */
function askOnce(
  parameters: Parameters,
  name: string,
  state: Tensor2D,
  source: string,
  { modalities, rows, present, layout }: Observed,
  { form, numHeads, dropout: rate }: CrossAttentionOptions,
  context: Context,
): Tensor2D {
  const sites = contextWithin(context, name);
  const norm = (part: string, x: Tensor2D) =>
    form === "bare" ? x : layerNorm(parameters, `${name}.${part}`, x, NORM_EPSILON);
  const at = modalities.indexOf(source);
  const query = norm("query_norm", state);
  const memory = norm("source_norm", rows[at] as Tensor2D);
  const attended = attendWithinDialogues(
    {
      q: linear(parameters, `${name}.query`, query),
      k: linear(parameters, `${name}.key`, memory),
      v: linear(parameters, `${name}.value`, memory),
      present: present[at] as Tensor1D,
      layout,
    },
    { numHeads, dropout: rate },
    sites,
  );
  const out = dropout(linear(parameters, `${name}.out`, attended), rate, sites, "attended");
  const asked = add(state, out) as Tensor2D;
  if (form === "bare") {
    return asked;
  }
  const inner = relu(linear(parameters, `${name}.feed_forward.0`, norm("feed_forward_norm", asked)));
  const fed = linear(parameters, `${name}.feed_forward.1`, dropout(inner, rate, sites, "inner"));
  return add(asked, dropout(fed, rate, sites, "fed")) as Tensor2D;
}
