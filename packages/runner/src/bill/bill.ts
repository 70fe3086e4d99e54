// What the rest of a study costs: time, memory and disk, from trials of the same config that ran, else from a probe,
// else from the other trials of the study (time) and from what is known of the engine (memory).
import { mean } from "simple-statistics";
import { cellId } from "../config/identity.ts";
import type { TrialSpec } from "../store/trial-files.ts";
import type { DiskUse } from "./disk.ts";
import type { TrialProbe } from "./probe-trial.ts";

export interface BilledTrial {
  readonly spec: TrialSpec;
  /** Seconds that it took; undefined where it is not done. */
  readonly seconds: number | undefined;
  /** Peak memory of the process that ran it; undefined where it is not known. */
  readonly peakBytes: number | undefined;
  readonly disk: DiskUse;
  /** What is known of its engine's memory without a run. */
  readonly plannedBytes: number;
}

export interface Cost {
  readonly id: string;
  /** undefined where nothing is known. */
  readonly seconds: number | undefined;
  readonly secondsFrom: "stored" | "probe" | "other trials" | undefined;
  readonly memoryBytes: number;
  readonly memoryFrom: "stored" | "probe" | "engine";
  readonly disk: DiskUse;
}

export interface Bill {
  /** Of every trial that is missing. */
  readonly trials: readonly Cost[];
  /** Until all are done, so many at a time; undefined where some trial's time is unknown. */
  readonly seconds: number | undefined;
  /** Peak of those that run at a time, the largest. */
  readonly memoryBytes: number;
  readonly disk: DiskUse;
}

/**
 * @param probes by `cellId`
 * @param jobs trials at a time
 */
export function estimateBill(
  trials: readonly BilledTrial[],
  probes: ReadonlyMap<string, TrialProbe>,
  jobs: number,
): Bill {
  const stored = new Map<string, number[]>();
  for (const { spec, seconds } of trials) {
    if (seconds !== undefined) {
      const key = cellId(spec);
      stored.set(key, [...(stored.get(key) ?? []), seconds]);
    }
  }
  const peaks = new Map<string, number>();
  for (const { spec, peakBytes } of trials) {
    if (peakBytes !== undefined) {
      peaks.set(cellId(spec), Math.max(peakBytes, peaks.get(cellId(spec)) ?? 0));
    }
  }
  const all = [...stored.values()].flat();
  const meanOfAll = all.length > 0 ? mean(all) : undefined;
  const missing = trials
    .filter(({ seconds }) => seconds === undefined)
    .map(({ spec, disk, plannedBytes }): Cost => {
      const key = cellId(spec);
      const probe = probes.get(key);
      const known = stored.get(key);
      const time: Pick<Cost, "seconds" | "secondsFrom"> =
        known !== undefined
          ? { seconds: mean(known), secondsFrom: "stored" }
          : probe !== undefined
            ? { seconds: probe.seconds, secondsFrom: "probe" }
            : { seconds: meanOfAll, secondsFrom: meanOfAll === undefined ? undefined : "other trials" };
      const peak = peaks.get(key);
      // A probe meets few of the shapes that a trial compiles graphs for: its peak says what a trial takes at least.
      const memory: Pick<Cost, "memoryBytes" | "memoryFrom"> =
        peak !== undefined
          ? { memoryBytes: peak, memoryFrom: "stored" }
          : probe !== undefined && probe.peakBytes > plannedBytes
            ? { memoryBytes: probe.peakBytes, memoryFrom: "probe" }
            : { memoryBytes: plannedBytes, memoryFrom: "engine" };
      return { id: spec.id, ...time, ...memory, disk };
    });
  const seconds = missing.map((each) => each.seconds);
  return {
    trials: missing,
    seconds: seconds.every((each) => each !== undefined) ? makespan(seconds, jobs) : undefined,
    memoryBytes: missing
      .map(({ memoryBytes }) => memoryBytes)
      .sort((a, b) => b - a)
      .slice(0, jobs)
      .reduce((sum, bytes) => sum + bytes, 0),
    disk: {
      weightsBytes: missing.reduce((sum, { disk }) => sum + disk.weightsBytes, 0),
      otherBytes: missing.reduce((sum, { disk }) => sum + disk.otherBytes, 0),
    },
  };
}

/** When the last trial ends, if each starts in the given order as soon as a place is free. */
function makespan(seconds: readonly number[], jobs: number): number {
  const places = new Array<number>(Math.max(1, jobs)).fill(0);
  for (const each of seconds) {
    const free = places.indexOf(Math.min(...places));
    places[free] = (places[free] ?? 0) + each;
  }
  return Math.max(...places);
}
