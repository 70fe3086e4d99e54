// When a study starts no further trial: at the first failure, if that was asked for, or when the first trials all fail
// alike, since what is broken then is not a trial.
import type { Failure } from "./failures.ts";

export interface GuardOptions {
  /** `stop`: the first trial that fails is the last one that starts. */
  readonly onError: "stop" | "continue";
  /** So many first trials that fail alike end the study; 0: none do. */
  readonly failFast: number;
}

export interface Guard {
  /** A trial ended; `failure` where it failed. */
  trialEnded(failure?: Failure): void;
  /** Why no further trial starts; undefined while they do. */
  readonly reason: string | undefined;
}

/** @param onHalt told once, when the last trial has started */
export function createGuard({ onError, failFast }: GuardOptions, onHalt: (reason: string) => void): Guard {
  let reason: string | undefined;
  let message: string | undefined;
  let alike: number | undefined = 0;
  const halt = (why: string) => {
    if (reason === undefined) {
      reason = why;
      onHalt(why);
    }
  };
  return {
    trialEnded(failure) {
      if (failure === undefined) {
        alike = undefined;
        return;
      }
      if (onError === "stop") {
        halt(`A trial failed, and --on-error stop was given: no further one starts.`);
        return;
      }
      // A setting that diverges says nothing about the others.
      if (alike === undefined || failure.cause === "diverged") {
        return;
      }
      message ??= failure.message;
      alike = sameWords(message, failure.message) ? alike + 1 : undefined;
      if (failFast > 0 && alike === failFast) {
        halt(
          `The first ${alike === 1 ? "trial" : `${alike} trials`} to end failed alike, and no further one starts ` +
            `(--fail-fast): ${message}`,
        );
      }
    },
    get reason() {
      return reason;
    },
  };
}

/** The same but for numbers, such as a step, and for the trial's own folder. */
function sameWords(a: string, b: string): boolean {
  const words = (text: string) => text.replaceAll(/[0-9a-f]{12}|\d+(\.\d+)?(e[-+]?\d+)?/gi, "#");
  return words(a) === words(b);
}
