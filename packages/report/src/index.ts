export { describeValues, type Statistics } from "./aggregate/statistics.ts";
export { formatOfFile, formatTable, TABLE_FORMATS, type TableFormat } from "./formats/format-table.ts";
export { formatProvenance } from "./formats/provenance.ts";
export { formatTerminal } from "./formats/terminal.ts";
export type { Picture } from "./html/blocks.ts";
export type { ShownSource } from "./html/dialogue-section.ts";
export type { SpeakerSource } from "./html/flip-section.ts";
export { createReport, type Report, type ReportSources } from "./html/report.ts";
export { standaloneSvg } from "./pictures/standalone.ts";
export {
  type Contest,
  compareMethods,
  type MethodComparison,
  pairBySeed,
  type ScoreComparison,
  scoreHead,
} from "./predictions/compare-methods.ts";
export {
  compareRuns,
  type FlipCount,
  type FlippedUtterance,
  type Flips,
  type RunPair,
  type Speakers,
  type SpokenUtterance,
} from "./predictions/flips.ts";
export { marginOf, type NearCount, type Nearness, type NearUtterance } from "./predictions/nearness.ts";
export { type PredictedUtterance, readPredictions } from "./predictions/predicted-utterances.ts";
export {
  type Block,
  type Method,
  readStudyMaterial,
  type StudyMaterial,
  type StudyTrial,
} from "./study/study-material.ts";
export { axisValue } from "./tables/axes.ts";
export { splitByTask, type TaskPart } from "./tables/by-task.ts";
export { type CompileOptions, compileTable } from "./tables/compile-table.ts";
export { compileConfusions } from "./tables/confusions.ts";
export { pairTest } from "./tables/pair-tests.ts";
export { planSeeds, type SeedPlan } from "./tables/seed-plan.ts";
export type {
  AxisValue,
  AxisValues,
  CellState,
  Comparison,
  Missing,
  Planned,
  Provenance,
  Table,
  TableCell,
  TableColumn,
  TableNote,
  TableRow,
} from "./tables/table.ts";
