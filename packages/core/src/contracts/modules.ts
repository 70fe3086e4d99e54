// The contracts of the parts of a model. A part declares its parameters and is a pure function over them: no reads
// of values, no branch on a tensor, no hidden state, so that a whole training step can be traced and compiled.
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import type { ParameterSpec, Parameters } from "../parameters/parameters.ts";
import type { Layout } from "../tensors/layout.ts";
import type { ModalityInfo } from "./dataset.ts";
import type { Targets, Task } from "./task.ts";

/** One `[tokens, dim]` tensor per modality, keyed by modality name. */
export type Streams = Readonly<Record<string, Tensor2D>>;

/** A packed batch as a model sees it. */
export interface Inputs {
  /** Per modality `[tokens, dim_m]`. */
  readonly features: Streams;
  /** Per modality `[tokens]`: 1 = observed, 0 = missing or padding token. */
  readonly present: Readonly<Record<string, Tensor1D>>;
  /** `[tokens]` int32. */
  readonly speakers: Tensor1D;
  readonly layout: Layout;
}

/** Where a model's random tensors come from: keyed by site, so one site never disturbs another. */
export interface RandomSource {
  /** Inverted dropout mask: 0 with probability `rate`, else 1 / (1 − rate). */
  dropoutMask(site: string, shape: readonly number[], rate: number): Tensor;
  /** Standard normal noise. */
  normal(site: string, shape: readonly number[]): Tensor;
  /** A source whose sites lie under `name`. */
  within(name: string): RandomSource;
}

/** How far training has come, as scalars, so that a schedule is no branch of a compiled step. */
export interface Clock {
  /** Number of the epoch, from 1. */
  readonly epoch: Tensor;
  /** Share of all training steps that came before this one, in [0, 1). */
  readonly progress: Tensor;
}

/** What a part may know besides parameters and inputs. Without `random` (evaluation) nothing is dropped or noised. */
export interface Context {
  readonly random?: RandomSource;
  /** Absent in evaluation, and where nobody keeps time: schedules are then at their end. */
  readonly clock?: Clock;
}

export interface Module {
  readonly parameters: readonly ParameterSpec[];
}

/** Streams, and what an encoder learns besides. */
export interface EncoderOutputs {
  readonly streams: Streams;
  /** Extra scalar losses by name, added to the objective. */
  readonly losses: Readonly<Record<string, Tensor>>;
}

/** Features to one sequence per modality, all of one width. */
export interface Encoder extends Module {
  /**
   * Names of the streams that come out, in order: modalities, or another name for a stream of all modalities together,
   * which counts as observed where any of them is.
   */
  readonly modalities: readonly string[];
  /** Width of every stream. */
  readonly dim: number;
  /** True for a published model without masks: padding then counts as utterances with zero features. */
  readonly seesPadding?: boolean;
  apply(parameters: Parameters, inputs: Inputs, context: Context): Streams;
  /** Called in place of `apply` in training, where the encoder has losses of its own. */
  applyWithLosses?(parameters: Parameters, inputs: Inputs, context: Context): EncoderOutputs;
}

/** A diagonal normal distribution per token; both `[tokens, dim]`. */
export interface Gaussian {
  readonly mean: Tensor2D;
  readonly logVariance: Tensor2D;
}

/** What a fusion can give besides `fused`. */
export type FusionGift = "streams" | "alone" | "latent" | "auxiliary";

/** What a fusion computed, and what it can show. */
export interface FusionOutputs {
  /** `[tokens, dim]` */
  readonly fused: Tensor2D;
  /** Per modality `[tokens, dim]`, where the fusion keeps them meaningful on their own. */
  readonly streams?: Streams;
  /** Named weights for pictures: `gate.<modality>` `[tokens, dim]`, or attention `[batch, time, time]`. */
  readonly shown?: Readonly<Record<string, Tensor>>;
  /** Extra scalar losses by name, added to the objective. */
  readonly losses?: Readonly<Record<string, Tensor>>;
  /** What `fused` would be were this modality the only one, `[tokens, dim]`: how balancers ask what it can do. */
  readonly alone?: (modality: string) => Tensor2D;
  /** The distribution that `fused` is drawn from, and those of single modalities where the fusion has them. */
  readonly latent?: { readonly fused: Gaussian; readonly modalities?: Readonly<Record<string, Gaussian>> };
  /** Further logits `[tokens, outputDim]` of the method's own head, by name. */
  readonly auxiliary?: Streams;
}

