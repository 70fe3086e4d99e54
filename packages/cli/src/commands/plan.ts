// `exp plan`: what `exp run` would do, without training.
import { findStaleTrials, missingTrials, planSchedule, readTrials, trialMemory } from "@merclab/runner";
import { Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import prettyMs from "pretty-ms";
import { columns, printJson, printText } from "../output.ts";
import { seedPlanText } from "../seed-plan-text.ts";
import { staleLines } from "../stale-text.ts";
import { planTableSeeds } from "../tables.ts";
import { trialLabel } from "../trial-label.ts";
import { addPlanOptions, dataLine, engineLine, openPlan, type PlanOptions } from "./plan-options.ts";

export function planCommand(): Command {
  return addPlanOptions(new Command("plan"))
    .description("Show the trials of an experiment, which are done, and what is expected of the rest")
    .option(
      "--difference <x>",
      "say how many seeds find it: in points for what is printed in per cent (default: 1, else 0.01)",
      parseDifference,
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ exp plan sdt-vs-lmam\n  $ exp plan sdt-vs-lmam --difference 0.5" +
        "\n  $ exp plan sdt-vs-lmam fusion.lmam.rank=4,16 --json",
    )
    .action(plan);
}

interface Options extends PlanOptions {
  /** In printed units of the first metric of each table. */
  readonly difference?: number;
}

async function plan(name: string, overrides: string[], options: Options): Promise<void> {
  const { site, plan } = await openPlan(name, overrides, options);
  const all = await readTrials(site.places.runs, plan.experiment.name);
  const stored = new Map(all.map((trial) => [trial.spec.id, trial]));
  const stale = await findStaleTrials(site.places.runs, plan.experiment.name, all, plan);
  const toRun = missingTrials(plan, all);
  const { jobs, notes, threadsFor } = planSchedule(toRun, options, site.registry);
  const [next] = toRun;
  /** Of the trials that start first; the last ones may get more. */
  const threads = next === undefined ? null : threadsFor(next, { coresInUse: 0, running: 0, waiting: toRun.length });
  const trials = plan.trials.map((spec) => {
    const result = stored.get(spec.id)?.result;
    return {
      id: spec.id,
      label: trialLabel(spec),
      state: result !== undefined ? "done" : (stored.get(spec.id)?.status?.state ?? "missing"),
      parameters: spec.parameters.total,
      memoryBytes: trialMemory(spec, site.registry),
      seconds: result?.seconds,
      config: spec.config,
      seed: spec.seed,
    };
  });
  const done = trials.filter(({ state }) => state === "done");
  const secondsPerTrial = done.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0) / done.length;
  const missing = toRun.length;
  const passedOver = trials.length - done.length - missing;
  const seedPlans = planTableSeeds(plan, stored, options.difference);
  // Known only from trials that ran: nothing is guessed.
  const expectedSeconds = done.length === 0 ? null : (secondsPerTrial * missing) / jobs;
  if (options.json === true) {
    const datasets = plan.datasets.map(({ name: each, dataset, folder }) => ({
      name: each,
      source: dataset.source,
      folder: folder ?? null,
    }));
    const { experiment, notices, engines } = plan;
    const schedule = { jobs, threads, notes };
    printJson({
      experiment: experiment.name,
      datasets,
      notices,
      engines,
      schedule,
      expectedSeconds,
      seedPlans,
      trials,
      stale: stale.map(({ spec, folder }) => ({ id: spec.id, label: trialLabel(spec), folder })),
    });
    return;
  }
  const rows = trials.map(({ id, label, state, parameters, memoryBytes }) => [
    id,
    label,
    state,
    parameters.toLocaleString("en-US"),
    `${Math.round(memoryBytes / 1e6)} MB`,
  ]);
  const time =
    missing === 0
      ? "nothing left to train"
      : expectedSeconds === null
        ? "time unknown until one trial has run"
        : `about ${prettyMs(1000 * Math.ceil(expectedSeconds))} to go`;
  printText(
    [
      dataLine(plan),
      pc.bold(plan.experiment.title),
      engineLine(plan),
      "",
      columns([["trial", "what", "state", "parameters", "memory"], ...rows]),
      "",
      [
        `${done.length} of ${trials.length} trials are done`,
        ...(threads === null ? [] : [pace(jobs, threads)]),
        time,
      ].join("; "),
      ...(passedOver === 0
        ? []
        : [`${passedOver} failed and would fail again: exp run passes over them, but for --retry-failed.`]),
      ...notes,
      ...staleLines(stale, name),
      // Tables of the same rows ask for the same seeds.
      ...[...new Set(seedPlans.map(seedPlanText))].map((text) => `\n${text}`),
    ].join("\n"),
  );
}

function parseDifference(text: string): number {
  const difference = Number(text);
  if (!(difference > 0 && Number.isFinite(difference))) {
    throw new InvalidArgumentError("It must be a number above 0, such as 0.5.");
  }
  return difference;
}

function pace(jobs: number, threads: number): string {
  return threads === 1 ? `${jobs} at a time` : `${jobs} at a time on ${threads} threads each`;
}
