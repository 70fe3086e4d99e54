// `exp resume`: what is missing of a study, the way it was run or submitted before.
import { MerclabError } from "@merclab/core";
import { readStudy } from "@merclab/runner";
import { Command } from "commander";
import { findPlaces } from "../places.ts";
import { parseRunArguments, run } from "./run.ts";

const EXAMPLES = `
Examples:
  $ exp resume sdt-vs-lmam                           as it was run or submitted the last time
  $ exp resume sdt-vs-lmam launcher.mem=32G          with other options of its launcher
  $ exp resume sdt-vs-lmam launcher.throttle=4       on Slurm: arrays that wait run four at a time from now on`;

interface ResumeOptions {
  readonly runs: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** Trials that may be submitted; all when absent. */
  readonly only?: ReadonlySet<string>;
}

export function resumeCommand(): Command {
  return new Command("resume")
    .description("Train or submit what is missing of a study, as it was run or submitted before")
    .argument("<experiment>", "an experiment that ran or was submitted")
    .argument("[overrides...]", "launcher.KEY=VALUE: other options of the launcher")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--dry-run", "with a launcher: print what would be submitted")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, overrides: string[], options: ResumeOptions) => {
      process.exitCode = await resume(name, overrides, options);
    });
}

/** @returns exit code */
export async function resume(name: string, overrides: readonly string[], options: ResumeOptions): Promise<number> {
  const stray = overrides.find((override) => !override.startsWith("launcher."));
  if (stray !== undefined) {
    throw new MerclabError("config", `"${stray}" would make another study`, {
      where: `command line: ${stray}`,
      hint: `exp resume takes options of the launcher only; to change the study: exp run ${name} ${stray}`,
    });
  }
  const study = await readStudy(findPlaces({ runs: options.runs }).runs, name);
  if (study.arguments === undefined) {
    throw new MerclabError("config", "the study was stored by an older version, which did not keep how it was run", {
      hint: `Type it again: ${study.command}`,
    });
  }
  const given = await parseRunArguments(study.arguments);
  const { dryRun, json, only } = options;
  return run(given.name, [...given.overrides, ...overrides], {
    ...given.options,
    runs: options.runs,
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(json === undefined ? {} : { json }),
    ...(only === undefined ? {} : { only }),
  });
}
