// Who trains a trial right now: a folder `lease/` inside the trial's, which only one process can put there, on whatever
// hosts they run. It names its owner, and is broken when that one is certainly gone: on the same machine by the
// process, elsewhere when its heartbeat has stopped.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MerclabError } from "@merclab/core/errors";
import writeFileAtomic from "write-file-atomic";
import { isHere, lives, type ProcessIdentity, thisProcess } from "../process-identity.ts";
import { cannotWrite, TRIAL_FILES } from "../store/experiment-store.ts";
import type { SchedulerJob } from "./scheduler-job.ts";

export const BEAT_MS = 15_000;
/** An owner on another host is believed for so long after its last beat: clocks differ, and shared disks lag. */
const SILENCE_MS = 300_000;

export interface LeaseOwner extends ProcessIdentity {
  /** Tells this lease from one that the same process held before. */
  readonly token: string;
  /** What runs it, where a scheduler does. */
  readonly job?: SchedulerJob;
  readonly at: string;
}

/** A trial that this process may train; beats by itself until released. */
export interface Lease {
  readonly owner: LeaseOwner;
  /** False once somebody has taken it over, who believed this process to be gone. */
  isHeld(): boolean;
  release(): void;
}

/** A lease of somebody who lives. */
export interface LeaseHolder {
  readonly owner: LeaseOwner;
  /** Milliseconds since its last beat. */
  readonly silentMs: number;
}

/**
 * @param folder of the trial
 * @returns the lease, or who holds it
 * @throws MerclabError `storage`
 */
export function takeLease(
  folder: string,
  job?: SchedulerJob,
): { readonly lease: Lease } | { readonly holder: LeaseHolder } {
  const lease = join(folder, TRIAL_FILES.lease);
  const owner: LeaseOwner = {
    ...thisProcess(),
    token: randomBytes(8).toString("hex"),
    ...(job === undefined ? {} : { job }),
    at: new Date().toISOString(),
  };
  const prepared = `${lease}.${owner.token}`;
  try {
    mkdirSync(prepared);
    writeFileSync(join(prepared, "owner.json"), `${JSON.stringify(owner, null, 2)}\n`);
    for (let attempt = 0; ; attempt++) {
      if (putInPlace(prepared, lease)) {
        removeRemains(folder);
        return { lease: hold(folder, owner) };
      }
      const seen = readOwner(folder);
      const holder = seen === undefined ? undefined : livingHolder(folder, seen, job);
      if (holder !== undefined) {
        return { holder };
      }
      if (attempt > 2) {
        throw new MerclabError("storage", `cannot take the lease of ${folder}: others keep taking it`);
      }
      breakLease(lease, seen?.token);
    }
  } catch (cause) {
    throw cannotWrite(`in ${folder}`, cause);
  } finally {
    if (existsSync(prepared)) {
      rmSync(prepared, { recursive: true, force: true });
    }
  }
}

/** Who trains the trial of a folder; undefined when nobody does. */
export function readHolder(folder: string): LeaseHolder | undefined {
  const owner = readOwner(folder);
  return owner === undefined ? undefined : livingHolder(folder, owner, undefined);
}

/** "Slurm job 12_3 on node1", "process 4711 on laptop" */
export function describeOwner({ host, pid, job }: LeaseOwner): string {
  return job === undefined ? `process ${pid} on ${host}` : `${job.scheduler} job ${job.id} on ${host}`;
}

/** Renaming a folder fails where one lies that is not empty: this, unlike mkdir, never shows a lease without owner. */
function putInPlace(prepared: string, lease: string): boolean {
  try {
    renameSync(prepared, lease);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) {
      return false;
    }
    throw error;
  }
}

function hold(folder: string, owner: LeaseOwner): Lease {
  const isHeld = () => readOwner(folder)?.token === owner.token;
  const beat = () => {
    try {
      if (isHeld()) {
        writeFileAtomic.sync(
          join(folder, TRIAL_FILES.heartbeat),
          `${JSON.stringify({ token: owner.token, at: now() })}\n`,
        );
      }
    } catch {
      // A beat that cannot be written is one that is missed.
    }
  };
  beat();
  const timer = setInterval(beat, BEAT_MS);
  timer.unref();
  return {
    owner,
    isHeld,
    release() {
      clearInterval(timer);
      if (isHeld()) {
        rmSync(join(folder, TRIAL_FILES.heartbeat), { force: true });
        breakLease(join(folder, TRIAL_FILES.lease), owner.token);
      }
    },
  };
}

/** Takes the lease that was seen away; one that somebody else has just put there goes back. */
function breakLease(lease: string, token: string | undefined): void {
  const aside = `${lease}.broken-${randomBytes(8).toString("hex")}`;
  try {
    renameSync(lease, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return; // somebody else broke it
    }
    throw error;
  }
  if (ownerIn(aside)?.token !== token && putInPlace(aside, lease)) {
    return;
  }
  rmSync(aside, { recursive: true, force: true });
}

/** What those left who were killed while they took, broke or beat for a lease; what belongs to the living stays. */
function removeRemains(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const isDraft = name.startsWith(`${TRIAL_FILES.heartbeat}.`);
    if (isDraft || (name.startsWith(`${TRIAL_FILES.lease}.`) && !isInUse(path))) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Whether somebody is about to put this lease in place, or to put it back. */
function isInUse(lease: string): boolean {
  const owner = ownerIn(lease);
  const since = owner === undefined ? statSync(lease, { throwIfNoEntry: false })?.mtimeMs : Date.parse(owner.at);
  const silentMs = Date.now() - (since ?? 0);
  return owner === undefined ? silentMs < SILENCE_MS : isAlive(owner, silentMs, undefined);
}

function readOwner(folder: string): LeaseOwner | undefined {
  return ownerIn(join(folder, TRIAL_FILES.lease));
}

/** @returns undefined where there is no lease, or what a crash left of one */
function ownerIn(lease: string): LeaseOwner | undefined {
  return parseFile<LeaseOwner>(join(lease, "owner.json"));
}

function livingHolder(folder: string, owner: LeaseOwner, job: SchedulerJob | undefined): LeaseHolder | undefined {
  const beat = parseFile<{ token: string; at: string }>(join(folder, TRIAL_FILES.heartbeat));
  const silentMs = Math.max(0, Date.now() - Date.parse(beat?.token === owner.token ? beat.at : owner.at));
  return isAlive(owner, silentMs, job) ? { owner, silentMs } : undefined;
}

function isAlive(owner: LeaseOwner, silentMs: number, job: SchedulerJob | undefined): boolean {
  if (job !== undefined && job.id === owner.job?.id && job.scheduler === owner.job.scheduler) {
    // Its scheduler runs a job once at a time: a restart means that the run before is over.
    if (job.restart > owner.job.restart) {
      return false;
    }
  }
  return isHere(owner) ? lives(owner) : silentMs < SILENCE_MS;
}

function parseFile<T extends object>(file: string): T | undefined {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as T | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function now(): string {
  return new Date().toISOString();
}
