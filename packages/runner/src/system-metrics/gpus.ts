// What nvidia-smi says of the GPUs, where there is one; a driver that is gone or hangs costs nothing but its numbers.
import { execFile } from "node:child_process";

export interface GpuSample {
  readonly index: number;
  /** Percent; absent what the GPU does not tell. */
  readonly utilization?: number;
  readonly memoryUsedMegabytes?: number;
  readonly memoryTotalMegabytes?: number;
  readonly powerWatts?: number;
  readonly powerLimitWatts?: number;
}

const FIELDS = ["index", "utilization.gpu", "memory.used", "memory.total", "power.draw", "power.limit"];
const ARGUMENTS = [`--query-gpu=${FIELDS.join(",")}`, "--format=csv,noheader,nounits"];
const TIMEOUT_MS = 5_000;

/** Empty once nvidia-smi is known not to be there. */
export function createGpuReader(): () => Promise<readonly GpuSample[]> {
  let isAbsent = false;
  return () =>
    new Promise((resolve) => {
      if (isAbsent) {
        resolve([]);
        return;
      }
      execFile("nvidia-smi", ARGUMENTS, { timeout: TIMEOUT_MS, killSignal: "SIGKILL" }, (error, stdout) => {
        isAbsent = (error as NodeJS.ErrnoException | null)?.code === "ENOENT";
        resolve(error === null ? parseGpus(stdout) : []);
      });
    });
}

/** Lines of comma-separated values without units; what is `[N/A]`, `[Not Supported]` or no line of a GPU is left out. */
export function parseGpus(text: string): GpuSample[] {
  return text.split("\n").flatMap((line) => {
    const cells = line.split(",").map((cell) => cell.trim());
    const [index, utilization, memoryUsedMegabytes, memoryTotalMegabytes, powerWatts, powerLimitWatts] = cells.map(
      (cell) => (/^\d+(\.\d+)?$/.test(cell) ? Number(cell) : undefined),
    );
    if (index === undefined || cells.length !== FIELDS.length) {
      return [];
    }
    const known = { utilization, memoryUsedMegabytes, memoryTotalMegabytes, powerWatts, powerLimitWatts };
    return [{ index, ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) }];
  });
}
