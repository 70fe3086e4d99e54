// A feature folder as a dataset: read, checked, validation part drawn, normalised, test labels sealed.
import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { type FeatureScale, type LoadedDataset, MerclabError, type Split, suggestName } from "@merclab/core";
import { type LabelledDialogue, sealDataset } from "../seal.ts";
import { type Corpus, readCorpus } from "./corpus.ts";
import { type DescribedFolder, describeFolder, type KnownSet } from "./described-folder.ts";
import {
  DEFAULT_CLIP,
  DEFAULT_VALIDATION,
  type FolderDescription,
  numSpeakers,
  type ObservedDescription,
  withTarget,
} from "./description.ts";
import { type DialogueRows, dialogueLabels } from "./dialogues.ts";
import { foldsOf, type SplitRule, withFold } from "./folds.ts";
import { fittedOnTest } from "./leaks.ts";
import { fitScale, normalizedRows } from "./normalize.ts";
import { findFile } from "./paths.ts";
import { type Problem, throwProblems } from "./problems.ts";
import { strataOf } from "./strata.ts";
import { taskOfTarget } from "./target.ts";
import { drawValidation } from "./validation.ts";
import { absentClasses } from "./warnings.ts";

/** What a trial may change about a folder; null = as its description says. */
export interface FolderOptions {
  readonly modalities: readonly string[] | null;
  readonly validFraction: number | null;
  readonly validSeed: number | null;
  readonly normalize: "standardize" | "none" | null;
  /** Parts of one's own; null = the official ones. */
  readonly split?: SplitRule | null;
  /** Which of the folder's `targets` is predicted; null = its `labels`. */
  readonly target?: string | null;
  /** Whether features stay in their files and are read with each batch; null = where they would fill the memory. */
  readonly stream?: boolean | null;
}

export interface LoadedFolder extends LoadedDataset {
  /** What is odd, but no reason not to train. */
  readonly warnings: readonly string[];
}

export const asDescribed: FolderOptions = { modalities: null, validFraction: null, validSeed: null, normalize: null };

/** @throws MerclabError `data` that tells everything that is wrong with the folder, `config` for its description */
export async function loadFolder(
  folder: string,
  options: FolderOptions = asDescribed,
  knownSet?: KnownSet,
): Promise<LoadedFolder> {
  const found = await describeFolder(folder, knownSet);
  const { describedIn } = found;
  const described = { ...found, description: withTarget(found.description, options.target ?? null, describedIn) };
  const modalities = chooseModalities(described, options.modalities);
  const streamed = options.stream ?? (await fillsMemory(described, modalities));
  const corpus = await readCorpus(described, modalities, streamed);
  throwProblems(folder, corpus.problems);
  const warnings: string[] = [];
  const { unsealed, scales } = assemble(described, corpus, options, streamed, warnings);
  const loaded = sealDataset(unsealed);
  const { trainClassCounts, task } = loaded.dataset;
  return { ...loaded, scales, warnings: [...warnings, ...absentClasses("train", trainClassCounts, task)] };
}

function chooseModalities(
  { description, describedIn }: DescribedFolder,
  wanted: readonly string[] | null,
): readonly string[] {
  const known = Object.keys(description.modalities);
  for (const [at, name] of (wanted ?? []).entries()) {
    if (!known.includes(name)) {
      throw new MerclabError("data", `dataset ${description.name} has no modality "${name}"`, {
        where: "option modalities",
        hint: suggestName(name, known),
      });
    }
    if (wanted?.indexOf(name) !== at) {
      throw new MerclabError("config", `modality "${name}" is listed twice`, { where: "option modalities" });
    }
  }
  if (known.length === 0) {
    throw new MerclabError("data", "the folder has no features to train on", {
      where: describedIn,
      hint: 'Name files under "modalities" in dataset.yaml, or make text features with exp data text.',
    });
  }
  return wanted ?? known;
}

