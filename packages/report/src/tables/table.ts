// A compiled table: plain data that every format prints. Numbers are raw here (shares in [0, 1]); formats round.
import type { MetricDescriptor, MetricName } from "@merclab/core";
import type {
  ClassScoreName,
  DetailKind,
  ScoreKind,
  TestPredictions,
  TrialEnvironment,
  TrialResult,
  TrialSpec,
  TrialStatus,
} from "@merclab/runner";
import type { Interval } from "@merclab/statistics";
import type { Statistics } from "../aggregate/statistics.ts";

/** A trial of the experiment's current plan, with what is stored of it. */
export interface Planned {
  readonly spec: TrialSpec;
  /** Present when the trial is done. */
  readonly result?: TrialResult | undefined;
  /** Tells a failed trial from one that has not run. */
  readonly status?: TrialStatus | undefined;
  /** What its last attempt ran on, where it was read. */
  readonly environment?: TrialEnvironment | undefined;
  /** Of the test utterances at the selected epoch, for tests that need them. */
  readonly predictions?: TestPredictions | undefined;
}

/** Undefined where an axis does not apply, e.g. `fusion.lmam.rank` where fusion is sdt. */
export type AxisValue = string | number | boolean | null | undefined;
export type AxisValues = Readonly<Record<string, AxisValue>>;

export interface TableRow {
  readonly axes: AxisValues;
  /** One per `Table.rowHeads`, e.g. ["iemocap", "lmam (rank 4)"]. */
  readonly labels: readonly string[];
}

export interface TableColumn {
  /** Values of the column axes; empty when everything is in lines. */
  readonly axes: AxisValues;
  /** e.g. "iemocap"; empty when everything is in lines. */
  readonly groupLabel: string;
  /** `published`: a number that somebody else printed; `difference`: the result minus it. */
  readonly kind: ScoreKind | DetailKind | "published" | "difference" | "per-class";
  /** Absent for details and classes. */
  readonly metric?: MetricName;
  /** Of one class, at the epoch of the result; `predicted`: the share of a label's utterances that got this class. */
  readonly classScore?: { readonly score: ClassScoreName | "predicted"; readonly class: string };
  readonly unit: MetricDescriptor["unit"] | "count" | "flops" | "seconds";
  /** What is printed after ±. */
  readonly spread: "sd" | "interval" | "bootstrap";
}

export type CellState =
  | "filled"
  | "missing" // planned, but no trial has a result
  | "not-scored" // no trial scored this metric
  | "not-a-number" // NaN or an infinity in some trial: a mean of the others would hide it
  | "not-planned" // the plan has no trial for this row and column
  | "not-published"; // no published number is known

/** Statistics over seeds, absent unless filled. */
export interface TableCell extends Statistics {
  readonly state: CellState;
  /** Ids of the trials with a result, by seed. */
  readonly trials: readonly string[];
  readonly data: "real" | "synthetic" | "mixed";
  /** Hashes of the configs behind the cell, seed and data left out; one unless conditions are mixed. */
  readonly configs: readonly string[];
  readonly provenance: Provenance;
  /** Where a published number is printed. */
  readonly source?: string;
  /** Absent when every planned trial has a result. */
  readonly missing?: Missing;
  /** Absent where nothing could be tested: details, other epochs, fewer than two seeds in common. */
  readonly comparison?: Comparison;
  /** Marks of `Table.notes` to print beside the cell. */
  readonly notes: readonly string[];
}

/** How a cell stands among those of its column on the same data. */
export interface Comparison {
  readonly standing:
    | "winner" // the best, told apart from every other
    | "tied" // cannot be told apart from the best, or is the best and not told apart from some other
    | "equivalent" // differs from the best by less than the margin of the study
    | "behind"; // told apart from the best
  /** Absent for the best itself. */
  readonly toBest?: {
    /** This cell minus the best, mean over the seeds of both, in the unit of the column. */
    readonly difference: number;
    /** 95 % of the difference, not corrected; absent where the test makes none. */
    readonly interval?: Interval;
    /** Number of seeds that both have. */
    readonly seeds: number;
    /** Of the test of the table, two-sided; absent for one without p. */
    readonly p?: number;
    /** The same after Holm's correction over the table. */
    readonly corrected?: number;
    /** Of almost stochastic order: how far the best is, at most, from being better at every quantile. */
    readonly violation?: number;
    /** Difference in standard deviations of the differences; absent where these do not vary. */
    readonly effect?: number;
  };
}

/** What a cell was made of and with; lists are sorted and name each thing once. */
export interface Provenance {
  /** Of `TableCell.trials`, in their order. */
  readonly seeds: readonly number[];
  /** Of the data of all planned trials. */
  readonly fingerprints: readonly string[];
  readonly engines: readonly string[];
  /** Of the packages that the trials ran with, e.g. "onnxruntime-node 1.23.0". */
  readonly versions: readonly string[];
  /** Commits of the code of the trials that have a result; absent where nobody read them. */
  readonly code?: readonly string[];
  /** Computes every trial of the cell that is not stored; empty where nothing is planned. */
  readonly command: string;
}

export interface Missing {
  /** Number of trials planned. */
  readonly wanted: number;
  /** Number of those with a result. */
  readonly have: number;
  /** Ids of those without. */
  readonly trials: readonly string[];
  /** Computes them. */
  readonly command: string;
}

export interface TableNote {
  /** a, b, c, … or the mark of a standing beside cells; absent when it is about the whole table. */
  readonly mark?: string;
  readonly text: string;
}

export interface Table {
  readonly schema: 1;
  readonly experiment: string;
  readonly title: string;
  readonly caption: string;
  /** Heads of the label columns, e.g. ["dataset", "fusion"]. */
  readonly rowHeads: readonly string[];
  readonly rows: readonly TableRow[];
  readonly columns: readonly TableColumn[];
  /** `[rows][columns]` */
  readonly cells: readonly (readonly TableCell[])[];
  readonly notes: readonly TableNote[];
}
