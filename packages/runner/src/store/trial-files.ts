// The files of one trial folder, as data. `result.json` is written last, by renaming: that it exists means that the
// trial is done.
import type { ClassMetrics, ConfusionMatrix, Task } from "@merclab/core";
import type { Cost } from "@merclab/trainer";

/** A part of the model or the run: a plugin's name and its options, every default filled in. */
export interface ResolvedPart {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Hash of the code, where the plugin did not come with merclab: changed code makes new trials. */
  readonly code?: string;
}

/** Everything that changes a number, but seed and data. */
export interface ResolvedConfig {
  readonly dataset: ResolvedPart;
  readonly encoder: ResolvedPart;
  readonly fusion: ResolvedPart;
  readonly objective: ResolvedPart;
  readonly balancer: ResolvedPart;
  readonly optimizer: ResolvedPart;
  readonly trainer: ResolvedPart;
  readonly engine: ResolvedPart;
}

/** `trial.json`: written when the trial is planned, never changed. */
export interface TrialSpec {
  readonly schema: 1;
  /** Hash of config, seed and data. */
  readonly id: string;
  readonly experiment: string;
  readonly title: string;
  /** The choices that tell this trial from its neighbours, e.g. { fusion: "lmam", "fusion.lmam.rank": 4 }. */
  readonly cell: Readonly<Record<string, string | number | boolean | null>>;
  readonly config: ResolvedConfig;
  readonly seed: number;
  readonly data: { readonly fingerprint: string; readonly source: "real" | "synthetic" };
  readonly parameters: { readonly total: number; readonly trainable: number };
  /** Width of each modality's features. Absent in trials of older versions. */
  readonly features?: Readonly<Record<string, number>>;
  /** What is predicted. Absent in trials of before there was more than single-label classification. */
  readonly task?: Task;
}

/** `status.json`: where the trial stands. */
export interface TrialStatus {
  readonly state: "running" | "done" | "failed" | "cancelled";
  readonly attempt: number;
  readonly pid: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  /** First line of what went wrong. */
  readonly error?: string;
  /** Peak memory of the process that ran it, trials that it ran before included. Absent before it is done. */
  readonly peakBytes?: number;
}

/** Scalar metrics by their names in YAML and tables. */
export type Scores = Readonly<Record<string, number>>;

/** One epoch scored on the test part. */
export interface TestScore {
  /** From 1. */
  readonly epoch: number;
  readonly metrics: Scores;
  /** One entry per class or label; none in regression. */
  readonly perClass: readonly ClassMetrics[];
  /** Of single-label classes; else empty. */
  readonly confusion: ConfusionMatrix;
}

/** `result.json` */
export interface TrialResult {
  readonly schema: 1;
  readonly id: string;
  readonly seed: number;
  readonly dataset: string;
  /** What `perClass` is about: classes, or labels; none in regression. */
  readonly classes: readonly string[];
  readonly epochs: number;
  /** How the epoch of the result was chosen. */
  readonly selection: { readonly metric: string; readonly epoch: number; readonly valid: Scores };
  readonly test: {
    /** The result: the epoch that validation chose. */
    readonly validSelected: TestScore;
    /** What papers print: the epoch with the best test score. Never the result. */
    readonly maxTest: TestScore;
  };
  /** When and why the test labels were read. */
  readonly seal: { readonly openedAt: string; readonly reason: string };
  /** Wall-clock seconds of training, evaluation included. */
  readonly seconds: number;
  /** Threads that it had: they change the seconds, and nothing else. */
  readonly threads: number;
  readonly parameters: { readonly total: number; readonly trainable: number };
  /** Floating-point operations of a forward pass, or why they cannot be known. Absent in results of older versions. */
  readonly cost?: Cost | { readonly unknown: string };
  readonly versions: Readonly<Record<string, string>>;
}