/** Logits of a method with a head of its own. */
export interface Head extends Module {
  /** Logits `[tokens, outputDim]`, and by name further ones that an objective may train. */
  apply(parameters: Parameters, outputs: FusionOutputs): { readonly logits: Tensor2D; readonly auxiliary?: Streams };
  /** Per modality the logits `[tokens, outputDim]` that this head gives it alone. */
  unimodal(parameters: Parameters, outputs: FusionOutputs): Streams;
}

/** Streams to one fused sequence. */
export interface Fusion extends Module {
  readonly dim: number;
  /** What `apply` gives besides `fused`; objectives ask for it before anything trains. */
  readonly gives: ReadonlySet<FusionGift>;
  /** Width of the streams in `FusionOutputs`; that of the encoder's where absent. */
  readonly streamDim?: number;
  /** Width of `FusionOutputs.latent`, and whether single modalities have distributions too. */
  readonly latent?: { readonly dim: number; readonly perModality: boolean };
  /** True for a published model without masks: padding then counts as utterances with zero features. */
  readonly seesPadding?: boolean;
  /**
   * Where the fusion stands: behind the encoder (absent), or before it, which then encodes the fused sequence; with a
   * residual, a linear map of all modalities is added to that sequence. In parallel both see the features, and a linear
   * map of the encoder's streams is added to what the fusion makes of them.
   */
  readonly placement?: "early" | "early-residual" | "parallel";
  /** Width that features are mapped to for a fusion that is not behind the encoder; the encoder's where absent. */
  readonly featureDim?: number;
  /** The method's own head, where it is not one linear map of `fused`. */
  readonly head?: (outputDim: number) => Head;
  /** Name of the classifier in the method's official weights, where there is one. */
  readonly classifierName?: string;
  apply(parameters: Parameters, streams: Streams, inputs: Inputs, context: Context): FusionOutputs;
}

export interface Loss {
  /** Scalar that is minimised. */
  readonly total: Tensor;
  /** Scalars by name, for curves. */
  readonly terms: Readonly<Record<string, Tensor>>;
}

/** Outputs and targets to a scalar loss; may own parameters that only training needs (student heads). */
export interface Objective extends Module {
  readonly needs: ReadonlySet<Exclude<FusionGift, "alone">>;
  /** @param logits `[tokens, outputDim(task)]` */
  loss(parameters: Parameters, logits: Tensor2D, outputs: FusionOutputs, targets: Targets, context: Context): Loss;
}

/** What an encoder's factory is told about the data. */
export interface EncoderSite {
  readonly modalities: readonly ModalityInfo[];
  readonly numSpeakers: number;
}

/** What a fusion's factory is told about the encoder. */
export interface FusionSite {
  /** Names of the encoder's streams. */
  readonly modalities: readonly string[];
  readonly dim: number;
  /** Modalities of the features, for a fusion that stands before the encoder; those of the streams where absent. */
  readonly featureModalities?: readonly string[];
}

/** What an objective's factory is told about task, fusion and training part. */
export interface ObjectiveSite {
  readonly task: Task;
  readonly modalities: readonly string[];
  /** Width of the fusion's streams. */
  readonly dim: number;
  /** What is known of the fusion's latent distributions, where it has them. */
  readonly latent?: Fusion["latent"];
  /** Training utterances per class, or per label those that have it; empty in regression. */
  readonly trainClassCounts: readonly number[];
  /** Training utterances in all. */
  readonly trainUtterances: number;
}
