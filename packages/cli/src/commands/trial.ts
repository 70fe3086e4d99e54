// `exp trial run FOLDER`: what a launcher calls for one trial. `exp trial work FOLDER`: what that and `exp run` start, to
// be given trial after trial.
import { Command } from "commander";
import { checkpointOption } from "./checkpoint-option.ts";
import { keepWeightsOption } from "./keep-weights-option.ts";
import { parseCount } from "./parse-numbers.ts";
import { trialProbeCommand } from "./trial-probe.ts";
import { trialRunCommand } from "./trial-run.ts";
import type { WorkOptions } from "./trial-work.ts";

export function trialCommand(): Command {
  const work = new Command("work")
    .description("Run the trials that exp run and exp trial run send, one after another")
    .argument("<folder>", "the folder of their study, for who reads a list of processes")
    .option("--data <dir>", "data root")
    .option("--threads <n>", "threads of a trial (default: one per core, where its engine uses several)", parseCount)
    .addOption(checkpointOption())
    .addOption(keepWeightsOption())
    .action(async (_folder: string, options: WorkOptions) => {
      // Loaded here, since a supervisor needs none of it.
      await (await import("./trial-work.ts")).work(options);
    });
  return new Command("trial")
    .description("Run single trials")
    .addCommand(trialRunCommand())
    .addCommand(work)
    .addCommand(trialProbeCommand());
}
