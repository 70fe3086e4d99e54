// `exp clean`: removes stored trials that no plan names any more, once it was told to.
import { findStaleTrials, readTrials, removeTrials } from "@merclab/runner";
import { Command } from "commander";
import { columns, printJson, printText } from "../output.ts";
import { trialLabel } from "../trial-label.ts";
import { addPlanOptions, openPlan, type PlanOptions } from "./plan-options.ts";

export function cleanCommand(): Command {
  return addPlanOptions(new Command("clean"))
    .description("Show stale trials, whose config or data changed since they were planned; with --yes, remove them")
    .option("--yes", "remove them; without it nothing is changed")
    .addHelpText("after", "\nExamples:\n  $ exp clean sdt-vs-lmam\n  $ exp clean sdt-vs-lmam --yes")
    .action(clean);
}

async function clean(name: string, overrides: string[], options: PlanOptions & { yes?: boolean }): Promise<void> {
  const { site, plan } = await openPlan(name, overrides, options);
  const experiment = plan.experiment.name;
  const stored = await readTrials(site.places.runs, experiment);
  const stale = await findStaleTrials(site.places.runs, experiment, stored, plan);
  if (options.yes === true) {
    await removeTrials(site.places.runs, experiment, stale);
  }
  const removed = options.yes === true;
  const rows = stale.map(({ spec, folder, result }) => ({
    id: spec.id,
    what: trialLabel(spec),
    state: result === undefined ? "not done" : "done",
    folder,
  }));
  if (options.json === true) {
    printJson({ experiment, removed, stale: rows });
    return;
  }
  if (rows.length === 0) {
    printText(`no stale trials among the ${stored.length} that are stored`);
    return;
  }
  printText(columns([["trial", "what", "state"], ...rows.map(({ id, what, state }) => [id, what, state])]));
  printText(
    removed
      ? `\n${rows.length} removed; ${stored.length - rows.length} stay.`
      : `\nNothing was changed. "exp clean ${name} --yes" removes these ${rows.length} of ${stored.length} for good.`,
  );
}
