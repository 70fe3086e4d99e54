// A model: encoder, fusion, head, objective and balancer over one flat set of named parameters.
import {
  type Balancer,
  type Context,
  contextWithin,
  countParameters,
  type Dataset,
  type Encoder,
  type Fusion,
  type FusionOutputs,
  fromVisiblePadding,
  type Gaussian,
  type Head,
  type Inputs,
  joinSpecs,
  type Layout,
  type Loss,
  linear,
  linearSpecs,
  MerclabError,
  type Objective,
  outputDim,
  type ParameterCount,
  type ParameterSpec,
  type Parameters,
  PLAIN_OBJECTIVES,
  type Plugin,
  parameter,
  type Streams,
  type Targets,
  type Task,
  toVisiblePadding,
  withVisiblePadding,
} from "@merclab/core";
import { add, addN, matMul, minimum, mul, type Tensor, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { placeEarly, placeParallel } from "./placement.ts";

/** A loss, and the logits of single modalities where the balancer asks for them. */
export interface ModelLoss extends Loss {
  readonly unimodal?: Streams;
}

export interface Model {
  /** In the order of the official state dicts: encoder, fusion, students, classifier. */
  readonly parameters: readonly ParameterSpec[];
  readonly count: ParameterCount;
  readonly balancer: Balancer;
  readonly task: Task;
  /** Logits `[tokens, outputDim]`. */
  logits(parameters: Parameters, inputs: Inputs, context: Context): Tensor2D;
  /** Gates and attention in evaluation, by name, as the fusion shows them; none where it shows nothing. */
  shown(parameters: Parameters, inputs: Inputs): NonNullable<FusionOutputs["shown"]>;
  loss(parameters: Parameters, inputs: Inputs, targets: Targets, context: Context): ModelLoss;
}

interface PartChoice<K extends "encoder" | "fusion" | "objective" | "balancer"> {
  readonly plugin: Plugin<K>;
  readonly options: unknown;
}

/** Plugins of the parts and their validated options. */
export interface ModelParts {
  readonly encoder: PartChoice<"encoder">;
  readonly fusion: PartChoice<"fusion">;
  readonly objective: PartChoice<"objective">;
  /** Gradients stay as they are where absent. */
  readonly balancer?: PartChoice<"balancer">;
}

/** What a model needs to know of a dataset. */
export type ModelSite = Pick<Dataset, "modalities" | "numSpeakers" | "task" | "trainClassCounts" | "trainUtterances">;

/** @throws MerclabError `combination` when the parts do not fit together */
export function createModel(parts: ModelParts, site: ModelSite): Model {
  const { task, trainClassCounts, trainUtterances } = site;
  checkTask(parts, task);
  const { encoder, fusion } = createPlaced(parts, site);
  const { modalities } = encoder;
  const objective = parts.objective.plugin.create(parts.objective.options, {
    task,
    modalities,
    dim: fusion.streamDim ?? encoder.dim,
    ...(fusion.latent === undefined ? {} : { latent: fusion.latent }),
    trainClassCounts,
    trainUtterances,
  });
  const names = { fusion: parts.fusion.plugin.name, encoder: parts.encoder.plugin.name };
  checkObjective(objective, parts.objective.plugin.name, fusion, names.fusion);
  const model = assembleModel({ encoder, fusion, objective }, task);
  if (parts.balancer === undefined) {
    return model;
  }
  const balancer = parts.balancer.plugin.create(parts.balancer.options, {
    modalities,
    parametersOf: parametersByModality(encoder),
  });
  checkBalancer(balancer, parts.balancer.plugin.name, { encoder, fusion }, names);
  return assembleModel({ encoder, fusion, objective, balancer }, task);
}

/** Encoder and fusion, with the fusion where it wants to stand. */
function createPlaced({ encoder, fusion }: ModelParts, site: ModelSite) {
  const host = encoder.plugin.create(encoder.options, site);
  const created = fusion.plugin.create(fusion.options, {
    modalities: host.modalities,
    dim: host.dim,
    featureModalities: site.modalities.map(({ name }) => name),
  });
  if (created.placement === undefined) {
    return { encoder: host, fusion: created };
  }
  const dim = created.featureDim ?? host.dim;
  if (created.placement === "parallel") {
    return placeParallel(created, dim, site.modalities, host);
  }
  return placeEarly(created, dim, site.modalities, (fused) =>
    encoder.plugin.create(encoder.options, { modalities: [fused], numSpeakers: site.numSpeakers }),
  );
}

/** Objective and balancer must have a meaning for the task. */
function checkTask({ objective, balancer }: ModelParts, { type }: Task): void {
  const plain = PLAIN_OBJECTIVES[type];
  const hints = {
    objective: `Choose objective=${plain}, the plain one of a ${type} task.`,
    balancer: "Leave the gradients alone with balancer=none.",
  };
  for (const plugin of [objective.plugin, ...(balancer === undefined ? [] : [balancer.plugin])]) {
    const { kind, name, tasks = ["single-label"] } = plugin;
    if (!tasks.includes(type)) {
      throw new MerclabError(
        "combination",
        `${kind} ${name} is for ${tasks.join(" and ")} tasks; this one is ${type}`,
        {
          hint: hints[kind],
        },
      );
    }
  }
}

const GIFTS = {
  streams: "per-modality streams",
  latent: "latent distributions",
  auxiliary: "auxiliary logits",
} as const;

function checkObjective(objective: Objective, name: string, fusion: Fusion, fusionName: string): void {
  for (const need of objective.needs) {
    if (!fusion.gives.has(need)) {
      throw new MerclabError("combination", `objective ${name} needs ${GIFTS[need]}; fusion ${fusionName} gives none`, {
        hint: "Choose another objective, e.g. objective=cross-entropy.",
      });
    }
  }
}

function checkBalancer(
  { needs }: Balancer,
  name: string,
  { encoder, fusion }: { readonly encoder: Encoder; readonly fusion: Fusion },
  names: { readonly encoder: string; readonly fusion: string },
): void {
  const refuse = (reason: string): never => {
    throw new MerclabError("combination", `balancer ${name} ${reason}`, {
      hint: "Leave the gradients alone with balancer=none.",
    });
  };
  if (needs.has("unimodal") && fusion.head === undefined && !fusion.gives.has("alone")) {
    refuse(`needs what the classifier makes of one modality alone; fusion ${names.fusion} cannot tell`);
  }
  const lacking = Object.entries(parametersByModality(encoder)).find(([, own]) => own.length === 0)?.[0];
  if (needs.has("parameters") && lacking !== undefined) {
    refuse(`needs encoder parameters that serve one modality alone; encoder ${names.encoder} has none for ${lacking}`);
  }
}

function parametersByModality({ modalities, parameters }: Encoder): Record<string, string[]> {
  const trained = parameters.filter(({ frozen }) => frozen !== true);
  return Object.fromEntries(
    modalities.map((modality) => [
      modality,
      trained.filter((spec) => spec.modality === modality).map(({ name }) => name),
    ]),
  );
}

const UNBALANCED: Balancer = { needs: new Set(), balance: (gradients) => ({ gradients, shown: {} }) };

/** A model of ready parts. */
export function assembleModel(
  parts: {
    readonly encoder: Encoder;
    readonly fusion: Fusion;
    readonly objective: Objective;
    readonly balancer?: Balancer;
  },
  task: Task,
): Model {
  const { encoder, fusion, objective, balancer = UNBALANCED } = parts;
  const head = fusion.head?.(outputDim(task)) ?? linearHead(fusion, encoder.modalities, outputDim(task));
  const parameters = joinSpecs([encoder, fusion, objective, head]);
  const forward = (values: Parameters, inputs: Inputs, context: Context) => {
    const { outputs, losses } = fuse(encoder, fusion, values, inputs, context);
    const { logits, auxiliary } = head.apply(values, outputs);
    return { outputs: auxiliary === undefined ? outputs : { ...outputs, auxiliary }, logits, losses };
  };
  return {
    parameters,
    count: countParameters(parameters),
    balancer,
    task,
    logits: (values, inputs, context) => forward(values, inputs, context).logits,
    shown: (values, inputs) => {
      const { shown = {} } = fuse(encoder, fusion, values, inputs, {}).outputs;
      const pack = (x: Tensor): Tensor => (x.rank === 2 ? fromVisiblePadding(x as Tensor2D, inputs.layout) : x);
      return fusion.seesPadding === true
        ? Object.fromEntries(Object.entries(shown).map(([name, x]) => [name, pack(x)]))
        : shown;
    },
    loss: (values, inputs, targets, context) => {
      const { outputs, logits, losses } = forward(values, inputs, context);
      const own = objective.loss(values, logits, outputs, targets, contextWithin(context, "objective"));
      const loss = withLosses(withLosses(own, losses, "encoder"), outputs.losses, "fusion");
      return balancer.needs.has("unimodal") ? { ...loss, unimodal: head.unimodal(values, outputs) } : loss;
    },
  };
}

/** Streams and fused rows of a packed batch; parts that see padding get it as utterances, and it is dropped again. */
function fuse(
  encoder: Encoder,
  fusion: Fusion,
  values: Parameters,
  inputs: Inputs,
  context: Context,
): { readonly outputs: FusionOutputs; readonly losses: Loss["terms"] } {
  const { layout } = inputs;
  const visible = encoder.seesPadding || fusion.seesPadding ? withVisiblePadding(inputs) : inputs;
  const encoderInputs = encoder.seesPadding ? visible : inputs;
  const encoderContext = contextWithin(context, "encoder");
  const { streams, losses } =
    encoder.applyWithLosses === undefined || context.random === undefined
      ? { streams: encoder.apply(values, encoderInputs, encoderContext), losses: {} }
      : encoder.applyWithLosses(values, encoderInputs, encoderContext);
  const fusionContext = contextWithin(context, "fusion");
  if (fusion.seesPadding !== true) {
    const packed = encoder.seesPadding ? mapStreams(streams, (x) => fromVisiblePadding(x, layout)) : streams;
    return { outputs: fusion.apply(values, packed, withStreams(inputs, encoder), fusionContext), losses };
  }
  const seen = encoder.seesPadding ? streams : mapStreams(streams, (x) => toVisiblePadding(x, layout));
  return {
    outputs: packOutputs(fusion.apply(values, seen, withStreams(visible, encoder), fusionContext), layout),
    losses,
  };
}

/** Inputs that also say where a stream of all modalities together was observed. */
function withStreams(inputs: Inputs, { modalities }: Encoder): Inputs {
  const joint = modalities.filter((name) => inputs.present[name] === undefined);
  if (joint.length === 0) {
    return inputs;
  }
  const any = minimum(addN(Object.values(inputs.present)), 1) as Tensor1D;
  return { ...inputs, present: { ...inputs.present, ...Object.fromEntries(joint.map((name) => [name, any])) } };
}

function packOutputs(outputs: FusionOutputs, layout: Layout): FusionOutputs {
  const pack = (x: Tensor2D): Tensor2D => fromVisiblePadding(x, layout);
  const packGaussian = ({ mean, logVariance }: Gaussian): Gaussian => ({
    mean: pack(mean),
    logVariance: pack(logVariance),
  });
  const { fused, streams, alone, latent, ...rest } = outputs; // what is shown is packed when somebody asks for it
  return {
    ...rest,
    fused: pack(fused),
    ...(streams === undefined ? {} : { streams: mapStreams(streams, pack) }),
    ...(alone === undefined ? {} : { alone: (modality: string) => pack(alone(modality)) }),
    ...(latent === undefined ? {} : { latent: packLatent(latent, packGaussian) }),
  };
}

function packLatent(
  { fused, modalities }: NonNullable<FusionOutputs["latent"]>,
  pack: (gaussian: Gaussian) => Gaussian,
): NonNullable<FusionOutputs["latent"]> {
  return modalities === undefined
    ? { fused: pack(fused) }
    : {
        fused: pack(fused),
        modalities: Object.fromEntries(Object.entries(modalities).map(([name, each]) => [name, pack(each)])),
      };
}

function mapStreams(streams: Streams, change: (x: Tensor2D) => Tensor2D): Record<string, Tensor2D> {
  return Object.fromEntries(Object.entries(streams).map(([name, x]) => [name, change(x)]));
}

/** One linear map of the fused rows. A modality alone gets an equal share of the bias, as in OGM-GE's code. */
function linearHead(fusion: Fusion, modalities: readonly string[], width: number): Head {
  const name = fusion.classifierName ?? "classifier";
  return {
    parameters: linearSpecs(name, fusion.dim, width),
    apply: (parameters, { fused }) => ({ logits: linear(parameters, name, fused) }),
    unimodal: (parameters, { alone }) => {
      if (alone === undefined) {
        throw new Error("the fusion cannot tell what it makes of one modality alone");
      }
      const share = mul(parameter(parameters, `${name}.bias`), 1 / modalities.length);
      const weight = parameter(parameters, `${name}.weight`) as Tensor2D;
      return Object.fromEntries(
        modalities.map((modality) => [modality, add(matMul(alone(modality), weight, false, true), share) as Tensor2D]),
      );
    },
  };
}

function withLosses(loss: Loss, extra: Loss["terms"] | undefined, part: string): Loss {
  if (extra === undefined) {
    return loss;
  }
  const twice = Object.keys(extra).find((name) => name === "total" || Object.hasOwn(loss.terms, name));
  if (twice !== undefined) {
    throw new MerclabError("combination", `${part} and objective both have a loss named "${twice}"`);
  }
  return {
    total: Object.values(extra).reduce((total, term) => add(total, term), loss.total),
    terms: { ...loss.terms, ...extra },
  };
}
