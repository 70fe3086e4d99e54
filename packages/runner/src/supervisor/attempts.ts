// `attempts/<k>/`: what a supervised trainer printed, and how it ended.
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson, removeUnfinished, TRIAL_FILES, writeJson } from "../store/experiment-store.ts";
import type { SchedulerJob } from "./scheduler-job.ts";

/** Attempts in a row that may be paused without having trained an epoch. */
const MAX_WITHOUT_PROGRESS = 3;

/** `exit.json`; an attempt without it had its supervisor killed. */
export interface AttemptEnd {
  readonly attempt: number;
  readonly outcome: "done" | "paused" | "cancelled" | "failed" | "out of memory" | "taken over";
  /** What `exp trial run` ended with. */
  readonly code: number;
  /** Exit code or signal of the trainer, where it is gone. */
  readonly exit?: string;
  /** What asked it to pause, or what went wrong. */
  readonly reason?: string;
  /** Epochs that the journal has. */
  readonly epochs: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly host: string;
  readonly job?: SchedulerJob;
}

export interface Attempt {
  readonly number: number;
  readonly folder: string;
  /** Files for what the trainer prints. */
  readonly stdout: string;
  readonly stderr: string;
}

export async function openAttempt(trialFolder: string): Promise<Attempt> {
  const number = 1 + Math.max(0, ...(await attemptNumbers(trialFolder)));
  await removeUnfinished(attemptFolder(trialFolder, number - 1));
  const folder = attemptFolder(trialFolder, number);
  await mkdir(folder, { recursive: true });
  return { number, folder, stdout: join(folder, "stdout.log"), stderr: join(folder, "stderr.log") };
}

export async function closeAttempt({ folder }: Attempt, end: AttemptEnd): Promise<void> {
  await writeJson(join(folder, "exit.json"), end);
}

/** Ends of all attempts that have one, the first one first. */
export async function readAttempts(trialFolder: string): Promise<AttemptEnd[]> {
  const numbers = (await attemptNumbers(trialFolder)).sort((a, b) => a - b);
  const ends = await Promise.all(
    numbers.map((number) => readJson<AttemptEnd>(join(attemptFolder(trialFolder, number), "exit.json"))),
  );
  return ends.filter((end) => end !== undefined);
}

/** True where a pause now would be one of many that led nowhere: each time fewer epochs fit than lie between pauses. */
export function isStuck(earlier: readonly AttemptEnd[], epochs: number): boolean {
  const last = earlier.slice(-(MAX_WITHOUT_PROGRESS - 1));
  return (
    last.length === MAX_WITHOUT_PROGRESS - 1 && last.every((end) => end.outcome === "paused" && end.epochs >= epochs)
  );
}

function attemptFolder(trialFolder: string, number: number): string {
  return join(trialFolder, TRIAL_FILES.attempts, String(number));
}

async function attemptNumbers(trialFolder: string): Promise<number[]> {
  const names = await readdir(join(trialFolder, TRIAL_FILES.attempts)).catch(() => []);
  return names.map(Number).filter(Number.isSafeInteger);
}
