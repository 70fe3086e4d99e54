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
  type JournalRecord,
  type JournalValue,
  type JournalWriter,
  metricsRecord,
  readJournal,
  startJournal,
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
