// One shipper per run and server: a study that is shipped while it runs, and any number of `exp sync` beside it, take
// turns.
import { statSync } from "node:fs";
import { mkdir, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MerclabError } from "@merclab/core";
import { takeLock } from "../study/lock.ts";
import { type Destination, trackingFile } from "./tracking-file.ts";

const BUSY_PAUSE_MS = 50;
/** A lock of another machine's process that has not been touched for so long is that of one that died. */
const FORGOTTEN_MS = 600_000;
const TOUCH_MS = 60_000;

/** Does `work` while nobody else ships the run of the folder to the same place. */
export async function shippingAlone<T>(
  folder: string,
  to: Destination,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const file = trackingFile(folder, to).replace(/\.json$/, ".lock");
  await mkdir(dirname(file), { recursive: true });
  const release = await takeWhenFree(file, signal);
  const touch = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, TOUCH_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    release();
  }
}

async function takeWhenFree(file: string, signal: AbortSignal): Promise<() => void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return takeLock(file, { isForgotten: ageOf(file) > FORGOTTEN_MS });
    } catch (error) {
      const isBusy = error instanceof MerclabError || (error as NodeJS.ErrnoException).code === "EEXIST";
      if (!isBusy) {
        throw error;
      }
      await sleep(BUSY_PAUSE_MS, undefined, { signal });
    }
  }
}

function ageOf(file: string): number {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
