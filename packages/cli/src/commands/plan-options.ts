// Arguments shared by `exp run` and `exp plan`: an experiment, overrides, and where things lie.
import { type Axis, type PlanSite, parseOverride, planStudy, readExperiment, type StudyPlan } from "@merclab/runner";
import type { Command } from "commander";
import { openSite, type Site } from "../site.ts";
import { checkTables } from "../tables.ts";
import { parseCount, parseShare } from "./parse-numbers.ts";

export interface PlanOptions {
  readonly data?: string;
  readonly runs?: string;
  readonly seeds?: string;
  readonly engine?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly gpusPerTrial?: number;
  readonly json?: boolean;
}

export function addPlanOptions(command: Command): Command {
  return command
    .argument("<experiment>", "name of a file in experiments/, or a path to one")
    .argument("[overrides...]", "key=value, or key=a,b to sweep: fusion=lmam optimizer.lr=1e-4 datasets=meld")
    .option("--data <dir>", "data root (default: MERCLAB_DATA, data/, ../shared/data)")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--seeds <n>", "number of seeds, or a list such as 3,7")
    .option(
      "--engine <name>",
      "engine that trains, or auto: the fastest that works here (default: what the file says, else auto)",
    )
    .option("--jobs <n>", "trials side by side (default: as many as cores and memory allow)", parseCount)
    .option(
      "--threads <n>",
      "threads of each trial (default: one, more where fewer trials than cores are left)",
      parseCount,
    )
    .option(
      "--gpus-per-trial <n>",
      "where the engine uses GPUs: 2 for a trial, or 0.5 for two trials on one (default: 1)",
      parseShare,
    )
    .option("--json", "one JSON document on stdout");
}

export async function openPlan(
  experimentName: string,
  overrideArguments: readonly string[],
  options: PlanOptions,
): Promise<{ site: Site; plan: StudyPlan }> {
  const site = await openSite(options);
  const experiment = await readExperiment(experimentName, site.places.experiments);
  const shorthands = [
    ...(options.seeds === undefined ? [] : [`seeds=${options.seeds}`]),
    ...(options.engine === undefined ? [] : [`engine=${options.engine}`]),
  ];
  const overrides: Axis[] = [...overrideArguments, ...shorthands].map(parseOverride);
  const { registry, groups, places } = site;
  const planSite: PlanSite = { registry, groups, dataRoot: places.dataRoot, runsFolder: places.runs };
  const plan = await planStudy(experiment, overrides, planSite);
  checkTables(plan);
  return { site, plan };
}

/** What comes before anything else: which data. */
export function dataLine({ datasets, notices }: StudyPlan): string {
  const folders = new Map(datasets.map(({ name, folder }) => [folder ?? name, folder]));
  const isSynthetic = datasets.some(({ dataset }) => dataset.source === "synthetic");
  const named = datasets.length === 1 ? "Data" : "Data sets";
  const places = [...folders].map(([name, folder]) => (folder === undefined ? `${name} (made up)` : folder));
  // The notice on synthetic data is the last one, and belongs first.
  return isSynthetic
    ? [notices.at(-1), ...notices.slice(0, -1), ...(folders.size > 1 ? [`${named}: ${places.join(", ")}`] : [])].join(
        "\n",
      )
    : [`${named}: ${places.join(", ")}`, ...notices].join("\n");
}

/** One line per engine: what runs, and why this one. */
export function engineLine({ engines }: StudyPlan): string {
  return engines
    .map(({ name, found, why }) => `Engine: ${found === undefined ? name : `${name}, ${found}`} (${why})`)
    .join("\n");
}
