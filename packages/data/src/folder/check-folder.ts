// A report on a feature folder: sizes, class counts, ranges, and everything that is wrong or odd, as plain data.
import { MerclabError, SPLITS, type Split } from "@merclab/core";
import { readCorpus } from "./corpus.ts";
import { type DescribedFolder, describeFolder, type KnownSet } from "./described-folder.ts";
import { numSpeakers } from "./description.ts";
import type { DialogueRows } from "./dialogues.ts";
import type { Features } from "./features.ts";
import { asDescribed, withValidation } from "./load-folder.ts";
import type { Problem } from "./problems.ts";
import { classCounts } from "./validation.ts";
import { absentClasses } from "./warnings.ts";

export interface SplitReport {
  readonly dialogues: number;
  readonly utterances: number;
  /** Utterances of the longest dialogue. */
  readonly longest: number;
  /** Utterances per class, in the order of `classes`. */
  readonly classCounts: readonly number[];
}

export interface ModalityReport {
  readonly name: string;
  readonly width: number;
  /** Over all observed values, as stored. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Columns that hold one value only, by position. */
  readonly constantColumns: readonly number[];
  /** Rows of the features. */
  readonly utterances: number;
  /** Utterances without this modality. */
  readonly missing: number;
}

export interface FolderReport {
  readonly folder: string;
  /** File that describes the folder. */
  readonly describedIn: string;
  readonly name: string;
  readonly classes: readonly string[];
  readonly numSpeakers: number;
  /** The validation part as a trial would get it. Absent when the tables are unusable. */
  readonly splits?: Readonly<Record<Split, SplitReport>>;
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
export async function checkFolder(folder: string, knownSet?: KnownSet): Promise<FolderReport> {
  const described = await describeFolder(folder, knownSet);
  const { description, describedIn } = described;
  const corpus = await readCorpus(described, Object.keys(description.modalities));
  const problems = [...corpus.problems];
  const dialogues = corpus.dialogues && partsOf(described, corpus.dialogues, problems);
  const modalities = corpus.features.map(reportModality);
  const { classes } = description.labels;
  const splits = dialogues && reportSplits(dialogues, classes.length);
  return {
    folder,
    describedIn,
    name: description.name,
    classes,
    numSpeakers: numSpeakers(description),
    ...(splits === undefined ? {} : { splits }),
    modalities,
    problems,
    warnings: [...(splits === undefined ? [] : splitWarnings(splits, classes)), ...modalityWarnings(modalities)],
  };
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

function reportSplits(dialogues: readonly DialogueRows[], numClasses: number): Record<Split, SplitReport> {
  const report = (split: Split): SplitReport => {
    const part = dialogues.filter((dialogue) => dialogue.split === split);
    const lengths = part.map(({ utterances }) => utterances.length);
    const labels = part.map(({ utterances }) => ({ labels: Int32Array.from(utterances, ({ label }) => label) }));
    return {
      dialogues: part.length,
      utterances: lengths.reduce((sum, length) => sum + length, 0),
      longest: Math.max(0, ...lengths),
      classCounts: classCounts(labels, numClasses),
    };
  };
  return { train: report("train"), valid: report("valid"), test: report("test") };
}

function reportModality({ name, dim, data, present }: Features): ModalityReport {
  const low = new Float64Array(dim).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(dim).fill(Number.NEGATIVE_INFINITY);
  let sum = 0;
  let observed = 0;
  present.forEach((flag, row) => {
    if (flag === 0) {
      return;
    }
    observed++;
    for (let column = 0; column < dim; column++) {
      const value = data[row * dim + column] ?? 0;
      low[column] = Math.min(low[column] ?? 0, value);
      high[column] = Math.max(high[column] ?? 0, value);
      sum += value;
    }
  });
  const some = observed > 0;
  return {
    name,
    width: dim,
    min: some ? Math.min(...low) : 0,
    max: some ? Math.max(...high) : 0,
    mean: some ? sum / (observed * dim) : 0,
    constantColumns: [...low.keys()].filter((column) => low[column] === high[column]),
    utterances: present.length,
    missing: present.length - observed,
  };
}

function splitWarnings(splits: Readonly<Record<Split, SplitReport>>, classes: readonly string[]): string[] {
  return SPLITS.flatMap((split) => {
    const { classCounts: counts, dialogues } = splits[split];
    return dialogues === 0 ? [] : absentClasses(split, counts, classes);
  });
}

function modalityWarnings(modalities: readonly ModalityReport[]): string[] {
  return modalities.flatMap(({ name, width, constantColumns, utterances, missing }) => [
    ...(constantColumns.length === 0 ? [] : [`${name}: ${constantColumns.length} of ${width} columns are constant`]),
    ...(missing === 0 ? [] : [`${name}: ${missing} of ${utterances} utterances lack it`]),
  ]);
}
