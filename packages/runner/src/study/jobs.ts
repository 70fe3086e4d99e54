// How many trials run side by side: as many as cores and memory allow.
import { availableParallelism, freemem } from "node:os";
import type { TrialSpec } from "../store/trial-files.ts";

/** Node, tfjs, plugins, data, and the activations of a small model (SDT of width 128 on IEMOCAP peaks at 630 MB). */
const BASE_BYTES = 600e6;
/** Copies of the parameters that live at once: values, gradients, two moments, and the next of each. */
const PARAMETER_COPIES = 8;

/** Rough peak memory of a trial in bytes. */
export function trialMemory(spec: Pick<TrialSpec, "parameters">): number {
  return BASE_BYTES + 4 * PARAMETER_COPIES * spec.parameters.total;
}

/** At least 1; the largest trial decides. */
export function defaultJobs(
  trials: readonly Pick<TrialSpec, "parameters">[],
  machine = { cores: availableParallelism(), freeBytes: freemem() },
): number {
  const largest = Math.max(BASE_BYTES, ...trials.map(trialMemory));
  return Math.max(1, Math.min(machine.cores, Math.floor((0.8 * machine.freeBytes) / largest), trials.length));
}
