// The tables of an experiment from its stored runs, as data and in any format.
import { MerclabError } from "@merclab/core";
import {
  compileTable,
  formatTable,
  formatTerminal,
  planSeeds,
  type SeedPlan,
  splitByTask,
  type Table,
  type TableFormat,
} from "@merclab/report";
import { readStudy, readTrials, type StoredTrial, type StudyPlan, type TrialSpec } from "@merclab/runner";

/** Compiles the tables without a score. @throws MerclabError `config` for what would fail after hours of training */
export function checkTables({ experiment, trials }: StudyPlan): void {
  const planned = trials.map((spec) => ({ spec, result: undefined, status: undefined }));
  try {
    for (const { spec, planned: part } of experiment.tables.flatMap((each) => splitByTask(each, planned))) {
      compileTable(spec, part, { experiment: experiment.name });
    }
  } catch (error) {
    if (!(error instanceof MerclabError)) {
      throw error;
    }
    const { code, message, where, hint } = error;
    throw new MerclabError(code, message, { where: where ?? `${experiment.file} (tables)`, hint, cause: error });
  }
}

/**
 * How many seeds the tests of each table need, one part per table.
 *
 * @param stored by trial id
 * @param difference in printed units
 */
export function planTableSeeds(
  { experiment, trials }: StudyPlan,
  stored: ReadonlyMap<string, StoredTrial>,
  difference?: number,
): SeedPlan[][] {
  const planned = trials.map((spec) => ({ spec, result: stored.get(spec.id)?.result, status: undefined }));
  return experiment.tables
    .flatMap((each) => splitByTask(each, planned))
    .map((part) => planSeeds(part.spec, part.planned, difference))
    .filter((plans) => plans.length > 0);
}

/** @throws MerclabError `config` when the experiment never ran */
export async function compileTables(runsFolder: string, experiment: string): Promise<Table[]> {
  const study = await readStudy(runsFolder, experiment);
  const stored = new Map((await readTrials(runsFolder, experiment)).map((trial) => [trial.spec.id, trial]));
  const planned = study.trials.map((spec) => {
    const trial = stored.get(spec.id);
    return { spec, result: trial?.result, status: trial?.status };
  });
  const order = orderOfAxes(study.trials);
  return study.tables
    .flatMap((spec) => splitByTask(spec, planned))
    .map((part) => compileTable(part.spec, part.planned, { experiment, command: () => study.command, order }));
}

/** Values of every axis as the plan has them: in the order of the experiment file. */
function orderOfAxes(trials: readonly TrialSpec[]): Record<string, TrialSpec["cell"][string][]> {
  const order: Record<string, TrialSpec["cell"][string][]> = {};
  for (const [axis, value] of trials.flatMap(({ cell }) => Object.entries(cell))) {
    const values = order[axis] ?? [];
    order[axis] = values.includes(value) ? values : [...values, value];
  }
  return order;
}

export function tablesText(tables: readonly Table[], format: Exclude<TableFormat, "json">): string {
  // In a terminal as wide as it is; elsewhere always the same.
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  return tables
    .map((table) => (format === "terminal" ? formatTerminal(table, width) : formatTable(table, format)))
    .join("\n");
}
