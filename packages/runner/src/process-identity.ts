// Which process it was: numbers of processes come again, in containers at once, so that a number alone says nothing.
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process on some machine; all but the first two only where the system tells. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  /** When the process started, in ticks since boot. */
  readonly processStart?: string;
  readonly boot?: string;
  readonly pidNamespace?: string;
}

export function thisProcess(): ProcessIdentity {
  const processStart = startOf(process.pid);
  const boot = readText("/proc/sys/kernel/random/boot_id")?.trim();
  const pidNamespace = readLink("/proc/self/ns/pid");
  return {
    host: hostname(),
    pid: process.pid,
    ...(processStart === undefined ? {} : { processStart }),
    ...(boot === undefined ? {} : { boot }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
  };
}

/** Whether this machine would see the process, if it lived. */
export function isHere({ host, boot, pidNamespace }: ProcessIdentity): boolean {
  const here = thisProcess();
  const agrees = (told: string | undefined, own: string | undefined) => told === undefined || told === own;
  return host === here.host && agrees(boot, here.boot) && agrees(pidNamespace, here.pidNamespace);
}

/** Of a process of this machine. */
export function lives({ pid, processStart }: ProcessIdentity): boolean {
  if (processStart !== undefined) {
    return startOf(pid) === processStart;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); undefined for a process that is gone, or has ended and waits to be reaped. */
function startOf(pid: number): string | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const [state, ...rest] = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  return state === "Z" || state === "X" ? undefined : rest[18];
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function readLink(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}
