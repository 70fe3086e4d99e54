// CMATH's hierarchical distillation: the coarse level teaches the fine ones, in predictions and in distributions, so
// that representations of different granularity stay consistent; every fine stream learns the labels as well.
import {
  type Context,
  classWeightsOption,
  contextWithin,
  crossEntropy,
  definePlugin,
  dropout,
  type Gaussian,
  klDivergence,
  type Loss,
  linear,
  type Objective,
  type ObjectiveSite,
  outputDim,
  resolveClassWeights,
  stopGradient,
} from "@merclab/core";
import {
  add,
  addN,
  div,
  exp,
  expandDims,
  maximum,
  mul,
  neg,
  relu,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { affineSpecs, gaussian, gaussianSpecs } from "./layers.ts";

export const hierarchicalDistillationOptions = z.strictObject({
  fineWeight: z
    .number()
    .nonnegative()
    .default(1)
    .describe("λ_f of the fine streams' cross-entropies; 0 leaves them out"),
  logitWeight: z
    .number()
    .nonnegative()
    .default(1)
    .describe("λ_kd of the divergences between predictions; 0 leaves them out"),
  latentWeight: z
    .number()
    .nonnegative()
    .default(0.1)
    .describe("λ_vd of the divergences between distributions; 0 leaves them out"),
  temperature: z.number().positive().default(1),
  scaleT2: z
    .boolean()
    .default(false)
    .describe("multiplies the divergences between predictions by the squared temperature"),
  direction: z
    .enum(["forward", "reverse", "both"])
    .default("forward")
    .describe("KL(teacher ‖ student), KL(student ‖ teacher), or their mean"),
  detachTeacher: z.boolean().default(true).describe("keeps the fine level from teaching the coarse one"),
  classWeights: classWeightsOption.default("none"),
  dropout: z.number().min(0).lt(1).default(0.5).describe("before the fine classifiers"),
});

export type HierarchicalDistillationOptions = z.output<typeof hierarchicalDistillationOptions>;

export function createHierarchicalDistillation(
  options: HierarchicalDistillationOptions,
  site: ObjectiveSite,
): Objective {
  const { fineWeight, logitWeight, latentWeight } = options;
  const classWeights = resolveClassWeights(options.classWeights, site.trainClassCounts);
  const hasClassifiers = fineWeight > 0 || logitWeight > 0;
  // Where the fusion has a distribution per modality those are taught; else they are made here, for training only.
  const ownsHeads = latentWeight > 0 && site.latent?.perModality !== true;
  return {
    needs: new Set([
      ...(hasClassifiers || ownsHeads ? ["streams" as const] : []),
      ...(latentWeight > 0 ? ["latent" as const] : []),
    ]),
    parameters: site.modalities.flatMap((modality) => [
      ...(hasClassifiers ? affineSpecs(classifierName(modality), site.dim, outputDim(site.task)) : []),
      ...(ownsHeads ? gaussianSpecs(headName(modality), site.dim, site.latent?.dim ?? site.dim) : []),
    ]),
    loss: (parameters, logits, { streams, latent }, targets, context): Loss => {
      const terms: Record<string, Tensor> = { task: crossEntropy(logits, targets, { classWeights }) };
      const weighted: Tensor[] = [terms.task as Tensor];
      const include = (name: string, value: Tensor, weight: number): void => {
        terms[name] = value;
        weighted.push(mul(value, weight));
      };
      for (const modality of site.modalities) {
        const stream = streams?.[modality] as Tensor2D;
        if (hasClassifiers) {
          const fine = classify(parameters, modality, stream, options, context);
          if (fineWeight > 0) {
            include(`fine.${modality}`, crossEntropy(fine, targets, { classWeights }), fineWeight);
          }
          if (logitWeight > 0) {
            const scale = options.scaleT2 ? logitWeight * options.temperature ** 2 : logitWeight;
            include(`logit.${modality}`, predictionDivergence(logits, fine, targets.mask, options), scale);
          }
        }
        if (latentWeight > 0) {
          const student = latent?.modalities?.[modality] ?? gaussian(parameters, headName(modality), stream);
          const teacher = latent?.fused as Gaussian;
          include(`latent.${modality}`, latentDivergence(teacher, student, targets.mask, options), latentWeight);
        }
      }
      return { total: addN(weighted), terms };
    },
  };
}

const classifierName = (modality: string) => `cmath.${modality}.classifier`;
const headName = (modality: string) => `cmath.${modality}.distilled`;

type Directed = Pick<HierarchicalDistillationOptions, "direction" | "detachTeacher">;

function classify(
  parameters: Parameters<Objective["loss"]>[0],
  modality: string,
  stream: Tensor2D,
  options: HierarchicalDistillationOptions,
  context: Context,
): Tensor2D {
  const dropped = dropout(relu(stream), options.dropout, contextWithin(context, "fine"), modality);
  return linear(parameters, classifierName(modality), dropped);
}

function predictionDivergence(
  coarse: Tensor2D,
  fine: Tensor2D,
  mask: Tensor1D,
  options: Directed & Pick<HierarchicalDistillationOptions, "temperature">,
): Tensor {
  const soften = (x: Tensor2D) => mul(x, 1 / options.temperature) as Tensor2D;
  const teacher = soften(options.detachTeacher ? stopGradient(coarse) : coarse);
  const student = soften(fine);
  return directed(options.direction, (from, to) => klDivergence(from, to, mask), teacher, student);
}

/** Averaged over real tokens and dimensions. */
function latentDivergence(coarse: Gaussian, fine: Gaussian, mask: Tensor1D, options: Directed): Tensor {
  const { mean, logVariance } = coarse;
  const teacher = options.detachTeacher ? { mean: stopGradient(mean), logVariance: stopGradient(logVariance) } : coarse;
  return directed(options.direction, (from, to) => gaussianDivergence(from, to, mask), teacher, fine);
}

function directed<T>(
  direction: Directed["direction"],
  divergence: (from: T, to: T) => Tensor,
  teacher: T,
  student: T,
): Tensor {
  switch (direction) {
    case "forward":
      return divergence(teacher, student);
    case "reverse":
      return divergence(student, teacher);
    case "both":
      return mul(add(divergence(teacher, student), divergence(student, teacher)), 0.5);
  }
}

/** KL(from ‖ to) of diagonal normal distributions, averaged over real tokens and dimensions. Scalar. */
export function gaussianDivergence(from: Gaussian, to: Gaussian, mask: Tensor1D): Tensor {
  const spread = mul(add(exp(from.logVariance), square(sub(from.mean, to.mean))), exp(neg(to.logVariance)));
  const cells = sub(add(sub(to.logVariance, from.logVariance), spread), 1);
  const total = sum(mul(cells, expandDims(mask, 1)));
  return div(mul(total, 0.5), mul(maximum(sum(mask), 1), from.mean.shape[1]));
}

export const hierarchicalDistillationPlugin = definePlugin({
  kind: "objective",
  name: "hierarchical-distillation",
  tasks: ["single-label"],
  summary: "CMATH (clean-room): the coarse level teaches every fine one its predictions and distributions",
  options: hierarchicalDistillationOptions,
  create: createHierarchicalDistillation,
});
