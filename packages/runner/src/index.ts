export { type Bill, type BilledTrial, billKey, type Cost, estimateBill } from "./bill/bill.ts";
export { type DiskUse, expectedDiskUse, storedDiskUse } from "./bill/disk.ts";
export { probeTrial, type TrialProbe } from "./bill/probe-trial.ts";
export { type Assignment, type AssignmentValue, type Axis, parseOverride } from "./config/assignments.ts";
export type { LoadedPart, PlanSite } from "./config/datasets.ts";
export {
  AUTO_ENGINE,
  chooseAutoEngine,
  createEngineProber,
  type EngineChoice,
  type EngineState,
  enginesByRank,
} from "./config/engines.ts";
export { type Experiment, listExperiments, readExperiment, type View } from "./config/experiment.ts";
export { type Choice, type ConfigGroups, createConfigGroups, GROUPS, type Group } from "./config/groups.ts";
export { cellValue, modelParts, planStudy, type StudyPlan } from "./config/plan.ts";
export {
  CLASS_SCORES,
  type ClassScoreName,
  DEFAULT_TABLE,
  DETAIL_KINDS,
  type DetailKind,
  PAIR_TESTS,
  type PairTestName,
  type Published,
  SCORE_KINDS,
  type ScoreKind,
  type TableSpec,
  type TableSpecInput,
  tableSpec,
} from "./config/table-spec.ts";
export {
  createTrialFolder,
  experimentFolder,
  graphsFolder,
  readExperimentNames,
  readJson,
  readTrial,
  readTrials,
  type StoredTrial,
  TRIAL_FILES,
  trialFolder,
  writeJson,
} from "./store/experiment-store.ts";
export {
  type AttemptJournal,
  attemptJournal,
  decodeFloats,
  type JournalRecord,
  type JournalValue,
  metricsRecord,
  readJournal,
} from "./store/journal.ts";
export type {
  ResolvedConfig,
  ResolvedPart,
  Scores,
  TestScore,
  TrialResult,
  TrialSpec,
  TrialStatus,
} from "./store/trial-files.ts";
export {
  openStoredModel,
  type StoredModel,
  type StoredModelSite,
  storedWeights,
} from "./stored-model/open-stored-model.ts";
export {
  type FolderPredictions,
  type PredictRequest,
  type PredictSite,
  predictFolder,
} from "./stored-model/predict-folder.ts";
export {
  readShown,
  SHOWN_DIALOGUES,
  type ShownDialogue,
  type ShownTrial,
  showTrial,
} from "./stored-model/shown-file.ts";
export { readWeightsOrigin, type WeightsOrigin } from "./stored-model/weights-file.ts";
export { type PredictionFormat, predictionFormat, writePredictions } from "./stored-model/write-predictions.ts";
export { aggregateStress, type OverSeeds, type StressedTrial, type StressGroup } from "./stress/aggregate.ts";
export { STRESS_DEFAULTS, type StressOptions, stressConditions } from "./stress/conditions.ts";
export type { Condition } from "./stress/perturb.ts";
export { readStress, type StressedScores, type StressFile, type StressSummary } from "./stress/stress-file.ts";
export { type StressSite, stressTrial } from "./stress/stress-trial.ts";
export { readTestPredictions, type TestPredictions } from "./study/read-predictions.ts";
export { type Load, type Machine, planSchedule, type Schedule, trialMemory, type Wishes } from "./study/schedule.ts";
export { missingTrials, runStudy, type StudyEvent, type StudyOptions, type StudyOutcome } from "./study/study.ts";
export { readStudy, type StudyFile } from "./study/study-file.ts";
export { type RunnerMessage, runTrialFolder, type WorkerMessage, type WorkerSite } from "./study/worker.ts";
export type { StudyTable } from "./tracking/study-run.ts";
export { createTracker, type Tracker, type TrackerOptions, type TrackerTiming } from "./tracking/tracker.ts";
export type { EndStatus } from "./tracking/tracking-file.ts";
export type { Comparison, Difference } from "./verify/compare.ts";
export {
  type Verdict,
  type Verification,
  type VerifyOptions,
  type VerifySite,
  verifyTrial,
} from "./verify/verify-trial.ts";
