export {
  createModulation,
  type ModulationOptions,
  type ModulationRule,
  meanOfOthers,
  modulationOptions,
  weakest,
} from "./balancers/modulation.ts";
export type { Balancer, BalancerInputs, BalancerSite } from "./contracts/balancer.ts";
export {
  type Dataset,
  type Dialogue,
  type FeatureScale,
  guardTestLabels,
  hasVisibleLabels,
  type LoadedDataset,
  type ModalityInfo,
  type Seal,
  type SealedLabels,
  SPLITS,
  type Split,
  visibleLabels,
} from "./contracts/dataset.ts";
export type {
  CompiledFunction,
  CompileOptions,
  Engine,
  EngineProbe,
  EngineSite,
  EngineTraits,
  GraphReport,
} from "./contracts/engine.ts";
export type {
  Clock,
  Context,
  Encoder,
  EncoderOutputs,
  EncoderSite,
  Fusion,
  FusionGift,
  FusionOutputs,
  FusionSite,
  Gaussian,
  Head,
  Inputs,
  Loss,
  Module,
  Objective,
  ObjectiveSite,
  RandomSource,
  Streams,
} from "./contracts/modules.ts";
export type { Optimizer, OptimizerSite, OptimizerState } from "./contracts/optimizer.ts";
export {
  type DatasetSite,
  type DatasetSource,
  definePlugin,
  PLUGIN_KINDS,
  type Plugin,
  type PluginKind,
  type PluginKinds,
  type PluginRegistry,
  type TaskTraits,
} from "./contracts/plugins.ts";
export {
  type ClassTargets,
  classTargets,
  type LabelSetTargets,
  type Labels,
  labelSetTargets,
  type MultiLabelTask,
  outputDim,
  outputNames,
  type RegressionTask,
  type ScoreTargets,
  type SingleLabelTask,
  scoreTargets,
  TASK_TYPES,
  type Targets,
  type Task,
  type TaskType,
} from "./contracts/task.ts";
export { createEagerEngine, EAGER_BACKENDS, type EagerBackend } from "./engine/eager.ts";
export { type ErrorCode, type ErrorDetails, MerclabError, nearestName, suggestName } from "./errors.ts";
export { binaryCrossEntropy } from "./losses/binary-cross-entropy.ts";
export {
  type ClassWeights,
  classWeightsOption,
  type PositiveWeights,
  positiveWeightsOption,
  resolveClassWeights,
  resolvePositiveWeights,
} from "./losses/class-weights.ts";
export { type CrossEntropyOptions, crossEntropy } from "./losses/cross-entropy.ts";
export { klDivergence } from "./losses/divergence.ts";
export { huberLoss, l1Loss, squaredLoss } from "./losses/regression.ts";
export {
  CALIBRATION_BINS,
  calibrationBin,
  expectedCalibrationError,
  negativeLogLikelihood,
} from "./metrics/calibration.ts";
export {
  accuracy,
  type ClassMetrics,
  type ConfusionMatrix,
  classificationMetrics,
  classMetrics,
  confusionMatrix,
  macroF1,
  type PredictionMetrics,
  type Predictions,
  type Probabilities,
  type ProbabilityMetrics,
  weightedF1,
} from "./metrics/classification.ts";
export {
  METRICS,
  type MetricDescriptor,
  type MetricName,
  metricDescriptor,
  metricsOfTask,
  SELECTION_METRIC,
  usualMetrics,
} from "./metrics/descriptors.ts";
export { type MultiLabelMetrics, multiLabelMetrics } from "./metrics/multi-label.ts";
export { argMaxRows } from "./metrics/probabilities.ts";
export {
  type BinaryScores,
  binaryWithoutZero,
  binaryWithZero,
  meanAbsoluteError,
  pearsonR,
  type RegressionMetrics,
  regressionMetrics,
  roundedAccuracy,
  roundHalfToEven,
} from "./metrics/regression.ts";
export { type TaskScores, taskScores } from "./metrics/task-scores.ts";
export { shortModalityName } from "./modalities.ts";
export { type AdamOptions, createAdam } from "./optimizers/adam.ts";
export { clipByGlobalNorm, clippingScale, globalNorm, scaledWithDecay } from "./optimizers/gradients.ts";
export { learningRate, type Schedule } from "./optimizers/schedule.ts";
export { createSgd, type SgdOptions } from "./optimizers/sgd.ts";
export {
  embeddingWithPadding,
  glorotUniform,
  type Initializer,
  identity,
  normal,
  ones,
  uniformFanIn,
  zeros,
} from "./parameters/initializers.ts";
export { layerNormSpecs, linearSpecs } from "./parameters/layers.ts";
export {
  countParameters,
  type HostTensor,
  initialParameters,
  joinSpecs,
  ofModality,
  type ParameterCount,
  type ParameterSpec,
  type Parameters,
  parameter,
  parametersFromArrays,
  sizeOf,
} from "./parameters/parameters.ts";
export { gruCellSpecs, gruSpecs, lstmSpecs, type RecurrentShape } from "./parameters/recurrent.ts";
export {
  encodeSafetensors,
  encodeSafetensorsHeader,
  littleEndian,
  parseSafetensors,
  safetensorsMetadata,
} from "./parameters/safetensors.ts";
export { plugins as corePlugins } from "./plugins/index.ts";
export { PLAIN_OBJECTIVES } from "./plugins/objectives.ts";
export { drawBits, drawNormal, drawPermutation, drawUniform } from "./random/draw.ts";
export { drawMasksInto, fillDropoutMask } from "./random/dropout.ts";
export { foldKey, type Key, keyFromSeed } from "./random/key.ts";
export { createRandomSource, type Draw, fillRandom, isKeyedSource, type KeyedSource } from "./random/source.ts";
export { threefry } from "./random/threefry.ts";
export {
  type Attending,
  type AttentionOptions,
  attendWithinDialogues,
  maskedSoftmax,
  multiHeadAttention,
} from "./tensors/attention.ts";
export { valueAndGradients } from "./tensors/gradients.ts";
export {
  concatLast,
  contextWithin,
  dropout,
  embed,
  fastTanh,
  geluErf,
  geluTanh,
  layerNorm,
  linear,
  oneHotRows,
  positionEncoding,
  stopGradient,
} from "./tensors/layers.ts";
export {
  type Bucket,
  createLayout,
  type Layout,
  layoutTensors,
  packTokens,
  padMask,
  padTokens,
} from "./tensors/layout.ts";
export { groupTimes } from "./tensors/length-groups.ts";
export { observedFeatures } from "./tensors/observed.ts";
export {
  applyGru,
  applyLstm,
  gruState,
  packTime,
  reverseTime,
  type Sequence,
  standing,
  timeMajor,
} from "./tensors/recurrence.ts";
export { type Product, type Scan, type Step, scan } from "./tensors/scan.ts";
export { fromVisiblePadding, toVisiblePadding, withVisiblePadding } from "./tensors/visible-padding.ts";
