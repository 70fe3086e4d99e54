export { type Checkpoint, type Checkpoints, checkpointFile } from "./checkpoint.ts";
export { type Cost, fusionCost, modelCost, STANDARD_BATCH, tryModelCost } from "./cost.ts";
export { createPredictor, type Predictor } from "./evaluation.ts";
export { assembleModel, createModel, type Model, type ModelParts, type ModelSite } from "./model.ts";
export { type Pace, probePace } from "./probe.ts";
export type { SelectedWeights } from "./selected-weights.ts";
export { SELECTION_METRICS, selectionMetric, type TrainerOptions, trainerOptions } from "./settings.ts";
export { createShower, type Shower, type ShownArray } from "./shown.ts";
export {
  type Balanced,
  balancedGradients,
  type StepResult,
  type TrainingBatch,
  type TrainState,
  trainableParameters,
  trainStep,
} from "./step.ts";
export { type Course, type EpochReport, selectEpoch, type Trial, type TrialOutcome, trainTrial } from "./trial.ts";
export {
  isOfficialBuffer,
  loadWeights,
  readWeights,
  readWeightsMetadata,
  saveWeights,
  writeWeights,
} from "./weights.ts";
