// Datasets as plain arrays on the host. Test labels are not in them: they lie behind a seal that the scoring step
// opens after training.
import { MerclabError } from "../errors.ts";
import type { Labels, Task } from "./task.ts";

export const SPLITS = ["train", "valid", "test"] as const;
export type Split = (typeof SPLITS)[number];

/** A modality and the width of its feature vectors. Names are free; text, audio and visual are the usual ones. */
export interface ModalityInfo {
  readonly name: string;
  readonly dim: number;
}

/** One conversation, its utterances in speaking order. */
export interface Dialogue {
  readonly id: string;
  readonly utteranceIds: readonly string[];
  /** Per modality, row-major `[utterances, dim]`, normalised, finite. */
  readonly features: Readonly<Record<string, Float32Array>>;
  /** Per modality `[utterances]`: 1 = the modality was observed. */
  readonly present: Readonly<Record<string, Uint8Array>>;
  /** `[utterances]`, 0 … numSpeakers − 1. */
  readonly speakers: Int32Array;
  /** In the form of the task. Absent where labels are sealed. */
  readonly labels?: Labels;
}

/** What a trial may see: everything but the labels of the test part. */
export interface Dataset {
  readonly name: string;
  /** Synthetic data are marked in every table and run. */
  readonly source: "real" | "synthetic";
  readonly task: Task;
  readonly modalities: readonly ModalityInfo[];
  readonly numSpeakers: number;
  /** Changes when any feature, label, split or normalisation does; part of a trial's identity. */
  readonly fingerprint: string;
  readonly splits: Readonly<Record<Split, readonly Dialogue[]>>;
  /** Training utterances per class, or per label those that have it; empty in regression. */
  readonly trainClassCounts: readonly number[];
  /** Training utterances in all. */
  readonly trainUtterances: number;
}

/** Labels of the test part, dialogue by dialogue, in the order of `splits.test`. */
export type SealedLabels = readonly Labels[];

/** Keeps test labels until somebody states why they are needed. */
export interface Seal {
  /** @param reason stored with the result, e.g. "scoring after training" */
  open(reason: string): SealedLabels;
}

/** What the columns of a modality were shifted by, divided by, and cut off at. */
export interface FeatureScale {
  /** `[dim]` */
  readonly mean: Float64Array;
  /** `[dim]` 1 / deviation; 0 for constant columns. */
  readonly inverse: Float64Array;
  readonly clip: number;
}

/** A dataset as its plugin loads it. The trainer gets `dataset` only. */
export interface LoadedDataset {
  readonly dataset: Dataset;
  readonly seal: Seal;
  /** By modality, fitted on the training part: how features of other data become those that the model knows. */
  readonly scales?: Readonly<Record<string, FeatureScale>>;
}

/** Labels of a dialogue that a trial may see. @throws MerclabError `sealed` for test dialogues */
export function visibleLabels(dialogue: Dialogue): Labels {
  if (dialogue.labels === undefined) {
    throw sealedError(dialogue);
  }
  return dialogue.labels;
}

/** Whether a dialogue has labels that a trial may see; looks at none. */
export function hasVisibleLabels(dialogue: Dialogue): boolean {
  return Object.getOwnPropertyDescriptor(dialogue, "labels")?.value !== undefined;
}

/**
 * The same with test dialogues of which reading `labels` is an error, whoever does it and however: what a data set hands
 * to plugins goes through here.
 *
 * @throws MerclabError `sealed` where the data set hands out test labels
 */
export function guardTestLabels(loaded: LoadedDataset): LoadedDataset {
  const { dataset } = loaded;
  const open = dataset.splits.test.find(hasVisibleLabels);
  if (open !== undefined) {
    throw new MerclabError("sealed", `data set "${dataset.name}" hands out the labels of test dialogue "${open.id}"`, {
      hint: "Its plugin must leave labels out of splits.test, and give them when the seal is opened.",
    });
  }
  const test = dataset.splits.test.map((dialogue) => {
    const refuse = (): never => {
      throw sealedError(dialogue);
    };
    // Not enumerable: copies of a dialogue are without it.
    return Object.defineProperty({ ...dialogue }, "labels", { get: refuse, enumerable: false });
  });
  return { ...loaded, dataset: { ...dataset, splits: { ...dataset.splits, test } } };
}

function sealedError({ id }: Dialogue): MerclabError {
  return new MerclabError("sealed", `the labels of dialogue "${id}" are sealed`, {
    hint: "Test labels are read by the scoring step only, after training has ended.",
  });
}
