// What the system says about memory: how often it ended processes of this control group, and how much a process holds.
// Both are known on Linux; elsewhere nothing is.
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

/** Files that count kills: of version 2 and of version 1 of control groups, by their line of /proc/self/cgroup. */
const COUNTERS: readonly { readonly line: RegExp; readonly root: string; readonly file: string }[] = [
  { line: /^0::(.*)$/m, root: "/sys/fs/cgroup", file: "memory.events" },
  { line: /^\d+:(?:\S*,)?memory(?:,\S*)?:(.*)$/m, root: "/sys/fs/cgroup/memory", file: "memory.oom_control" },
];

/** Processes that the system killed in this control group for want of memory; undefined where it does not count. */
export function countMemoryKills(): number | undefined {
  const groups = readText("/proc/self/cgroup") ?? "";
  for (const { line, root, file } of COUNTERS) {
    const [, path = "/"] = line.exec(groups) ?? [];
    // Within a container the path may be that of the machine outside, and the group's files lie at the root.
    for (const folder of [`${root}${path}`, root]) {
      const count = parseMemoryKills(readText(`${folder}/${file}`) ?? "");
      if (count !== undefined) {
        return count;
      }
    }
  }
  return undefined;
}

/** @param text of `memory.events` or `memory.oom_control` */
export function parseMemoryKills(text: string): number | undefined {
  const [, count] = /^oom_kill (\d+)$/m.exec(text) ?? [];
  return count === undefined ? undefined : Number(count);
}

/** Resident memory of a process in bytes; undefined where it is gone, or cannot be known. */
export function residentBytes(pid: number): number | undefined {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? "") ?? [];
  return kilobytes === undefined ? undefined : 1024 * Number(kilobytes);
}

/** Memory that processes here may have together: of the control group, else of the machine. */
export function memoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
