// One look at machine and process, under the names by which MLflow's page shows system metrics; those of the process
// that trains are ours.
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";
import type { GpuSample } from "./gpus.ts";

/** Clocks, of which a sample needs the difference to the one before. */
export interface Clocks {
  /** Milliseconds since any time. */
  readonly at: number;
  /** CPU time of this process, in microseconds. */
  readonly process: number;
  /** Of all cores, in milliseconds. */
  readonly busy: number;
  readonly idle: number;
}

export function readClocks(): Clocks {
  const { user, system } = process.cpuUsage();
  let [busy, idle] = [0, 0];
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { at: performance.now(), process: user + system, busy, idle };
}

const MEGABYTE = 1e6;

/** @param folder whose disk is looked at */
export async function systemSample(
  before: Clocks,
  now: Clocks,
  folder: string,
  gpus: readonly GpuSample[],
): Promise<Record<string, number>> {
  const [total, free] = [totalmem(), freemem()];
  const cores = now.busy - before.busy + now.idle - before.idle;
  const elapsed = now.at - before.at;
  return named({
    cpu_utilization_percentage: cores > 0 ? (100 * (now.busy - before.busy)) / cores : undefined,
    system_memory_usage_megabytes: (total - free) / MEGABYTE,
    system_memory_usage_percentage: (100 * (total - free)) / total,
    load_average_1m: loadavg()[0],
    load_average_1m_per_core: (loadavg()[0] ?? 0) / availableParallelism(),
    // Of one core, as top shows it.
    process_cpu_utilization_percentage: elapsed > 0 ? (now.process - before.process) / 10 / elapsed : undefined,
    process_memory_usage_megabytes: process.memoryUsage.rss() / MEGABYTE,
    ...(await diskSample(folder)),
    ...Object.assign({}, ...gpus.map(gpuSample)),
  });
}

async function diskSample(folder: string): Promise<Record<string, number>> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(folder);
    return {
      disk_usage_megabytes: (bsize * (blocks - bfree)) / MEGABYTE,
      disk_usage_percentage: (100 * (blocks - bfree)) / blocks,
      disk_available_megabytes: (bsize * bavail) / MEGABYTE,
    };
  } catch {
    return {};
  }
}

function gpuSample(gpu: GpuSample): Record<string, number | undefined> {
  const { index, utilization, memoryUsedMegabytes: used, memoryTotalMegabytes: of, powerWatts, powerLimitWatts } = gpu;
  return {
    [`gpu_${index}_utilization_percentage`]: utilization,
    [`gpu_${index}_memory_usage_megabytes`]: used,
    [`gpu_${index}_memory_usage_percentage`]: share(used, of),
    [`gpu_${index}_power_usage_watts`]: powerWatts,
    [`gpu_${index}_power_usage_percentage`]: share(powerWatts, powerLimitWatts),
  };
}

function share(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined || whole === 0 ? undefined : (100 * part) / whole;
}

/** Three decimals: more is noise. */
function named(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined || !Number.isFinite(value) ? [] : [[`system/${name}`, Math.round(value * 1e3) / 1e3]],
    ),
  );
}
