// `exp stress`: what a trained model does when modalities are missing, noisy or mixed up.
import { MerclabError, metricDescriptor } from "@merclab/core";
import {
  aggregateStress,
  readStress,
  STRESS_DEFAULTS,
  type StoredTrial,
  type StressFile,
  type StressOptions,
  stressTrial,
} from "@merclab/runner";
import { Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { findTrials } from "../find-trials.ts";
import { printJson, printNote, printText, wrapWords } from "../output.ts";
import { openSite, type Site } from "../site.ts";
import { stressText } from "../stress-text.ts";
import { createTicker } from "../ticker.ts";
import { trialLabel } from "../trial-label.ts";
import { parseCount, parseWhole } from "./parse-numbers.ts";

/** Columns of the definition below the tables. */
const TEXT_WIDTH = 100;

interface Options {
  readonly data?: string;
  readonly runs: string;
  readonly metric?: string;
  readonly draws: number;
  readonly seed: number;
  readonly noise: readonly number[];
  readonly threads?: number;
  readonly again?: boolean;
  readonly json?: boolean;
}

export function stressCommand(): Command {
  return new Command("stress")
    .description("Test trained models with modalities removed, missing at random, noisy or mixed up")
    .argument("<run>", "id of a trial, the beginning of one, or an experiment")
    .argument("[filters...]", "of an experiment only these trials: fusion=sdt dataset=iemocap seed=0,1")
    .option("--data <dir>", "data root (default: MERCLAB_DATA, data/, ../shared/data)")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--metric <name>", "what the text shows (default: the usual one of the task); all are stored")
    .option("--draws <n>", "draws of each random condition", parseCount, STRESS_DEFAULTS.draws)
    .option("--seed <n>", "of the draws, the same for every trial", parseWhole, STRESS_DEFAULTS.seed)
    .option("--noise <levels>", "deviations of the noise, in those of each feature", parseLevels, [
      ...STRESS_DEFAULTS.noiseLevels,
    ])
    .option("--threads <n>", "threads (default: one per core, where the engine uses several)", parseCount)
    .option("--again", "test again what was tested with the same options")
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      "\nEach trial keeps its scores in stress.json. Test labels are read once all predictions are made, which the file" +
        "\nrecords.\n\nExamples:\n  $ exp stress 3f2a\n  $ exp stress sdt-vs-lmam fusion=sdt,lmam dataset=cmu-mosi\n" +
        "  $ exp stress sdt-vs-lmam --draws 20 --metric accuracy",
    )
    .action(stress);
}

async function stress(name: string, filters: string[], options: Options): Promise<void> {
  const metric = options.metric;
  if (metric !== undefined) {
    metricDescriptor(metric);
  }
  const site = await openSite(options);
  const trials = await findTrials(site.places.runs, name, filters);
  const stressed: { spec: StoredTrial["spec"]; stress: StressFile }[] = [];
  for (const trial of trials) {
    stressed.push({ spec: trial.spec, stress: await stressOnce(trial, options, site) });
  }
  const groups = aggregateStress(stressed);
  for (const { conditions, cell } of groups) {
    const known = Object.keys(conditions[0]?.scores ?? {});
    if (metric !== undefined && !known.includes(metric)) {
      throw new MerclabError("config", `${String(cell.dataset)} is not scored by ${metric}`, {
        where: "command line: --metric",
        hint: `One of ${known.join(", ")}.`,
      });
    }
  }
  if (options.json === true) {
    printJson({ groups, trials: stressed.map(({ stress }) => stress) });
    return;
  }
  const definition = wrapWords(stressed[0]?.stress.summary.definition ?? "", TEXT_WIDTH).map((line) => pc.dim(line));
  printText(
    [...groups.map((group) => stressText(group, metric ?? group.metric)), definition.join("\n")].join("\n\n\n"),
  );
}

/** What is stored, where it was made with the same options; else the test, which stores it. */
async function stressOnce({ folder, spec }: StoredTrial, options: Options, site: Site): Promise<StressFile> {
  const wanted: StressOptions = {
    draws: options.draws,
    seed: options.seed,
    noiseLevels: options.noise,
    missingRates: STRESS_DEFAULTS.missingRates,
  };
  const stored = await readStress(folder);
  if (options.again !== true && JSON.stringify(stored?.options) === JSON.stringify(wanted) && stored !== undefined) {
    return stored;
  }
  const started = performance.now();
  const ticker = createTicker(trialLabel(spec));
  const file = await stressTrial(folder, wanted, {
    registry: site.registry,
    dataRoot: site.places.dataRoot,
    threads: options.threads,
    onProgress: ticker.show,
  }).finally(ticker.end);
  printNote(`✓ ${trialLabel(spec)}  ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return file;
}

function parseLevels(text: string): number[] {
  const levels = text.split(",").map((each) => (each.trim() === "" ? Number.NaN : Number(each)));
  if (!levels.every((level) => level > 0 && Number.isFinite(level))) {
    throw new InvalidArgumentError("It must be numbers above 0, such as 0.5,1,2.");
  }
  return levels;
}
