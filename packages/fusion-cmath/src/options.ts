// Options of CMATH's fusion. Nearly all of them are decisions of ours, since the paper's details could not be obtained.
import { z } from "zod";

const settings = z.strictObject({
  /**
   * Which modalities lead, each with its own parameters: `rotate` = every one in turn, or names. The others look at
   * themselves only, so that every modality keeps a fine stream.
   */
  central: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .default("rotate")
    .describe("every modality in turn; or a name, or a list of names: the others look at themselves only"),
  interaction: z
    .enum(["central", "symmetric", "self"])
    .default("central")
    .describe("`central`: asymmetric; `symmetric`: every modality stands among equals; `self`: nobody asks anybody"),
  numBlocks: z.int().positive().default(1),
  numHeads: z.int().positive().default(8).describe("divides d"),
  feedForwardDim: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("width of the feed-forward layers; null = the width of the streams"),
  gate: z
    .enum(["sigmoid", "softmax", "none"])
    .default("sigmoid")
    .describe(
      "what of an auxiliary's answer is admitted, by feature: each on its own, by a softmax over them, or everything",
    ),
  dropout: z.number().min(0).lt(1).default(0.5),
  /**
   * From fine to coarse: one normal distribution from all streams (`concat`), the product of one per modality and a
   * standard normal (`poe`), their mixture matched in mean and variance (`moe`), or no distribution (`deterministic`).
   */
  fusion: z
    .enum(["concat", "poe", "moe", "deterministic"])
    .default("concat")
    .describe("poe, moe, or deterministic: μ alone"),
  latentDim: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("width of the coarse representation; null = that of the streams"),
  priorWeight: z
    .number()
    .nonnegative()
    .optional()
    .describe("β of the divergence from a standard normal; 0 leaves it out"),
  priorWarmup: z.number().min(0).max(1).default(0.2).describe("share of training over which β rises from 0"),
});

export const cmathFusionOptions = settings
  .transform((options) => ({
    ...options,
    priorWeight: options.priorWeight ?? (options.fusion === "deterministic" ? 0 : 0.1),
  }))
  .refine(({ fusion, priorWeight }) => fusion !== "deterministic" || priorWeight === 0, {
    path: ["priorWeight"],
    error: "fusion: deterministic has no distribution to compare with the prior; leave priorWeight out",
  })
  .refine(({ interaction, central }) => interaction === "central" || central === "rotate", {
    path: ["central"],
    error: "interaction symmetric and self have no central modality; leave central out",
  })
  .refine(({ interaction, gate }) => interaction === "central" || gate === "sigmoid", {
    path: ["gate"],
    error: "interaction symmetric and self admit without a gate; leave gate out",
  });

export type CmathFusionOptions = z.output<typeof cmathFusionOptions>;
