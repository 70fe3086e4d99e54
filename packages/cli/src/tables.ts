// The tables of an experiment from its stored runs, as data and in any format.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MerclabError, type Task } from "@merclab/core";
import {
  compileConfusions,
  compileTable,
  formatProvenance,
  formatTable,
  formatTerminal,
  type Planned,
  pairTest,
  planSeeds,
  type SeedPlan,
  splitByTask,
  type Table,
  type TableFormat,
} from "@merclab/report";
import {
  experimentFolder,
  listExperiments,
  type PairTestName,
  readEnvironment,
  readExperiment,
  readJson,
  readStudy,
  readTestPredictions,
  type StoredTrial,
  type StudyPlan,
  type TableSpec,
  TRIAL_FILES,
  type TrialResult,
  type TrialSpec,
  type TrialStatus,
  trialFolder,
  type View,
} from "@merclab/runner";
import type { Places } from "./places.ts";
import { refillCommand } from "./refill-command.ts";

/** Compiles the tables without a score. @throws MerclabError `config` for what would fail after hours of training */
export function checkTables({ experiment, trials }: StudyPlan): void {
  const planned = trials.map((spec) => ({ spec, result: undefined, status: undefined }));
  try {
    const tables = [...experiment.tables, ...(experiment.view?.tables ?? [])];
    for (const { spec, planned: part } of tables.flatMap((each) => splitByTask(each, planned))) {
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
  return (experiment.view ?? experiment).tables
    .flatMap((each) => splitByTask(each, planned))
    .map((part) => planSeeds(part.spec, part.planned, difference))
    .filter((plans) => plans.length > 0);
}

export interface TableOptions {
  /** False leaves out what is measured anew each time, so that the same results give the same bytes. */
  readonly withSeconds?: boolean;
  /** In place of the test that the study declares. */
  readonly test?: PairTestName | undefined;
  /** In place of the tables that the study declares. */
  readonly view?: View | undefined;
  /** A confusion matrix for each cell, in place of the tables. */
  readonly confusions?: boolean;
  /** Reads what each trial ran on as well: its commits are part of where a number comes from. */
  readonly withProvenance?: boolean;
}

/** Whose stored runs a name means, and the tables over them where they are not the study's own. */
export async function findTables(
  name: string,
  { runs, experiments }: Pick<Places, "runs" | "experiments">,
): Promise<{ readonly study: string; readonly view: View | undefined }> {
  const isKnown = (await listExperiments(experiments)).has(name) || /\.ya?ml$/.test(name);
  if (!isKnown || existsSync(experimentFolder(runs, name))) {
    return { study: name, view: undefined };
  }
  const { name: study, view } = await readExperiment(name, experiments);
  return { study, view };
}

/**
 * @throws MerclabError `config` when the experiment never ran
 */
export async function compileTables(
  runsFolder: string,
  experiment: string,
  { withSeconds = true, test, view, confusions = false, withProvenance = false }: TableOptions = {},
): Promise<Table[]> {
  const study = await readStudy(runsFolder, experiment);
  const specs = (view ?? study).tables.map((spec) => changedSpec(spec, { withSeconds, test }));
  const needsPredictions = specs.some((spec) => pairTest(spec).needsPredictions);
  const planned = await Promise.all(
    study.trials.map((spec) =>
      readPlanned(trialFolder(runsFolder, experiment, spec.id), spec, { needsPredictions, withProvenance }),
    ),
  );
  const order = orderOfAxes(study.trials);
  const command = (wanted: readonly TrialSpec[], cell: readonly TrialSpec[]) =>
    refillCommand(study.command, wanted, cell);
  return specs
    .flatMap((spec) => splitByTask(spec, planned))
    .flatMap((part) => {
      const options = { experiment, command, order };
      return confusions
        ? compileConfusions(part.spec, part.planned, options)
        : [compileTable(part.spec, part.planned, options)];
    });
}

function changedSpec(spec: TableSpec, { withSeconds, test }: TableOptions): TableSpec {
  const details = withSeconds === false ? spec.details.filter((detail) => detail !== "seconds") : spec.details;
  if (test === undefined || test === spec.compare?.test) {
    return { ...spec, details };
  }
  // What draws, and whether a margin can be tested, differ from test to test.
  const canTestMargin = test === "paired-t" || test === "dialogue-bootstrap";
  const margin = canTestMargin ? spec.compare?.margin : undefined;
  return { ...spec, details, compare: { test, ...(margin === undefined ? {} : { margin }) } };
}

/** What is stored of a trial, and no file more than a table needs: there may be thousands. */
async function readPlanned(
  folder: string,
  spec: TrialSpec,
  { needsPredictions, withProvenance }: { readonly needsPredictions: boolean; readonly withProvenance: boolean },
): Promise<Planned> {
  const result = await readJson<TrialResult>(join(folder, TRIAL_FILES.result));
  if (result === undefined) {
    return { spec, status: await readJson<TrialStatus>(join(folder, TRIAL_FILES.status)) };
  }
  const task: Task = spec.task ?? { type: "single-label", classes: result.classes };
  return {
    spec,
    result,
    ...(withProvenance ? { environment: await readEnvironment(folder) } : {}),
    ...(needsPredictions ? { predictions: await readTestPredictions(folder, task) } : {}),
  };
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

/** Tables one below the other, each with where its numbers come from if wanted; JSON is a list of them. */
export function tablesText(
  tables: readonly Table[],
  format: TableFormat,
  { width, withProvenance = false }: { readonly width?: number | undefined; readonly withProvenance?: boolean } = {},
): string {
  if (format === "json") {
    return `${JSON.stringify(tables, null, 2)}\n`;
  }
  return tables
    .flatMap((table) => [
      format === "terminal" ? formatTerminal(table, width) : formatTable(table, format),
      ...(withProvenance ? [formatProvenance(table, format)] : []),
    ])
    .filter((text) => text !== "")
    .join("\n");
}

/** Of the terminal; undefined elsewhere, where a text is always the same. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}
