// Options of Ada2I's fusion. A variant only sets defaults: `as-published` is the official code, `as-described` the
// paper; after parsing, every option has the value that is used.
import { z } from "zod";

const given = z.strictObject({
  variant: z.enum(["as-published", "as-described"]).default("as-published"),
  layers: z.int().nonnegative().optional().describe("layers of adaptive feature weighting (AFW); 0 leaves it out"),
  rank: z.int().positive().default(8).describe("rank of the cores"),
  beta: z.number().default(0.7).describe("share of the unweighted feature in AFW's gate"),
  dropout: z.number().min(0).lt(1).default(0.5).describe("after each layer of AFW, the last included"),
  featureWeight: z
    .number()
    .nonnegative()
    .default(1)
    .describe("weight of the L1 loss of AFW's mapping networks; 0 leaves the networks out"),
  mapTarget: z
    .enum(["gated", "attention"])
    .optional()
    .describe("what the mapping networks learn: the `gated` feature (code), or the `attention` alone (paper)"),
  detachTarget: z.boolean().default(false).describe("keeps the L1 loss from moving its target"),
  scaleCores: z.boolean().optional().describe("divides the cores by the root of the rank (paper)"),
  /**
   * Adaptive modality weighting (AMW) of the classifier. `channel`: unit features, and unit weights over the classes of
   * each channel (code); `cosine`: unit weights over the channels of each class and modality (paper); `none`: linear.
   */
  weighting: z
    .enum(["channel", "cosine", "none"])
    .optional()
    .describe("unit weights over the classes of a channel, or over the channels of a class; none"),
  scale: z.number().positive().default(1).describe("multiplies AMW's logits"),
  head: z
    .enum(["weighted", "perceptron"])
    .optional()
    .describe(
      "what predicts: the weighted classifier (code), or a perceptron beside it (paper), which makes it auxiliary",
    ),
  probe: z
    .enum(["linear", "weighted"])
    .optional()
    .describe("how one modality alone is asked what it knows: with plain products (code), or as AMW would (paper)"),
  padding: z
    .enum(["masked", "as-published"])
    .default("masked")
    .describe("`as-published`: no mask, so that the zeros after short dialogues are pooled and enter the L1 loss"),
});

const VARIANTS = {
  "as-published": {
    layers: 2,
    mapTarget: "gated",
    scaleCores: false,
    weighting: "channel",
    head: "weighted",
    probe: "linear",
  },
  "as-described": {
    layers: 1,
    mapTarget: "attention",
    scaleCores: true,
    weighting: "cosine",
    head: "perceptron",
    probe: "weighted",
  },
} as const;

export const ada2iFusionOptions = given
  .transform((options) => {
    const defaults = VARIANTS[options.variant];
    const weighting = options.weighting ?? defaults.weighting;
    return {
      ...options,
      layers: options.layers ?? defaults.layers,
      mapTarget: options.mapTarget ?? defaults.mapTarget,
      scaleCores: options.scaleCores ?? defaults.scaleCores,
      weighting,
      head: options.head ?? defaults.head,
      probe: options.probe ?? (weighting === "none" ? ("linear" as const) : defaults.probe),
    };
  })
  .refine(({ weighting, scale }) => weighting !== "none" || scale === 1, {
    path: ["scale"],
    error: "scale multiplies the logits of adaptive modality weighting; with weighting: none there is nothing to scale",
  })
  .refine(({ weighting, probe }) => weighting !== "none" || probe === "linear", {
    path: ["probe"],
    error: "probe: weighted needs a weighting; with weighting: none use linear",
  });

export type Ada2iFusionOptions = z.output<typeof ada2iFusionOptions>;
