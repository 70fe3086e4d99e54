// `exp data split`: the folds of a folder, to look at before they are trained on.
import { listFolds, SPLIT_KINDS } from "@merclab/data";
import { Command, InvalidArgumentError, Option } from "commander";
import { columns, printJson, printText } from "../output.ts";
import { knownSet } from "./data-sets.ts";

interface Options {
  readonly by: (typeof SPLIT_KINDS)[number];
  readonly folds?: number;
  readonly seed: number;
  readonly json?: boolean;
}

const HELP = `
Dialogues are never torn apart. In an experiment: dataset.iemocap.split: { by: session, fold: 0 }, and fold 0 to 4 in the
matrix for leave-one-session-out.

Examples:
  $ exp data split data/iemocap --by session
  $ exp data split data/meld --by dialogue --folds 5 --seed 1`;

export function splitCommand(): Command {
  return new Command("split")
    .description("Show the folds of a feature folder: by session, by speaker, or k-fold by dialogue")
    .argument("<dir>", "a feature folder, or one of a known set")
    .addOption(new Option("--by <what>", "what is never torn apart").choices(SPLIT_KINDS).makeOptionMandatory())
    .option("--folds <k>", "number of folds; without it one per session or group of speakers", whole(2))
    .option("--seed <n>", "how groups are dealt to folds", whole(0), 0)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", HELP)
    .action(async (dir: string, { by, folds, seed, json }: Options) => {
      const { folder, known } = knownSet(dir);
      const report = await listFolds(folder, { by, folds: folds ?? null, seed }, known);
      if (json === true) {
        printJson({ by, seed, ...report });
        return;
      }
      const rows = report.folds.map((fold) => [
        String(fold.fold),
        fold.groups.length > 3
          ? `${fold.groups.slice(0, 3).join(", ")}, … (${fold.groups.length})`
          : fold.groups.join(", "),
        String(fold.dialogues),
        String(fold.utterances),
        ...fold.classCounts.map(String),
        `${fold.official.train} / ${fold.official.valid} / ${fold.official.test}`,
      ]);
      const header = ["fold", by, "dialogues", "utterances", ...report.classes, "officially train / valid / test"];
      printText(columns([header, ...rows]));
    });
}

function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
    }
    return value;
  };
}
