// A feature folder as a dataset: read, checked, validation part drawn, normalised, test labels sealed.
import { type LoadedDataset, MerclabError, type Split, suggestName } from "@merclab/core";
import { type LabelledDialogue, sealDataset } from "../seal.ts";
import { type Corpus, readCorpus } from "./corpus.ts";
import { type DescribedFolder, describeFolder, type KnownSet } from "./described-folder.ts";
import { DEFAULT_CLIP, DEFAULT_VALIDATION, type FolderDescription, numSpeakers } from "./description.ts";
import type { DialogueRows } from "./dialogues.ts";
import { normalizeFeatures } from "./normalize.ts";
import { throwProblems } from "./problems.ts";
import { drawValidation } from "./validation.ts";
import { absentClasses } from "./warnings.ts";

/** What a trial may change about a folder; null = as its description says. */
export interface FolderOptions {
  readonly modalities: readonly string[] | null;
  readonly validFraction: number | null;
  readonly validSeed: number | null;
  readonly normalize: "standardize" | "none" | null;
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
  const described = await describeFolder(folder, knownSet);
  const modalities = chooseModalities(described, options.modalities);
  const corpus = await readCorpus(described, modalities);
  throwProblems(folder, corpus.problems);
  const loaded = sealDataset(assemble(described, corpus, options));
  const { trainClassCounts, task } = loaded.dataset;
  return { ...loaded, warnings: absentClasses("train", trainClassCounts, task.classes) };
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
): Parameters<typeof sealDataset>[0] {
  const { description } = described;
  const dialogues = withValidation(described, corpus.dialogues ?? [], options);
  const fitRows = dialogues
    .filter(({ split }) => split === "train")
    .flatMap(({ utterances }) => utterances.map(({ row }) => row));
  const rule = normalizeRule(description, options);
  const features = corpus.features.map((modality) => ({
    ...modality,
    data: normalizeFeatures(modality, fitRows, rule),
  }));
  const part = (split: Split): LabelledDialogue[] =>
    dialogues
      .filter((dialogue) => dialogue.split === split)
      .map(({ id, utterances, speakers }) => {
        const rows = utterances.map(({ row }) => row);
        return {
          id,
          utteranceIds: utterances.map((utterance) => utterance.id),
          features: Object.fromEntries(features.map(({ name, data, dim }) => [name, takeRows(data, dim, rows)])),
          present: Object.fromEntries(
            features.map(({ name, present }) => [name, Uint8Array.from(rows, (row) => present[row] ?? 0)]),
          ),
          speakers,
          labels: Int32Array.from(utterances, ({ label }) => label),
        };
      });
  return {
    name: description.name,
    source: "real",
    task: { type: "single-label", classes: description.labels.classes },
    modalities: features.map(({ name, dim }) => ({ name, dim })),
    numSpeakers: numSpeakers(description),
    splits: { train: part("train"), valid: part("valid"), test: part("test") },
  };
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
  const train = dialogues
    .filter(({ split }) => split === "train")
    .map(({ id, utterances }) => ({ id, labels: Int32Array.from(utterances, ({ label }) => label) }));
  try {
    const drawn = drawValidation(train, description.labels.classes.length, rule);
    return dialogues.map((dialogue) => (drawn.has(dialogue.id) ? { ...dialogue, split: "valid" } : dialogue));
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

function takeRows(data: Float32Array, dim: number, rows: readonly number[]): Float32Array {
  const out = new Float32Array(rows.length * dim);
  rows.forEach((row, at) => {
    out.set(data.subarray(row * dim, (row + 1) * dim), at * dim);
  });
  return out;
}
