// `exp diff`: what differs between two runs, or two methods over seeds, down to the utterance.
import { writeFile } from "node:fs/promises";
import { MerclabError } from "@merclab/core";
import {
  axisValue,
  type Block,
  type Contest,
  compareMethods,
  type Method,
  type MethodComparison,
  pairBySeed,
  readStudyMaterial,
  type SpeakerSource,
  type StudyTrial,
} from "@merclab/report";
import type { StoredTrial } from "@merclab/runner";
import { Command } from "commander";
import { comparisonText, flipsCsv } from "../diff-text.ts";
import { findTrial } from "../find-trials.ts";
import { printJson, printNote, printText } from "../output.ts";
import { openSite } from "../site.ts";
import { createSpeakerSource } from "../speakers.ts";
import { trialLabel } from "../trial-label.ts";

interface DiffOptions {
  readonly runs: string;
  readonly data?: string;
  readonly csv?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ exp diff 28b7 7fed                               two runs, by the beginnings of their ids
  $ exp diff four-way fusion=sdt fusion=lmam         two methods, over the seeds of both
  $ exp diff ranks fusion=lmam,fusion.lmam.rank=4 fusion=sdt
  $ exp diff 28b7 7fed --csv flips.csv               every utterance that one has right and the other wrong`;

export function diffCommand(): Command {
  return new Command("diff")
    .description("Show what differs between two runs, or two methods of an experiment: config, scores, utterances")
    .argument("<first>", "id of a run or its beginning; or an experiment, followed by two methods")
    .argument("<second>", "another run; or what the first method chose: key=value[,key=value]")
    .argument("[third]", "what the second method chose")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--data <dir>", "data root, which says who spoke (default: MERCLAB_DATA, data/, ../shared/data)")
    .option("--csv <file>", "write the utterances on which they differ")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(diff);
}

async function diff(first: string, second: string, third: string | undefined, options: DiffOptions): Promise<void> {
  const site = await openSite(options);
  const { runs } = site.places;
  const contests =
    third === undefined ? [await runContest(runs, first, second)] : await methodContests(runs, first, second, third);
  const speakersOf = createSpeakerSource(site, printNote);
  const comparisons: MethodComparison[] = [];
  for (const contest of contests) {
    comparisons.push(await compareMethods({ ...contest, speakers: await speakersFor(contest, speakersOf) }));
  }
  if (options.csv !== undefined) {
    await writeCsv(options.csv, flipsCsv(comparisons));
  }
  if (options.json === true) {
    printJson(comparisons);
  } else {
    printText(comparisons.map(comparisonText).join("\n\n"));
  }
}

async function speakersFor({ pairs }: Contest, speakersOf: SpeakerSource) {
  const [pair] = pairs;
  return pair === undefined ? undefined : speakersOf(pair[0]);
}

/** Two single runs. */
async function runContest(runs: string, first: string, second: string): Promise<Contest> {
  const [one, other] = [done(await findTrial(runs, first)), done(await findTrial(runs, second))];
  if (one.spec.data.fingerprint !== other.spec.data.fingerprint) {
    const name = ({ spec }: StoredTrial) => `${spec.config.dataset.name} ${spec.data.fingerprint}`;
    throw new MerclabError("config", `runs ${one.spec.id} and ${other.spec.id} are about different data`, {
      where: `${name(one)} and ${name(other)}`,
      hint: "Only runs on the same data can be compared utterance by utterance.",
    });
  }
  const { task } = one.spec;
  return {
    dataset: String(one.spec.cell.dataset ?? one.spec.config.dataset.name),
    task: task ?? { type: "single-label", classes: one.result?.classes ?? [] },
    names: distinctNames(trialLabel(one.spec), trialLabel(other.spec), one.spec.id, other.spec.id),
    pairs: [[one, other]],
  };
}

function done(trial: StoredTrial): StoredTrial {
  if (trial.result === undefined) {
    throw new MerclabError("config", `run ${trial.spec.id} has no result (${trial.status?.state ?? "planned"})`, {
      where: trial.folder,
      hint: `Finish it first: exp run ${trial.spec.experiment}`,
    });
  }
  return trial;
}

/** Runs of two studies may have the same label. */
function distinctNames(first: string, second: string, firstId: string, secondId: string): [string, string] {
  return first === second ? [`${first} (${firstId})`, `${second} (${secondId})`] : [first, second];
}

/** Two methods of a study, data set by data set. */
async function methodContests(runs: string, experiment: string, first: string, second: string): Promise<Contest[]> {
  const { blocks } = await readStudyMaterial(runs, experiment);
  const [one, other] = [parseChoices(first), parseChoices(second)];
  const contests = blocks.flatMap((block): Contest[] => {
    const [a, b] = [chosenMethod(block, first, one), chosenMethod(block, second, other)];
    if (a === undefined || b === undefined) {
      return [];
    }
    const pairs = pairBySeed(a, b);
    return pairs.length === 0 ? [] : [{ dataset: block.dataset, task: block.task, names: [a.label, b.label], pairs }];
  });
  if (contests.length === 0) {
    const labels = [...new Set(blocks.flatMap(({ methods }) => methods.map(({ label }) => label)))];
    throw new MerclabError("config", `no data set has runs with the same seed of both ${first} and ${second}`, {
      where: experiment,
      hint: `The methods of ${experiment} are: ${labels.join(", ")}.`,
    });
  }
  return contests;
}

function parseChoices(text: string): [string, string][] {
  return text.split(",").map((part) => {
    const at = part.indexOf("=");
    if (at < 1) {
      throw new MerclabError("config", `"${text}" is no choice of a method`, {
        hint: "Write key=value[,key=value], e.g. fusion=lmam,fusion.lmam.rank=4.",
      });
    }
    return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
}

/** @throws MerclabError `config` where several methods fit */
function chosenMethod(block: Block, text: string, choices: readonly [string, string][]): Method | undefined {
  const fits = ({ spec }: StudyTrial) => choices.every(([axis, value]) => String(axisValue(spec, axis)) === value);
  const found = block.methods.filter(({ trials }) => trials.every(fits));
  if (found.length > 1) {
    throw new MerclabError("config", `${text} fits ${found.length} methods on ${block.dataset}`, {
      where: found.map(({ label }) => label).join(", "),
      hint: "Add what tells them apart: key=value,key=value.",
    });
  }
  return found[0];
}

async function writeCsv(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new MerclabError("storage", `cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
}
