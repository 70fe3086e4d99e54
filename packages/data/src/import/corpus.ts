// What every layout becomes before it is written as a feature folder.
import type { Split } from "@merclab/core";

export interface ImportedUtterance {
  /** Unique in the corpus. */
  readonly id: string;
  /** "" where the file does not tell. */
  readonly speaker: string;
  readonly sentence?: string;
  /** Cells of further columns, by name: labels and scores. */
  readonly cells: Readonly<Record<string, string>>;
}

export interface ImportedDialogue {
  readonly id: string;
  readonly split: Split;
  /** In speaking order. */
  readonly utterances: readonly ImportedUtterance[];
}

export interface ImportedModality {
  readonly name: string;
  readonly width: number;
  /** Row-major `[utterances, width]` of one dialogue, read when asked for. */
  read(dialogue: number): Float32Array;
  /** Whose labels the vectors have seen: parts of the corpus that their extractor was trained on. */
  readonly fittedOn?: readonly Split[];
}

/** A column that a model can be trained to predict. */
export interface Target {
  readonly column: string;
  readonly classes: readonly string[];
  /** Whether the column holds names or positions of classes. */
  readonly as: "name" | "index";
}

export interface ImportedCorpus {
  /** Name of the dataset: iemocap, meld, … */
  readonly name: string;
  readonly dialogues: readonly ImportedDialogue[];
  readonly modalities: readonly ImportedModality[];
  /** The first one is taken unless another is asked for. */
  readonly targets: readonly Target[];
  /** No target is the first among them: the user must choose. */
  readonly mustChoose?: boolean;
  readonly speakers: "none" | "corpus" | "per-dialogue";
  /** What was decided on the way, for the user to read. */
  readonly notes: readonly string[];
}
