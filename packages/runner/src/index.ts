export { type Bill, type BilledTrial, type Cost, estimateBill } from "./bill/bill.ts";
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
export { cellId, configHash } from "./config/identity.ts";
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
export { type ExportedStudy, writeFileStore } from "./export/file-store.ts";
export { type RunContent, type StudyContent, studyContent } from "./export/run-content.ts";
export { type ArrayFile, readArrays } from "./launchers/array-file.ts";
export { cancelTrials } from "./launchers/cancel.ts";
export type { TrialCommand } from "./launchers/launcher.ts";
export {
  isLauncherOverride,
  type LauncherSettings,
  LOCAL_LAUNCHER,
  listLaunchers,
  readLauncher,
} from "./launchers/settings.ts";
export { shellWord } from "./launchers/shell.ts";
export { checkSlurm } from "./launchers/slurm-check.ts";
export { type Submission, type Submitted, submitStudy } from "./launchers/submit.ts";
export { LIVE_STATES, type StudyView, type TrialState, type TrialView, viewStudy } from "./launchers/trial-states.ts";
export {
  cannotWrite,
  createTrialFolder,
  experimentFolder,
  graphsFolder,
  readEnvironment,
  readExperimentNames,
  readJson,
  readTrial,
  readTrials,
  type StoredTrial,
  storeResult,
  TRIAL_FILES,
  trialFolder,
  writeJson,
  writeStatus,
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
  FailureCause,
  ResolvedConfig,
  ResolvedPart,
  Scores,
  TestScore,
  TrialEnvironment,
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
export type { StudyEvent } from "./study/events.ts";
export type { GuardOptions } from "./study/guard.ts";
export { localRunner, takeLock } from "./study/lock.ts";
export { readTestPredictions, type TestPredictions } from "./study/read-predictions.ts";
export { type Load, type Machine, planSchedule, type Schedule, trialMemory, type Wishes } from "./study/schedule.ts";
export {
  DEFAULT_GUARD,
  isPassedOver,
  missingTrials,
  runStudy,
  type StudyOptions,
  type StudyOutcome,
} from "./study/study.ts";
export { findStaleTrials, readStudy, removeTrials, type StudyFile } from "./study/study-file.ts";
export { type RunnerMessage, runTrialFolder, type WorkerMessage, type WorkerSite } from "./study/worker.ts";
export { type Sampling, samplingFrom, startSampling } from "./system-metrics/sampler.ts";
export type { StudyTable } from "./tracking/study-run.ts";
export {
  createSyncer,
  type SyncedStudy,
  type Syncer,
  type SyncerOptions,
  type SyncProgress,
} from "./tracking/syncer.ts";
export { createTracker, type Tracker, type TrackerOptions, type TrackerTiming } from "./tracking/tracker.ts";
export type { EndStatus } from "./tracking/tracking-file.ts";
export type { Difference as SyncDifference, Verification as SyncVerification } from "./tracking/verify.ts";
export type { Comparison, Difference } from "./verify/compare.ts";
export {
  type Verdict,
  type Verification,
  type VerifyOptions,
  type VerifySite,
  verifyTrial,
} from "./verify/verify-trial.ts";
