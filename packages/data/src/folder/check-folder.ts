// A report on a feature folder: sizes, class counts, ranges, and everything that is wrong or odd, as plain data.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { MerclabError, SPLITS, type Split, type Task } from "@merclab/core";
import { readCorpus } from "./corpus.ts";
import { type DescribedFolder, describeFolder, type KnownSet } from "./described-folder.ts";
import { type FolderDescription, numSpeakers, withTarget } from "./description.ts";
import { type DialogueRows, dialogueLabels } from "./dialogues.ts";
import { brokenMeldClips } from "./known-clips.ts";
import {
  columnOf,
  fittedOnTest,
  repeatedAcrossParts,
  repeatedSentences,
  type SharedSpeakers,
  sharedSpeakers,
} from "./leaks.ts";
import { asDescribed, withValidation } from "./load-folder.ts";
import { examineModality, type ModalityReport } from "./modality-report.ts";
import { findFile } from "./paths.ts";
import type { Problem } from "./problems.ts";
import { strataOf, sumCounts } from "./strata.ts";
import { taskOfTarget } from "./target.ts";
import { absentClasses } from "./warnings.ts";

export interface SplitReport {
  readonly dialogues: number;
  readonly utterances: number;
  /** Utterances of the shortest and the longest dialogue, and on average. */
  readonly shortest: number;
  readonly longest: number;
  readonly meanLength: number;
  /** Dialogues of one utterance: they have no context. */
  readonly single: number;
  /** Utterances per class or label, or with scores round a whole number, in the order of `classes`. */
  readonly classCounts: readonly number[];
}

export interface FolderReport {
  readonly folder: string;
  /** File that describes the folder. */
  readonly describedIn: string;
  readonly name: string;
  readonly task: Task;
  /** What utterances are counted by: classes, labels that hold, or scores by whole numbers. */
  readonly classes: readonly string[];
  readonly numSpeakers: number;
  /** The validation part as a trial would get it. Absent when the tables are unusable. */
  readonly splits?: Readonly<Record<Split, SplitReport>>;
  /** Of the evaluated parts; empty where speakers are roles or unknown. */
  readonly sharedSpeakers: readonly SharedSpeakers[];
  /** Where the folder was imported from. */
  readonly provenance?: FolderDescription["provenance"];
  /** Usable modalities. */
  readonly modalities: readonly ModalityReport[];
  /** The folder cannot be loaded until these are gone. */
  readonly problems: readonly Problem[];
  /** Odd, but it can be loaded. */
  readonly warnings: readonly string[];
}

/**
 * Reads a folder and reports. Problems of tables and features are listed in the report.
 *
 * @throws MerclabError `data` without a folder or a description, `config` when the description is wrong
 */
export async function checkFolder(
  folder: string,
  knownSet?: KnownSet,
  target: string | null = null,
): Promise<FolderReport> {
  const found = await describeFolder(folder, knownSet);
  const { describedIn } = found;
  const description = withTarget(found.description, target, describedIn);
  const described = { ...found, description };
  const corpus = await readCorpus(described, Object.keys(description.modalities), true);
  const problems = [...corpus.problems, ...(await checkSums(described))];
  const dialogues = corpus.dialogues && partsOf(described, corpus.dialogues, problems);
  const examined = corpus.features.map(examineModality);
  for (const { close } of corpus.features) {
    close();
  }
  const modalities = examined.map(({ report }) => report);
  const task = taskOfTarget(description.labels);
  const splits = dialogues && reportSplits(dialogues, task);
  const tables = corpus.tables ?? [];
  const sentences = description.columns.text === undefined ? undefined : columnOf(tables, description.columns.text);
  const speakers = dialogues === undefined ? [] : sharedSpeakers(dialogues, description.speakers !== undefined);
  const { provenance } = description;
  return {
    folder,
    describedIn,
    name: description.name,
    task,
    classes: strataOf(task).names,
    numSpeakers: numSpeakers(description),
    ...(splits === undefined ? {} : { splits }),
    sharedSpeakers: speakers,
    ...(provenance === undefined ? {} : { provenance }),
    modalities,
    warnings: [
      ...(splits === undefined ? [] : splitWarnings(splits, task)),
      ...modalityWarnings(modalities),
      ...(dialogues === undefined
        ? []
        : [
            ...fittedOnTest(description, dialogues, tables, describedIn, problems),
            ...repeatedAcrossParts(
              dialogues,
              examined.map(({ rowPrints }) => rowPrints),
            ),
            ...(sentences === undefined ? [] : repeatedSentences(dialogues, sentences)),
            ...meldWarnings(description.name, dialogues),
          ]),
      ...speakers.flatMap(({ split, shared, speakers: all }) =>
        shared === 0 ? [] : [`${shared} of ${all} speakers of ${split} speak in train, too`],
      ),
      ...tables.flatMap(({ table }) =>
        table.encoding === "utf-8" ? [] : [`${table.file} is in Windows-1252, not UTF-8`],
      ),
      ...(modalities.length === 0 && problems.length === 0
        ? ["no features yet: exp data text makes text features, exp data import --features adds files"]
        : []),
    ],
    problems,
  };
}

