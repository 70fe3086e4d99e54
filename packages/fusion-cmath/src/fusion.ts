// CMATH, clean-room: X. Zhu et al., "CMATH: Cross-Modality Augmented Transformer with Hierarchical Variational
// Distillation for Multimodal Emotion Recognition in Conversation", arXiv 2411.10060. No code was released and the
// method section could not be read: what is whose stands in the README.
import {
  type Context,
  definePlugin,
  type Fusion,
  type FusionOutputs,
  type FusionSite,
  type Gaussian,
  type Inputs,
  MerclabError,
  type Parameters,
  type Streams,
} from "@merclab/core";
import { add, exp, minimum, mul, onesLike, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
import { type Augmented, augment, augmentationSpecs } from "./augmentation.ts";
import { coarsen, granularitySpecs, hasExperts, priorDivergence, product } from "./granularity.ts";
import { type CmathFusionOptions, cmathFusionOptions } from "./options.ts";

export function createCmathFusion(options: CmathFusionOptions, { modalities, dim }: FusionSite): Fusion {
  if (dim % options.numHeads !== 0) {
    throw new MerclabError(
      "combination",
      `fusion cmath: the width ${dim} is no multiple of numHeads ${options.numHeads}`,
    );
  }
  const plan = planAugmentation(options, modalities);
  const latentDim = options.latentDim ?? dim;
  const experts = hasExperts(options.fusion);
  return {
    dim: latentDim,
    streamDim: dim,
    gives: new Set([
      "streams" as const,
      ...(options.fusion === "deterministic" ? [] : ["latent" as const]),
      ...(experts ? ["alone" as const] : []),
    ]),
    ...(options.fusion === "deterministic" ? {} : { latent: { dim: latentDim, perModality: experts } }),
    parameters: [
      ...plan.flatMap((augmented) => augmentationSpecs(augmented, dim, options)),
      ...granularitySpecs(options.fusion, modalities, dim, latentDim),
    ],
    apply: (parameters, streams, inputs, context) =>
      applyCmath(options, modalities, plan, parameters, streams, inputs, context),
  };
}

/** Who asks whom. @throws MerclabError `combination` when a central modality is not there */
function planAugmentation(options: CmathFusionOptions, modalities: readonly string[]): Augmented[] {
  const { interaction, gate } = options;
  const central = options.central === "rotate" ? modalities : [options.central].flat();
  const unknown = central.find((name) => !modalities.includes(name));
  if (unknown !== undefined) {
    throw new MerclabError("combination", `fusion cmath: the central modality "${unknown}" is none of the encoder's`, {
      hint: `Set central to rotate or to some of: ${modalities.join(", ")}.`,
    });
  }
  if (gate === "softmax" && modalities.length < 3) {
    throw new MerclabError("combination", "fusion cmath: gate softmax weighs auxiliary modalities against each other", {
      hint: `It needs two of them, so three modalities; there are ${modalities.length}. Use gate: sigmoid.`,
    });
  }
  return modalities.map((modality) => {
    const alone = interaction === "self" || modalities.length === 1;
    const role = alone ? "self" : interaction === "central" && !central.includes(modality) ? "self" : interaction;
    return { modality, role, auxiliaries: role === "self" ? [] : modalities.filter((name) => name !== modality) };
  });
}

function applyCmath(
  options: CmathFusionOptions,
  modalities: readonly string[],
  plan: readonly Augmented[],
  parameters: Parameters,
  streams: Streams,
  inputs: Inputs,
  context: Context,
): FusionOutputs {
  const fine: Record<string, Tensor2D> = {};
  const shown: Record<string, Tensor> = {};
  for (const augmented of plan) {
    const { fine: own, gates } = augment(parameters, augmented, streams, inputs, options, context);
    fine[augmented.modality] = own;
    for (const [other, gate] of Object.entries(gates)) {
      shown[`gate.${augmented.modality}.${other}`] = gate;
    }
  }
  const { mean, latent } = coarsen(parameters, options.fusion, modalities, fine, inputs.present);
  const common = { streams: fine, shown };
  if (latent === undefined) {
    return { ...common, fused: mean };
  }
  const alone = latent.modalities === undefined ? {} : { alone: expertAlone(latent.modalities, options.fusion) };
  if (context.random === undefined) {
    return { ...common, ...alone, fused: mean, latent };
  }
  const noise = context.random.normal("latent", mean.shape);
  const drawn = add(mean, mul(exp(mul(latent.fused.logVariance, 0.5)), noise)) as Tensor2D;
  const losses: Record<string, Tensor> =
    options.priorWeight === 0
      ? {}
      : { prior: mul(priorDivergence(latent.fused, inputs.layout.tokenMask), priorWeightNow(options, context)) };
  return { ...common, ...alone, fused: drawn, latent, losses };
}

/** β, which rises linearly over the first steps. */
function priorWeightNow({ priorWeight, priorWarmup }: CmathFusionOptions, { clock }: Context): Tensor | number {
  return clock === undefined || priorWarmup === 0
    ? priorWeight
    : mul(minimum(mul(clock.progress, 1 / priorWarmup), 1), priorWeight);
}

/** The coarse mean were this modality the only expert. */
function expertAlone(experts: Readonly<Record<string, Gaussian>>, mode: CmathFusionOptions["fusion"]) {
  return (modality: string): Tensor2D => {
    const expert = experts[modality] as Gaussian;
    return mode === "poe" ? product([{ ...expert, observed: onesLike(expert.mean) }]).mean : expert.mean;
  };
}

export const cmathFusionPlugin = definePlugin({
  kind: "fusion",
  name: "cmath",
  summary: "CMATH (clean-room): a central modality augmented by the others, then variational fusion",
  options: cmathFusionOptions,
  create: createCmathFusion,
});
