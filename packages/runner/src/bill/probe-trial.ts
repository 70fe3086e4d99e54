// A short probe of a trial that never ran: what it would take. In a process of its own, whose peak of memory is the
// trial's.
import { probePace, trainerOptions } from "@merclab/trainer";
import type { TrialSpec } from "../store/trial-files.ts";
import { createTrial, loadPlannedData, type PartsSite, refuseChangedCode, startEngine } from "../study/trial-parts.ts";

export interface TrialProbe {
  /** What the whole trial would take, from loading to its last epoch. */
  readonly seconds: number;
  readonly epochSeconds: number;
  /** Peak memory of the process. */
  readonly peakBytes: number;
  /** Training steps that were timed. */
  readonly steps: number;
}

/** Trains nothing that is kept, and writes nothing. */
export async function probeTrial(spec: TrialSpec, site: PartsSite): Promise<TrialProbe> {
  const started = performance.now();
  refuseChangedCode(spec.config, site.registry);
  const { dataset } = await loadPlannedData(spec, site);
  const { engine } = await startEngine(spec.config.engine, site);
  try {
    const trial = createTrial(spec, dataset, engine, site.registry);
    const startSeconds = (performance.now() - started) / 1000;
    const { epochSeconds, onceSeconds, steps } = await probePace(trial);
    const { epochs } = trainerOptions.parse(spec.config.trainer.options);
    return {
      seconds: startSeconds + onceSeconds + epochs * epochSeconds,
      epochSeconds,
      peakBytes: 1024 * process.resourceUsage().maxRSS,
      steps,
    };
  } finally {
    await engine.dispose();
  }
}
