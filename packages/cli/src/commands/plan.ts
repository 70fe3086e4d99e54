// `exp plan`: what `exp run` would do, without training.
import { defaultJobs, readTrials, trialMemory } from "@merclab/runner";
import { Command } from "commander";
import pc from "picocolors";
import prettyMs from "pretty-ms";
import { columns, printJson, printText } from "../output.ts";
import { trialLabel } from "../trial-label.ts";
import { addPlanOptions, dataLine, engineLine, openPlan, type PlanOptions } from "./plan-options.ts";

export function planCommand(): Command {
  return addPlanOptions(new Command("plan"))
    .description("Show the trials of an experiment, which are done, and what is expected of the rest")
    .addHelpText(
      "after",
      "\nExamples:\n  $ exp plan sdt-vs-lmam\n  $ exp plan sdt-vs-lmam fusion.lmam.rank=4,16 --json",
    )
    .action(plan);
}

async function plan(name: string, overrides: string[], options: PlanOptions): Promise<void> {
  const { site, plan } = await openPlan(name, overrides, options);
  const stored = new Map(
    (await readTrials(site.places.runs, plan.experiment.name)).map((trial) => [trial.spec.id, trial]),
  );
  const jobs = defaultJobs(plan.trials);
  const trials = plan.trials.map((spec) => {
    const result = stored.get(spec.id)?.result;
    return {
      id: spec.id,
      label: trialLabel(spec),
      state: result !== undefined ? "done" : (stored.get(spec.id)?.status?.state ?? "missing"),
      parameters: spec.parameters.total,
      memoryBytes: trialMemory(spec),
      seconds: result?.seconds,
      config: spec.config,
      seed: spec.seed,
    };
  });
  const done = trials.filter(({ state }) => state === "done");
  const secondsPerTrial = done.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0) / done.length;
  const missing = trials.length - done.length;
  // Known only from trials that ran: nothing is guessed.
  const expectedSeconds = done.length === 0 ? null : (secondsPerTrial * missing) / jobs;
  if (options.json === true) {
    const datasets = plan.datasets.map(({ name: each, dataset, folder }) => ({
      name: each,
      source: dataset.source,
      folder: folder ?? null,
    }));
    const { experiment, notices, engines } = plan;
    printJson({ experiment: experiment.name, datasets, notices, engines, jobs, expectedSeconds, trials });
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
      `${done.length} of ${trials.length} trials are done; ${jobs} at a time; ${time}`,
    ].join("\n"),
  );
}
