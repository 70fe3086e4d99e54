// What a study tells while it runs.
import type { TrialResult, TrialSpec } from "../store/trial-files.ts";
import type { Epoch } from "./workers.ts";

export type StudyEvent =
  | { readonly type: "found"; readonly spec: TrialSpec; readonly folder: string; readonly result: TrialResult }
  | { readonly type: "started"; readonly spec: TrialSpec; readonly folder: string }
  | {
      readonly type: "epoch";
      readonly spec: TrialSpec;
      readonly folder: string;
      readonly message: Epoch;
    }
  | { readonly type: "note"; readonly spec: TrialSpec; readonly folder: string; readonly text: string }
  | { readonly type: "done"; readonly spec: TrialSpec; readonly folder: string; readonly result: TrialResult }
  | { readonly type: "cancelled"; readonly spec: TrialSpec; readonly folder: string }
  /** It failed in an earlier run, and would fail again. */
  | { readonly type: "passed over"; readonly spec: TrialSpec; readonly folder: string; readonly message: string }
  | {
      readonly type: "elsewhere";
      readonly spec: TrialSpec;
      readonly folder: string;
      /** Who trains it. */
      readonly owner: string;
    }
  | {
      readonly type: "failed";
      readonly spec: TrialSpec;
      readonly folder: string;
      readonly message: string;
      readonly hint: string | undefined;
    };
