// One runner per experiment: a lock file that names the process which holds it, and is taken over when that process
// is gone.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";

/** @returns releases the lock */
export async function lockExperiment(folder: string): Promise<() => void> {
  const file = join(folder, "run.lock");
  try {
    await mkdir(folder, { recursive: true });
    take(file);
  } catch (cause) {
    if (cause instanceof MerclabError) {
      throw cause;
    }
    throw new MerclabError("storage", `cannot write in ${folder}: ${(cause as Error).message}`, {
      hint: "Check space and permissions, or give another folder with --runs DIR.",
      cause,
    });
  }
  return () => rmSync(file, { force: true });
}

function take(file: string): void {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), at: new Date().toISOString() });
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, mine, { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 0) {
        throw error;
      }
    }
    const holder = readHolder(file);
    if (holder !== undefined && (holder.host !== hostname() || isAlive(holder.pid))) {
      throw new MerclabError("storage", `process ${holder.pid} on ${holder.host} is running this experiment`, {
        where: file,
        hint: "Wait for it, or remove the file if that process is gone.",
      });
    }
    rmSync(file, { force: true });
  }
}

function readHolder(file: string): { pid: number; host: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { pid: number; host: string };
  } catch {
    return undefined; // gone, or torn by a crash while it was written
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
