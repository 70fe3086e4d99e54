// A feature folder that a trained model predicts on: its dialogues without labels or parts, on the scale of the data
// that the model was trained on.
import { type Dialogue, type FeatureScale, MerclabError, type ModalityInfo, suggestName } from "@merclab/core";
import { readCorpus } from "./corpus.ts";
import { type DescribedFolder, describeObserved } from "./described-folder.ts";
import { numSpeakers, type ObservedDescription } from "./description.ts";
import { dialogueFeatures, fillsMemory } from "./load-folder.ts";
import { normalizedRows } from "./normalize.ts";
import { throwProblems } from "./problems.ts";

/** What a trained model takes. */
export interface Expected {
  readonly modalities: readonly ModalityInfo[];
  readonly numSpeakers: number;
  /** By modality; features of one without a scale stay as they are stored. */
  readonly scales: Readonly<Record<string, FeatureScale>>;
  /** Modalities that the folder may lack: they are then missing for every utterance. */
  readonly without: readonly string[];
}

export interface ObservedFolder {
  readonly name: string;
  /** In the order of their first rows. */
  readonly dialogues: readonly Dialogue[];
  /** Per dialogue and utterance the row of the tables, from 0, laid end to end where there are several. */
  readonly rows: readonly (readonly number[])[];
}

/**
 * @throws MerclabError `data` for a folder that is damaged, or lacks what the model takes; `config` for its description
 */
export async function loadObserved(folder: string, expected: Expected): Promise<ObservedFolder> {
  const described = await describeObserved(folder);
  const { description } = described;
  const names = expected.modalities.map(({ name }) => name).filter((name) => !expected.without.includes(name));
  checkFit(described, names, expected);
  const streamed = await fillsMemory(described, names);
  const corpus = await readCorpus(described, names, streamed);
  throwProblems(folder, corpus.problems);
  const { features, dialogues = [] } = corpus;
  for (const { name, dim } of features) {
    const wanted = expected.modalities.find((each) => each.name === name)?.dim;
    if (dim !== wanted) {
      throw new MerclabError("data", `${name}: the model takes features of width ${wanted}, these have ${dim}`, {
        where: folder,
        hint: "They must come from the extractor whose features the model was trained on.",
      });
    }
  }
  return {
    name: description.name,
    rows: dialogues.map(({ utterances }) => utterances.map(({ row }) => row)),
    dialogues: dialogues.map(({ id, utterances, speakers }) => {
      const rows = utterances.map(({ row }) => row);
      const absent = expected.modalities.filter(({ name }) => expected.without.includes(name));
      return {
        id,
        utteranceIds: utterances.map((utterance) => utterance.id),
        features: dialogueFeatures(
          [
            ...features.map((modality) => {
              const read = () => normalizedRows(modality, rows, expected.scales[modality.name]);
              return [modality.name, read] as const;
            }),
            ...absent.map(({ name, dim }) => [name, () => new Float32Array(rows.length * dim)] as const),
          ],
          streamed,
        ),
        present: Object.fromEntries([
          ...features.map(({ name, present }) => [name, Uint8Array.from(rows, (row) => present[row] ?? 0)]),
          ...absent.map(({ name }) => [name, new Uint8Array(rows.length)]),
        ]),
        speakers,
      };
    }),
  };
}

function checkFit(
  { description, describedIn }: DescribedFolder<ObservedDescription>,
  names: readonly string[],
  expected: Expected,
): void {
  const known = expected.modalities.map(({ name }) => name);
  const stranger = expected.without.find((name) => !known.includes(name));
  if (stranger !== undefined || names.length === 0) {
    const message = stranger === undefined ? "no modality is left" : `the model knows no modality "${stranger}"`;
    throw new MerclabError("config", message, {
      where: "modalities that are left out",
      hint: stranger === undefined ? `It takes ${known.join(", ")}.` : suggestName(stranger, known),
    });
  }
  const lacking = names.find((name) => description.modalities[name] === undefined);
  if (lacking !== undefined) {
    throw new MerclabError("data", `the model takes ${known.join(", ")}; the folder has no ${lacking}`, {
      where: describedIn,
      hint: `Describe it under "modalities", or predict as if it were missing everywhere: --without ${lacking}.`,
    });
  }
  const speakers = numSpeakers(description);
  if (speakers > expected.numSpeakers) {
    throw new MerclabError("data", `the model knows ${expected.numSpeakers} speakers, the folder has ${speakers}`, {
      where: `${describedIn} (speakers)`,
      hint: "Speakers are told apart by their numbers; those of the training data come in the order of speakers.values.",
    });
  }
}
