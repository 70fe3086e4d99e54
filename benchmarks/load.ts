// How much of the machine others used while something was measured here.
import { cpus, getPriority } from "node:os";

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

/** CPU time of all cores since the machine started. */
function busyMs(): number {
  const isNice = getPriority() > 0;
  return cpus().reduce((sum, { times }) => sum + times.user + times.sys + times.irq + (isNice ? times.nice : 0), 0);
}
