// A model: encoder, fusion, linear head and objective over one flat set of named parameters.
import {
  type Context,
  contextWithin,
  countParameters,
  type Dataset,
  type Encoder,
  type Fusion,
  type Inputs,
  joinSpecs,
  type Loss,
  linear,
  linearSpecs,
  MerclabError,
  type Objective,
  outputDim,
  type ParameterCount,
  type ParameterSpec,
  type Parameters,
  type Plugin,
  type Targets,
  type Task,
} from "@merclab/core";
import { add, type Tensor2D } from "@tensorflow/tfjs-core";

export interface Model {
  /** In the order of the official state dicts: encoder, fusion, students, classifier. */
  readonly parameters: readonly ParameterSpec[];
  readonly count: ParameterCount;
  /** Logits `[tokens, outputDim]`. */
  logits(parameters: Parameters, inputs: Inputs, context: Context): Tensor2D;
  loss(parameters: Parameters, inputs: Inputs, targets: Targets, context: Context): Loss;
}

/** Plugins of the parts and their validated options. */
export interface ModelParts {
  readonly encoder: { readonly plugin: Plugin<"encoder">; readonly options: unknown };
  readonly fusion: { readonly plugin: Plugin<"fusion">; readonly options: unknown };
  readonly objective: { readonly plugin: Plugin<"objective">; readonly options: unknown };
}

/** What a model needs to know of a dataset. */
export type ModelSite = Pick<Dataset, "modalities" | "numSpeakers" | "task" | "trainClassCounts">;

/** @throws MerclabError `combination` when the parts do not fit together */
export function createModel(parts: ModelParts, site: ModelSite): Model {
  const { task, trainClassCounts } = site;
  const encoder = parts.encoder.plugin.create(parts.encoder.options, site);
  const { modalities } = encoder;
  const fusion = parts.fusion.plugin.create(parts.fusion.options, { modalities, dim: encoder.dim });
  const objective = parts.objective.plugin.create(parts.objective.options, {
    task,
    modalities,
    dim: encoder.dim,
    trainClassCounts,
  });
  for (const need of objective.needs) {
    if (!fusion.gives.has(need)) {
      throw new MerclabError(
        "combination",
        `objective ${parts.objective.plugin.name} needs per-modality ${need}; fusion ${parts.fusion.plugin.name} gives none`,
        { hint: "Choose another objective, e.g. objective=cross-entropy." },
      );
    }
  }
  return assembleModel({ encoder, fusion, objective }, task);
}

/** A model of ready parts. */
export function assembleModel(
  parts: { readonly encoder: Encoder; readonly fusion: Fusion; readonly objective: Objective },
  task: Task,
): Model {
  const { encoder, fusion, objective } = parts;
  const classifier = fusion.classifierName ?? "classifier";
  const head = { parameters: linearSpecs(classifier, fusion.dim, outputDim(task)) };
  const parameters = joinSpecs([encoder, fusion, objective, head]);
  const fuse = (values: Parameters, inputs: Inputs, context: Context) => {
    const streams = encoder.apply(values, inputs, contextWithin(context, "encoder"));
    const outputs = fusion.apply(values, streams, inputs, contextWithin(context, "fusion"));
    return { outputs, logits: linear(values, classifier, outputs.fused) };
  };
  return {
    parameters,
    count: countParameters(parameters),
    logits: (values, inputs, context) => fuse(values, inputs, context).logits,
    loss: (values, inputs, targets, context) => {
      const { outputs, logits } = fuse(values, inputs, context);
      const loss = objective.loss(values, logits, outputs, targets, contextWithin(context, "objective"));
      return withFusionLosses(loss, outputs.losses);
    },
  };
}

function withFusionLosses(loss: Loss, extra: Loss["terms"] | undefined): Loss {
  if (extra === undefined) {
    return loss;
  }
  const twice = Object.keys(extra).find((name) => name === "total" || Object.hasOwn(loss.terms, name));
  if (twice !== undefined) {
    throw new MerclabError("combination", `fusion and objective both have a loss named "${twice}"`);
  }
  return {
    total: Object.values(extra).reduce((total, term) => add(total, term), loss.total),
    terms: { ...loss.terms, ...extra },
  };
}
