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
export { type Experiment, listExperiments, readExperiment } from "./config/experiment.ts";
export { type Choice, type ConfigGroups, createConfigGroups, GROUPS, type Group } from "./config/groups.ts";
export { cellValue, modelParts, planStudy, type StudyPlan } from "./config/plan.ts";
export {
  DEFAULT_TABLE,
  DETAIL_KINDS,
  type DetailKind,
  SCORE_KINDS,
  type ScoreKind,
  type TableSpec,
  type TableSpecInput,
  tableSpec,
} from "./config/table-spec.ts";
export { type ExportedStudy, writeFileStore } from "./export/file-store.ts";
export { type RunContent, type StudyContent, studyContent } from "./export/run-content.ts";
export {
  createTrialFolder,
  experimentFolder,
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
export { takeLock } from "./study/lock.ts";
export { type Load, type Machine, planSchedule, type Schedule, trialMemory, type Wishes } from "./study/schedule.ts";
export { missingTrials, runStudy, type StudyEvent, type StudyOptions, type StudyOutcome } from "./study/study.ts";
export { readStudy, type StudyFile } from "./study/study-file.ts";
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
export type { Difference, Verification } from "./tracking/verify.ts";
