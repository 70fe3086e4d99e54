// What `exp trial run` ends with: launchers decide by it whether to try again.
import type { ErrorCode } from "@merclab/core/errors";

export const TRIAL_EXIT = {
  /** Done, or nothing to do: trained already, cancelled, or being trained elsewhere. */
  done: 0,
  /** The trial failed, and would again. */
  failed: 1,
  /** Paused with a checkpoint: run it again. */
  paused: 75,
  /** Out of memory: run it again with more. */
  outOfMemory: 76,
  /** Config, code or data are not what was planned: running it again is no use. */
  mismatch: 78,
  /** Storage, data or engine are missing here: run it again, elsewhere. */
  infrastructure: 79,
  /** Ctrl-C; paused with a checkpoint. */
  interrupted: 130,
} as const;

/** @param code of the error that ended a trial; undefined for what no user can mend */
export function exitOfError(code: ErrorCode | undefined): number {
  switch (code) {
    case "config":
    case "combination":
      return TRIAL_EXIT.mismatch;
    case "data":
    case "storage":
    case "engine":
      return TRIAL_EXIT.infrastructure;
    default:
      return TRIAL_EXIT.failed;
  }
}
