// SDT's objective: the fused classifier (teacher) and one student per modality learn the true labels, and the
// students learn the teacher's prediction: γ1·CE_f + γ2·Σ CE_k + γ3·Σ KL(teacher ‖ student_k).
// Official code github.com/butterfliesss/SDT, model.py and train.py.
import {
  classWeightsOption,
  contextWithin,
  crossEntropy,
  definePlugin,
  dropout,
  klDivergence,
  linear,
  linearSpecs,
  type Objective,
  type ObjectiveSite,
  outputDim,
  resolveClassWeights,
  shortModalityName,
  stopGradient,
} from "@merclab/core";
import { addN, mul, relu, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";

const settings = z.strictObject({
  temperature: z.number().positive().default(1).describe("temperature T of teacher and students in the divergence"),
  taskWeight: z.number().nonnegative().default(1).describe("γ1, weight of the fused cross-entropy"),
  hardWeight: z
    .number()
    .nonnegative()
    .default(1)
    .describe("γ2, weight of the students' cross-entropies (hard labels); 0 removes them"),
  softWeight: z
    .number()
    .nonnegative()
    .default(1)
    .describe("γ3, weight of the divergences (soft labels); 0 removes them"),
  detachTeacher: z
    .boolean()
    .default(false)
    .describe("keeps the divergence from training the teacher; the official code lets it"),
  scaleT2: z
    .boolean()
    .default(false)
    .describe("multiplies the divergence by T², after Hinton et al. 2015; the official code does not"),
  classWeights: classWeightsOption.default("none"),
  dropout: z.number().min(0).lt(1).default(0.5).describe("dropout before the students' linear layers"),
});

/** Without γ1 labels reach the fused classifier, which predicts, only through students that teach it back. */
export const selfDistillationOptions = settings.refine(
  ({ taskWeight, hardWeight, softWeight, detachTeacher }) =>
    taskWeight > 0 || (hardWeight > 0 && softWeight > 0 && !detachTeacher),
  {
    path: ["taskWeight"],
    error:
      "with taskWeight 0 the fused classifier learns no labels, unless hardWeight and softWeight are positive and detachTeacher is false",
  },
);

export type SelfDistillationOptions = z.output<typeof selfDistillationOptions>;

export function createSelfDistillation(options: SelfDistillationOptions, site: ObjectiveSite): Objective {
  const { temperature, taskWeight, hardWeight, softWeight } = options;
  const classWeights = resolveClassWeights(options.classWeights, site.trainClassCounts);
  const students = hardWeight > 0 || softWeight > 0 ? site.modalities : [];
  return {
    needs: new Set(students.length > 0 ? ["streams" as const] : []),
    parameters: students.flatMap((modality) => linearSpecs(studentName(modality), site.dim, outputDim(site.task))),
    loss: (parameters, logits, outputs, targets, context) => {
      const terms: Record<string, Tensor> = { task: crossEntropy(logits, targets, { classWeights }) };
      const weighted: Tensor[] = [mul(terms.task as Tensor, taskWeight)];
      const soften = (x: Tensor2D) => mul(x, 1 / temperature) as Tensor2D;
      const teacher = soften(options.detachTeacher ? stopGradient(logits) : logits);
      for (const modality of students) {
        const stream = relu(outputs.streams?.[modality] as Tensor2D);
        const dropped = dropout(stream, options.dropout, contextWithin(context, "student"), modality);
        const student = linear(parameters, studentName(modality), dropped);
        if (hardWeight > 0) {
          const hard = crossEntropy(student, targets, { classWeights });
          terms[`hard.${modality}`] = hard;
          weighted.push(mul(hard, hardWeight));
        }
        if (softWeight > 0) {
          const soft = klDivergence(teacher, soften(student), targets.mask);
          terms[`soft.${modality}`] = soft;
          weighted.push(mul(soft, options.scaleT2 ? softWeight * temperature ** 2 : softWeight));
        }
      }
      return { total: addN(weighted), terms };
    },
  };
}

/** Official names: t_output_layer.2 and so on (a ReLU and a dropout come before it). */
function studentName(modality: string): string {
  return `${shortModalityName(modality)}_output_layer.2`;
}

export const selfDistillationPlugin = definePlugin({
  kind: "objective",
  name: "self-distillation",
  tasks: ["single-label"],
  summary: "SDT: fused and per-modality cross-entropies, and the fused prediction as soft labels",
  options: selfDistillationOptions,
  create: createSelfDistillation,
});
