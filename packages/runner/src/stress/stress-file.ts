// `stress.json` of a trial: what is left of its scores when modalities are missing, noisy or mixed up.
import { join } from "node:path";
import { readJson, TRIAL_FILES } from "../store/experiment-store.ts";
import type { Scores } from "../store/trial-files.ts";
import type { StressOptions } from "./conditions.ts";
import type { Condition } from "./perturb.ts";

/** A condition and its scores over draws. */
export type StressedScores = Condition & {
  /** Draws; 1 where nothing is drawn. */
  readonly n: number;
  readonly mean: Scores;
  /** Sample standard deviation over draws; absent with one. */
  readonly sd?: Scores;
};

export interface StressSummary {
  readonly name: "robustness";
  /** null where the model is no better than a constant prediction. */
  readonly value: number | null;
  /** Over draws. */
  readonly sd: number | null;
  readonly auilc: number;
  readonly clean: number;
  readonly floor: number;
  readonly definition: string;
}

export interface StressFile {
  readonly schema: 1;
  /** Id of the trial. */
  readonly id: string;
  readonly seed: number;
  /** Of the weights, chosen on validation. */
  readonly epoch: number;
  readonly modalities: readonly string[];
  /** What the summary is about. */
  readonly metric: string;
  readonly engine: string;
  readonly options: StressOptions;
  readonly conditions: readonly StressedScores[];
  readonly summary: StressSummary;
  /** When and why the test labels were read for this file, the first time first. */
  readonly seal: readonly { readonly openedAt: string; readonly reason: string }[];
}

/** @returns undefined where the trial was not stressed yet */
export function readStress(folder: string): Promise<StressFile | undefined> {
  return readJson<StressFile>(join(folder, TRIAL_FILES.stress));
}
