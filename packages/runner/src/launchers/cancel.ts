// Ends trials for good, wherever they wait or run: their supervisors find the request, and the scheduler is told.
import { experimentFolder } from "../store/experiment-store.ts";
import type { TrialSpec } from "../store/trial-files.ts";
import { requestCancel } from "../supervisor/cancel-requests.ts";
import { createLauncher } from "./settings.ts";
import { LIVE_STATES, type TrialView, viewStudy } from "./trial-states.ts";

export interface Cancelled {
  /** In somebody's hands when they were cancelled. */
  readonly trials: readonly TrialView[];
  /** Schedulers that could not be told; trials end all the same, when their supervisors see the request. */
  readonly failures: readonly Error[];
}

/** @param trials those that are to end; done ones stay what they are */
export async function cancelTrials(
  runsFolder: string,
  experiment: string,
  trials: readonly TrialSpec[],
): Promise<Cancelled> {
  const before = await viewStudy(runsFolder, experiment, trials);
  const open = before.trials.filter(({ state }) => state !== "done");
  await requestCancel(
    experimentFolder(runsFolder, experiment),
    open.map(({ spec }) => spec.id),
  );
  const ids = new Set(open.filter(({ state }) => LIVE_STATES.has(state)).map(({ spec }) => spec.id));
  const failures: Error[] = [];
  for (const array of before.arrays.filter(({ jobs = [] }) => jobs.length > 0)) {
    const indices = array.trials.flatMap((id, index) => (ids.has(id) ? [index] : []));
    if (indices.length > 0) {
      await createLauncher(array.launcher)
        .cancel?.([{ array, indices: indices.length === array.trials.length ? "all" : indices }])
        .catch((error: unknown) => failures.push(error as Error));
    }
  }
  return { trials: open, failures };
}
