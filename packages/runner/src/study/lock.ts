// Lock files that name the process which holds them, and are taken over when that process is gone: one runner per
// experiment, and one shipper per run.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core/errors";
import { isHere, lives, type ProcessIdentity, thisProcess } from "../process-identity.ts";
import { cannotWrite } from "../store/experiment-store.ts";

interface Holder extends ProcessIdentity {
  readonly at: string;
}

const RUN_LOCK = "run.lock";

/** Locks that this process has. */
const held = new Set<string>();

/** @returns releases the lock. @throws MerclabError `storage` while another process holds it */
export async function lockExperiment(folder: string): Promise<() => void> {
  const file = join(folder, RUN_LOCK);
  try {
    await mkdir(folder, { recursive: true });
    return takeLock(file);
  } catch (cause) {
    throw cannotWrite(`in ${folder}`, cause);
  }
}

/** Who runs an experiment on this machine; undefined when nobody does. */
export function localRunner(folder: string): Holder | undefined {
  const holder = parseHolder(readText(join(folder, RUN_LOCK)));
  return holder !== undefined && isHere(holder) && lives(holder) ? holder : undefined;
}

/** Whether a process runs the experiment. */
export function isExperimentRunning(folder: string): boolean {
  return isHeld(parseHolder(readText(join(folder, RUN_LOCK))), join(folder, RUN_LOCK));
}

/**
 * @param doing what a process that holds the lock does, for the message
 * @param isForgotten the lock that is there counts for nothing, whoever held it
 * @returns releases the lock. @throws MerclabError `storage` while another process holds it
 */
export function takeLock(file: string, { isForgotten = false, doing = "is running this experiment" } = {}): () => void {
  const mine = JSON.stringify({ ...thisProcess(), at: new Date().toISOString() } satisfies Holder);
  for (let attempt = 0; ; attempt++) {
    try {
      createWhole(file, mine);
      held.add(file);
      return () => {
        held.delete(file);
        rmSync(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 0) {
        throw error;
      }
    }
    const seen = readText(file);
    if (!isForgotten) {
      refuseLiving(seen, file, doing);
    }
    removeStale(file, seen, doing);
  }
}

/** Nobody sees the file without its text, which would look like what a crash leaves. @throws Error `EEXIST` */
function createWhole(file: string, text: string): void {
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, text);
  try {
    linkSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes the lock that was seen; when somebody else has just replaced it, gives theirs back and refuses. */
function removeStale(file: string, seen: string | undefined, doing: string): void {
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
    refuseLiving(moved, file, doing);
  }
}

function refuseLiving(text: string | undefined, file: string, doing: string): void {
  const holder = parseHolder(text);
  if (holder !== undefined && isHeld(holder, file)) {
    throw new MerclabError("storage", `process ${holder.pid} on ${holder.host} ${doing}`, {
      where: file,
      hint: "Wait for it, or remove the file if that process is gone.",
    });
  }
}

/** Whoever runs on another machine is believed to live. */
function isHeld(holder: Holder | undefined, file: string): boolean {
  if (holder === undefined) {
    return false;
  }
  if (!isHere(holder)) {
    return holder.host !== hostname();
  }
  return holder.pid === process.pid ? held.has(file) : lives(holder);
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
