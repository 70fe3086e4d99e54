// What the driver asks of a side and what a side answers: commands by lines, answers as lines of JSON.
//   init, epoch-step I, evaluate I, predict I, save-weights FILE (ours only), load-weights FILE, report, quit

export interface InitAnswer {
  readonly parameters: number;
  readonly versions: Readonly<Record<string, string>>;
  /** CPU time of the process so far. */
  readonly cpuMs: number;
}

/** To `epoch-step` and `evaluate`: one batch, from dialogues on the host to losses or probabilities on the host. */
export interface BatchAnswer {
  readonly ms: number;
  /** Milliseconds by phase; together less than `ms`. */
  readonly phases: Readonly<Record<string, number>>;
  /** Scalars by name with `total`, of a training step. */
  readonly losses?: Readonly<Record<string, number>>;
  readonly utterances: number;
  /** Rows that linear layers work on, padding included. */
  readonly places: number;
  readonly cpuMs: number;
  /** Batches of one shape share a graph where there are graphs. */
  readonly shape: string;
}

export interface PredictAnswer {
  /** Row-major `[utterances, classes]`. */
  readonly probabilities: readonly number[];
}

export interface ReportAnswer {
  readonly peakMiB: number;
  /** True where every shape was compiled. */
  readonly compilesShapes?: boolean;
  /** The engine's own figures, where it gives any. */
  readonly engine?: unknown;
}
