// Trials that somebody has and that come no further: the process beside them beats, and no epoch ends.
import type { TrialView } from "@merclab/runner";
import { trialLabel } from "./trial-label.ts";

/** An epoch that takes so many times as long as the trial's others do is no slow one any more. */
const USUAL_EPOCHS = 20;

/**
 * @param leastSeconds without a record in the journal
 * @param now Unix ms
 * @returns seconds since its last sign of progress; undefined where it trains, or nobody can tell yet
 */
export function stalledSeconds(
  { state, progressAt, epochSeconds }: Pick<TrialView, "state" | "progressAt" | "epochSeconds">,
  leastSeconds: number,
  now: number,
): number | undefined {
  if (state !== "running" || progressAt === undefined || epochSeconds === undefined) {
    return undefined;
  }
  const seconds = (now - progressAt) / 1000;
  return seconds > Math.max(leastSeconds, USUAL_EPOCHS * epochSeconds) ? seconds : undefined;
}

/** One line: what is seen, and what a user can do. */
export function stalledText({ spec, epoch, detail = "" }: TrialView, seconds: number): string {
  const time = seconds < 60 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  const { id, experiment } = spec;
  // Nothing that hangs obeys a request: Slurm and a supervisor's second signal end it all the same.
  const end = detail.startsWith("Slurm job")
    ? `"exp cancel ${experiment} ${id}" ends it`
    : `end ${detail}${detail.startsWith("process ") ? ' ("kill", twice)' : ""}`;
  return (
    `${trialLabel(spec)}  no progress since ${time}, after epoch ${epoch}: should it hang, ${end}; ` +
    `"exp resume ${experiment}" goes on from its checkpoint`
  );
}
