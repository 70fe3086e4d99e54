export { describeValues, type Statistics } from "./aggregate/statistics.ts";
export { formatOfFile, formatTable, TABLE_FORMATS, type TableFormat } from "./formats/format-table.ts";
export { formatProvenance } from "./formats/provenance.ts";
export { formatTerminal } from "./formats/terminal.ts";
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