/** Files whose content is not that of the day they were written. */
async function checkSums({ folder, description, describedIn }: DescribedFolder): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [file, expected] of Object.entries(description.checksums ?? {})) {
    const path = await findFile(folder, file);
    if (typeof path !== "string") {
      continue; // told already where it is needed
    }
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
    }
    if (hash.digest("hex") !== expected) {
      problems.push({
        message: `${file} is not the file that was written: its checksum differs`,
        where: path,
        hint: `If it was changed on purpose, remove its line under checksums in ${describedIn}.`,
      });
    }
  }
  return problems;
}

function meldWarnings(name: string, dialogues: readonly DialogueRows[]): string[] {
  const clips = /^meld/i.test(name) ? brokenMeldClips(dialogues) : [];
  return clips.length === 0
    ? []
    : [`clips of MELD that are known to be broken: ${clips.join(", ")}; some pipelines drop them`];
}

function partsOf(
  described: DescribedFolder,
  dialogues: readonly DialogueRows[],
  problems: Problem[],
): readonly DialogueRows[] {
  if (problems.length > 0) {
    return dialogues; // nothing is drawn from a part that is in question
  }
  try {
    return withValidation(described, dialogues, asDescribed);
  } catch (error) {
    if (!(error instanceof MerclabError)) {
      throw error;
    }
    const { message, where, hint } = error;
    problems.push({ message, ...(where === undefined ? {} : { where }), ...(hint === undefined ? {} : { hint }) });
    return dialogues;
  }
}

function reportSplits(dialogues: readonly DialogueRows[], task: Task): Record<Split, SplitReport> {
  const strata = strataOf(task);
  const report = (split: Split): SplitReport => {
    const part = dialogues.filter((dialogue) => dialogue.split === split);
    const lengths = part.map(({ utterances }) => utterances.length);
    const counts = part.map((dialogue) => strata.count(dialogueLabels(task, dialogue)));
    return {
      dialogues: part.length,
      utterances: lengths.reduce((sum, length) => sum + length, 0),
      shortest: lengths.reduce((least, length) => Math.min(least, length), lengths[0] ?? 0),
      longest: lengths.reduce((most, length) => Math.max(most, length), 0),
      meanLength: lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length),
      single: lengths.filter((length) => length === 1).length,
      classCounts: sumCounts(counts, strata.names.length),
    };
  };
  return { train: report("train"), valid: report("valid"), test: report("test") };
}

function splitWarnings(splits: Readonly<Record<Split, SplitReport>>, task: Task): string[] {
  return SPLITS.flatMap((split) => {
    const { classCounts: counts, dialogues } = splits[split];
    return dialogues === 0 ? [] : absentClasses(split, counts, task);
  });
}

function modalityWarnings(modalities: readonly ModalityReport[]): string[] {
  return modalities.flatMap((each) => {
    const { name, width, constantColumns, duplicateColumns, utterances, missing, zeroVectors } = each;
    return [
      ...(constantColumns.length === 0 ? [] : [`${name}: ${constantColumns.length} of ${width} columns are constant`]),
      ...(duplicateColumns.length === 0
        ? []
        : [`${name}: ${duplicateColumns.length} of ${width} columns repeat another`]),
      ...(missing === 0 ? [] : [`${name}: ${missing} of ${utterances} utterances lack it`]),
      ...(zeroVectors === 0 ? [] : [`${name}: ${zeroVectors} vectors are all zeros: most likely it is missing there`]),
    ];
  });
}
