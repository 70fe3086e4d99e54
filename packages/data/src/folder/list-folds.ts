// The folds of a folder as plain data, to look at before they are trained on.

import type { Split } from "@merclab/core";
import { readCorpus } from "./corpus.ts";
import { describeFolder, type KnownSet } from "./described-folder.ts";
import { dialogueLabels } from "./dialogues.ts";
import { foldsOf, partCounts, type SplitRule } from "./folds.ts";
import { throwProblems } from "./problems.ts";
import { strataOf, sumCounts } from "./strata.ts";
import { taskOfTarget } from "./target.ts";

export interface FoldReport {
  readonly fold: number;
  /** Names of what is in it: sessions, speakers, dialogues. */
  readonly groups: readonly string[];
  readonly dialogues: number;
  readonly utterances: number;
  readonly classCounts: readonly number[];
  /** Dialogues by the part that the folder tells. */
  readonly official: Readonly<Record<Split, number>>;
}

/** @throws MerclabError `data`, `config` */
export async function listFolds(
  folder: string,
  rule: Omit<SplitRule, "fold">,
  knownSet?: KnownSet,
): Promise<{ readonly classes: readonly string[]; readonly folds: readonly FoldReport[] }> {
  const described = await describeFolder(folder, knownSet);
  const corpus = await readCorpus(described, [], true);
  throwProblems(folder, corpus.problems);
  const { description, describedIn } = described;
  const task = taskOfTarget(description.labels);
  const strata = strataOf(task);
  const folds = foldsOf(description, describedIn, corpus.dialogues ?? [], corpus.tables ?? [], rule);
  return {
    classes: strata.names,
    folds: folds.map((fold, at) => ({
      fold: at,
      groups: fold.groups,
      dialogues: fold.dialogues.length,
      utterances: fold.dialogues.reduce((sum, { utterances }) => sum + utterances.length, 0),
      classCounts: sumCounts(
        fold.dialogues.map((dialogue) => strata.count(dialogueLabels(task, dialogue))),
        strata.names.length,
      ),
      official: partCounts(fold),
    })),
  };
}