function assemble(
  described: DescribedFolder,
  corpus: Corpus,
  options: FolderOptions,
  streamed: boolean,
  warnings: string[],
): { readonly unsealed: Parameters<typeof sealDataset>[0]; readonly scales: Record<string, FeatureScale> } {
  const { description } = described;
  const { tables = [] } = corpus;
  const dialogues = withValidation(described, withSplit(described, corpus, options.split ?? null), options);
  const seen: Problem[] = [];
  warnings.push(...fittedOnTest(description, dialogues, tables, described.describedIn, seen));
  warnings.push(...seen.map(({ message }) => message));
  const fitRows = dialogues
    .filter(({ split }) => split === "train")
    .flatMap(({ utterances }) => utterances.map(({ row }) => row));
  const rule = normalizeRule(description, options);
  const features = corpus.features.map((modality) => ({ modality, scale: fitScale(modality, fitRows, rule) }));
  const task = taskOfTarget(description.labels);
  const part = (split: Split): LabelledDialogue[] =>
    dialogues
      .filter((dialogue) => dialogue.split === split)
      .map(({ id, utterances, speakers }) => {
        const rows = utterances.map(({ row }) => row);
        return {
          id,
          utteranceIds: utterances.map((utterance) => utterance.id),
          features: dialogueFeatures(
            features.map(({ modality, scale }) => [modality.name, () => normalizedRows(modality, rows, scale)]),
            streamed,
          ),
          present: Object.fromEntries(
            features.map(({ modality }) => [modality.name, Uint8Array.from(rows, (row) => modality.present[row] ?? 0)]),
          ),
          speakers,
          labels: dialogueLabels(task, { utterances }),
        };
      });
  return {
    unsealed: {
      name: description.name,
      source: "real",
      task,
      modalities: corpus.features.map(({ name, dim }) => ({ name, dim })),
      numSpeakers: numSpeakers(description),
      splits: { train: part("train"), valid: part("valid"), test: part("test") },
    },
    scales: Object.fromEntries(
      features.flatMap(({ modality, scale }) => (scale === undefined ? [] : [[modality.name, scale]])),
    ),
  };
}

function withSplit(
  { description, describedIn }: DescribedFolder,
  { dialogues = [], tables = [] }: Corpus,
  split: SplitRule | null,
): readonly DialogueRows[] {
  if (split === null) {
    return dialogues;
  }
  return withFold(dialogues, foldsOf(description, describedIn, dialogues, tables, split), split.fold);
}

/** The dialogues with a validation part: the official one, or one drawn from train. */
export function withValidation(
  { description, describedIn }: DescribedFolder,
  dialogues: readonly DialogueRows[],
  { validFraction, validSeed }: Pick<FolderOptions, "validFraction" | "validSeed">,
): readonly DialogueRows[] {
  const { validation } = description;
  const asked = validFraction !== null || validSeed !== null || (validation !== undefined && validation !== "official");
  if (dialogues.some(({ split }) => split === "valid")) {
    if (asked) {
      const where = validFraction === null && validSeed === null ? describedIn : "options validFraction, validSeed";
      throw new MerclabError("config", `dataset ${description.name} has an official validation part, none is drawn`, {
        where,
        hint: "To draw one, let splits.values.train in dataset.yaml list the values of both parts.",
      });
    }
    return dialogues;
  }
  const described = typeof validation === "object" ? validation : DEFAULT_VALIDATION;
  const rule = { fraction: validFraction ?? described.fraction, seed: validSeed ?? described.seed };
  const task = taskOfTarget(description.labels);
  const strata = strataOf(task);
  const train = dialogues
    .filter(({ split }) => split === "train")
    .map((dialogue) => ({ id: dialogue.id, counts: strata.count(dialogueLabels(task, dialogue)) }));
  try {
    const drawn = drawValidation(train, rule);
    return dialogues.map((dialogue) =>
      drawn.has(dialogue.id)
        ? { ...dialogue, split: "valid", official: dialogue.official ?? dialogue.split }
        : dialogue,
    );
  } catch (cause) {
    throw new MerclabError("data", (cause as Error).message, { where: describedIn, cause });
  }
}

function normalizeRule(description: FolderDescription, { normalize }: FolderOptions): FolderDescription["normalize"] {
  if (normalize === null || (normalize === "standardize" && description.normalize !== "none")) {
    return description.normalize;
  }
  return normalize === "none" ? "none" : { method: "standardize", clip: DEFAULT_CLIP };
}

/** Arrays by modality; where they are streamed, read each time they are asked for. */
export function dialogueFeatures(
  entries: readonly (readonly [name: string, read: () => Float32Array])[],
  streamed: boolean,
): Record<string, Float32Array> {
  if (!streamed) {
    return Object.fromEntries(entries.map(([name, read]) => [name, read()]));
  }
  const features: Record<string, Float32Array> = {};
  for (const [name, read] of entries) {
    Object.defineProperty(features, name, { get: read, enumerable: true });
  }
  return features;
}

/** Share of the machine's memory that features may take. */
const MEMORY_SHARE = 0.25;

export async function fillsMemory(
  { folder, description }: DescribedFolder<ObservedDescription>,
  modalities: readonly string[],
): Promise<boolean> {
  let bytes = 0;
  for (const name of modalities) {
    const files = description.modalities[name]?.file ?? [];
    for (const file of typeof files === "string" ? [files] : Object.values(files)) {
      const path = file === undefined ? {} : await findFile(folder, file);
      bytes += typeof path === "string" ? statSync(path).size : 0;
    }
  }
  // As stored, and normalised.
  return 2 * bytes > MEMORY_SHARE * totalmem();
}
