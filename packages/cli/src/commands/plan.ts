// `exp plan`: what `exp run` would do, without training.
import {
  type Bill,
  type BilledTrial,
  cellId,
  type DiskUse,
  estimateBill,
  expectedDiskUse,
  findStaleTrials,
  missingTrials,
  planSchedule,
  readTrials,
  type StoredTrial,
  type StudyPlan,
  storedDiskUse,
  type TrialSpec,
  trialMemory,
} from "@merclab/runner";
import { Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { billText, durationText, sizeText } from "../bill-text.ts";
import { columns, printJson, printText } from "../output.ts";
import { probeTrials } from "../probes.ts";
import { seedPlanText } from "../seed-plan-text.ts";
import type { Site } from "../site.ts";
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
    .option("--probe", "time a few steps of each config that never ran, in processes of their own")
    .addHelpText(
      "after",
      "\nExamples:\n  $ exp plan sdt-vs-lmam\n  $ exp plan sdt-vs-lmam --probe\n  $ exp plan sdt-vs-lmam --difference 0.5" +
        "\n  $ exp plan sdt-vs-lmam fusion.lmam.rank=4,16 --json",
    )
    .action(plan);
}

interface Options extends PlanOptions {
  /** In printed units of the first metric of each table. */
  readonly difference?: number;
  readonly probe?: boolean;
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
  const bill = await openBill(plan, stored, toRun, options, { jobs, threads: threads ?? 1, site });
  const costs = new Map(bill.trials.map((cost) => [cost.id, cost]));
  const trials = plan.trials.map((spec) => {
    const result = stored.get(spec.id)?.result;
    const cost = costs.get(spec.id);
    return {
      id: spec.id,
      label: trialLabel(spec),
      state: result !== undefined ? "done" : (stored.get(spec.id)?.status?.state ?? "missing"),
      parameters: spec.parameters.total,
      memoryBytes: cost?.memoryBytes ?? trialMemory(spec, site.registry),
      seconds: result?.seconds,
      expectedSeconds: cost?.seconds,
      config: spec.config,
      seed: spec.seed,
    };
  });
  const done = trials.filter(({ state }) => state === "done");
  const passedOver = trials.length - done.length - toRun.length;
  const seedPlans = planTableSeeds(plan, stored, options.difference);
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
      expectedSeconds: bill.seconds ?? null,
      bill,
      seedPlans,
      trials,
      stale: stale.map(({ spec, folder }) => ({ id: spec.id, label: trialLabel(spec), folder })),
    });
    return;
  }
  const rows = trials.map(({ id, label, state, parameters, memoryBytes, seconds, expectedSeconds }) => [
    id,
    label,
    state,
    parameters.toLocaleString("en-US"),
    sizeText(memoryBytes),
    seconds !== undefined
      ? durationText(seconds)
      : expectedSeconds === undefined
        ? "–"
        : `~${durationText(expectedSeconds)}`,
  ]);
  printText(
    [
      dataLine(plan),
      pc.bold(plan.experiment.title),
      engineLine(plan),
      "",
      columns([["trial", "what", "state", "parameters", "memory", "time"], ...rows]),
      "",
      [
        `${done.length} of ${trials.length} trials are done`,
        ...(threads === null ? ["nothing left to train"] : [pace(jobs, threads)]),
      ].join("; "),
      ...(passedOver === 0
        ? []
        : [`${passedOver} failed and would fail again: exp run passes over them, but for --retry-failed.`]),
      ...notes,
      ...staleLines(stale, name),
      ...billText(bill),
      // Tables of the same rows ask for the same seeds.
      ...[...new Set(seedPlans.map(seedPlanText))].map((text) => `\n${text}`),
    ].join("\n"),
  );
}

/** What is missing costs, by what is stored, with probes where they are asked for. */
async function openBill(
  { trials, datasets }: StudyPlan,
  stored: ReadonlyMap<string, StoredTrial>,
  toRun: readonly TrialSpec[],
  { probe }: Options,
  { jobs, threads, site }: { readonly jobs: number; readonly threads: number; readonly site: Site },
): Promise<Bill> {
  const done = trials.filter(({ id }) => stored.get(id)?.result !== undefined);
  const timed = new Set(done.map(cellId));
  const unknown = toRun.filter((spec) => !timed.has(cellId(spec)));
  const probes = probe === true ? await probeTrials(unknown, site.places.dataRoot, threads) : new Map();
  const measured = new Map<string, DiskUse>();
  for (const spec of done) {
    const folder = stored.get(spec.id)?.folder;
    if (folder !== undefined && !measured.has(cellId(spec))) {
      measured.set(cellId(spec), await storedDiskUse(folder));
    }
  }
  const expected = new Map<string, DiskUse>();
  const expectedOf = (spec: TrialSpec): DiskUse => {
    const known = expected.get(cellId(spec));
    if (known !== undefined) {
      return known;
    }
    const data = datasets.find(({ dataset }) => dataset.fingerprint === spec.data.fingerprint);
    const use = data === undefined ? { weightsBytes: 0, otherBytes: 0 } : expectedDiskUse(spec, data.dataset);
    expected.set(cellId(spec), use);
    return use;
  };
  const billed = [...done, ...toRun].map((spec): BilledTrial => {
    return {
      spec,
      seconds: stored.get(spec.id)?.result?.seconds,
      peakBytes: stored.get(spec.id)?.status?.peakBytes,
      disk: measured.get(cellId(spec)) ?? expectedOf(spec),
      plannedBytes: trialMemory(spec, site.registry),
    };
  });
  return estimateBill(billed, probes, jobs);
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
