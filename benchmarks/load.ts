// How much of the machine others used while something was measured here.
import { cpus, getPriority } from "node:os";
import { setTimeout as pause } from "node:timers/promises";

/** Share of the CPU time of all cores up to which others hardly matter. */
export const QUIET = 0.05;

const WAIT_MS = 1000;

export interface LoadMeter {
  /**
   * @param sidesMs CPU time of the sides since the meter was started; that of this process is known
   * @returns share of the CPU time of all cores that other processes took, 0 to 1
   */
  others(sidesMs: number): number;
}

/** Work of low priority (`nice`) is left out: it waits for ours. It counts where this process has low priority, too. */
export function startLoadMeter(): LoadMeter {
  const started = performance.now();
  const busyBefore = busyMs();
  const ownBefore = process.cpuUsage();
  return {
    others(sidesMs) {
      const { user, system } = process.cpuUsage(ownBefore);
      const foreign = busyMs() - busyBefore - (user + system) / 1000 - sidesMs;
      return Math.max(0, foreign / (cpus().length * (performance.now() - started)));
    },
  };
}

/** Waits until others are quiet for a moment, or until the time is over. The sides must be idle. */
export async function waitUntilQuiet(longestMs: number): Promise<void> {
  const started = performance.now();
  let load = 1;
  while (load > QUIET && performance.now() - started < longestMs) {
    const meter = startLoadMeter();
    await pause(WAIT_MS);
    load = meter.others(0);
  }
}

/** CPU time of all cores since the machine started. */
function busyMs(): number {
  const isNice = getPriority() > 0;
  return cpus().reduce((sum, { times }) => sum + times.user + times.sys + times.irq + (isNice ? times.nice : 0), 0);
}
