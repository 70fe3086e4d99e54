// What is measured: the rows of the table, with settings that stay the same from year to year.
import { MerclabError, suggestName } from "@merclab/core";
import type { CorpusName } from "./corpus.ts";

/** A plugin by name with the options that differ from its defaults. */
export interface Choice {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ModelChoice {
  readonly encoder: Choice;
  readonly fusion: Choice;
  readonly objective: Choice;
}

export interface Row {
  readonly name: string;
  /** Training steps on the training part, or evaluation passes over the validation and test parts. */
  readonly work: "train" | "evaluate";
  readonly corpus: CorpusName;
  /** Dialogues per batch. */
  readonly batchSize: number;
  readonly model: ModelChoice;
  readonly learningRate: number;
  /** Batches that are measured unless the command line says otherwise: all of an epoch, or a sample of so many. */
  readonly batches: number | "all";
  /** Rounds over the batches that count. */
  readonly rounds: number;
  /** The sides whose times are divided: first ÷ second. */
  readonly sides: "ours-and-reference" | "wasm-and-onnx";
  /** The ratio to reach; smaller is faster. */
  readonly target?: number;
  /** The ratio of peak resident memory to reach; given where it is a row of its own. */
  readonly memoryTarget?: number;
}

/** SDT as published: the gates of MELD are the frozen identity, its temperature is 8 and its classes are unweighted. */
function sdt(dim: number, corpus: CorpusName): ModelChoice {
  const isMeld = corpus === "meld";
  return {
    encoder: { name: "sdt", options: { dim, unimodalGate: isMeld ? "identity" : "learned" } },
    fusion: { name: "sdt", options: {} },
    objective: {
      name: "self-distillation",
      options: { temperature: isMeld ? 8 : 1, classWeights: isMeld ? "none" : "inverse-frequency" },
    },
  };
}

/** LMAM as configs/fusion/lmam.yaml has it, behind one transformer encoder per modality. */
const LMAM_256: ModelChoice = {
  encoder: { name: "transformer", options: { dim: 256 } },
  fusion: { name: "lmam", options: { rank: 4 } },
  objective: { name: "cross-entropy", options: { classWeights: "inverse-frequency" } },
};

const sides = "ours-and-reference";
const sdtIemocap = { corpus: "iemocap", batchSize: 16, learningRate: 1e-4, sides } as const;

const ROWS: readonly Row[] = [
  {
    ...sdtIemocap,
    name: "sdt-1024-iemocap",
    work: "train",
    model: sdt(1024, "iemocap"),
    batches: 4,
    rounds: 4,
    target: 0.6,
    memoryTarget: 1,
  },
  {
    name: "sdt-1024-meld",
    work: "train",
    corpus: "meld",
    batchSize: 8,
    model: sdt(1024, "meld"),
    learningRate: 5e-6,
    batches: 6,
    rounds: 5,
    sides,
    target: 0.5,
  },
  {
    ...sdtIemocap,
    name: "sdt-256-iemocap",
    work: "train",
    model: sdt(256, "iemocap"),
    batches: "all",
    rounds: 6,
    target: 0.4,
  },
  {
    name: "lmam-256-iemocap",
    work: "train",
    corpus: "iemocap",
    batchSize: 16,
    model: LMAM_256,
    learningRate: 1e-4,
    batches: "all",
    rounds: 6,
    sides,
    target: 0.4,
  },
  {
    ...sdtIemocap,
    name: "sdt-1024-iemocap-eval",
    work: "evaluate",
    model: sdt(1024, "iemocap"),
    batches: "all",
    rounds: 5,
    target: 0.6,
  },
  {
    ...sdtIemocap,
    name: "onnx-vs-wasm-256",
    work: "train",
    model: sdt(256, "iemocap"),
    batches: 2,
    rounds: 2,
    sides: "wasm-and-onnx",
  },
];

export const ROW_NAMES: readonly string[] = ROWS.map(({ name }) => name);

/** What is measured when nothing is asked for. */
export const DEFAULT_ROWS: readonly string[] = ROWS.filter((row) => row.sides === sides).map(({ name }) => name);

/** @throws MerclabError `config` with the nearest known name */
export function findRow(name: string): Row {
  const row = ROWS.find((each) => each.name === name);
  if (row === undefined) {
    throw new MerclabError("config", `unknown row "${name}"`, { where: "--rows", hint: suggestName(name, ROW_NAMES) });
  }
  return row;
}
