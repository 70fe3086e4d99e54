// One runner per experiment: a lock file that names the process which holds it, and is taken over when that process
// is gone.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";

interface Holder {
  readonly pid: number;
  /** When the process started, in the system's own count; absent where it cannot be known. */
  readonly started?: string | undefined;
  readonly host: string;
  readonly at: string;
}

/** Locks that this process has. */
const held = new Set<string>();

/** @returns releases the lock. @throws MerclabError `storage` while another process holds it */
export async function lockExperiment(folder: string): Promise<() => void> {
  const file = join(folder, "run.lock");
  try {
    await mkdir(folder, { recursive: true });
    take(file);
    held.add(file);
  } catch (cause) {
    if (cause instanceof MerclabError) {
      throw cause;
    }
    throw new MerclabError("storage", `cannot write in ${folder}: ${(cause as Error).message}`, {
      hint: "Check space and permissions, or give another folder with --runs DIR.",
      cause,
    });
  }
  return () => {
    held.delete(file);
    rmSync(file, { force: true });
  };
}

function take(file: string): void {
  const mine = JSON.stringify({
    pid: process.pid,
    started: startOf(process.pid),
    host: hostname(),
    at: new Date().toISOString(),
  } satisfies Holder);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, mine, { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 0) {
        throw error;
      }
    }
    const seen = readText(file);
    refuseLiving(seen, file);
    removeStale(file, seen);
  }
}

/** Removes the lock that was seen; when somebody else has just replaced it, gives theirs back and refuses. */
function removeStale(file: string, seen: string | undefined): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // gone
  }
  const moved = readText(aside);
  if (moved !== seen) {
    linkSync(aside, file);
  }
  rmSync(aside, { force: true });
  if (moved !== seen) {
    refuseLiving(moved, file);
  }
}

function refuseLiving(text: string | undefined, file: string): void {
  const holder = parseHolder(text);
  if (holder !== undefined && (holder.host !== hostname() || isAlive(holder, file))) {
    throw new MerclabError("storage", `process ${holder.pid} on ${holder.host} is running this experiment`, {
      where: file,
      hint: "Wait for it, or remove the file if that process is gone.",
    });
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // gone
  }
}

/** @returns undefined for what a crash left of a lock: nothing, or torn text */
function parseHolder(text: string | undefined): Holder | undefined {
  try {
    const holder = JSON.parse(text ?? "") as Holder | null;
    return Number.isSafeInteger(holder?.pid) ? (holder ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers of processes come again, in containers at once, and clocks jump: neither alone says who holds a lock. */
function isAlive({ pid, started }: Holder, file: string): boolean {
  if (pid === process.pid) {
    return held.has(file);
  }
  const now = startOf(pid);
  if (started !== undefined && now !== undefined && now !== started) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** On Linux: the boot, and the ticks since then at which a process started. */
function startOf(pid: number): string | undefined {
  // The second field is a name in parentheses, which may hold blanks and parentheses itself.
  const fields = readText(`/proc/${pid}/stat`)?.split(")").at(-1)?.trim().split(" ");
  const boot = readText("/proc/sys/kernel/random/boot_id")?.trim();
  return fields?.[19] === undefined || boot === undefined ? undefined : `${boot} ${fields[19]}`;
}
