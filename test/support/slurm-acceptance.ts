// What a study on Slurm goes through, on whatever Slurm: an array of eight with two at a time, one trial cancelled, one
// preempted, one out of time. In the end its table is that of a local run.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type Ended, filesOf, type Trial, trialsOf, until, type Workplace } from "./cli.ts";

export interface Cluster {
  readonly environment: NodeJS.ProcessEnv;
  /** Overrides that a launcher needs there. */
  readonly launcher: readonly string[];
  /** Sends SIGUSR2 to a task, as Slurm does when its time is nearly up. */
  announceEnd(task: string): void;
  /** Has a running task make room for something more urgent. */
  preempt(task: string): void;
}

/** Enough for a trial to be caught in the middle by a scheduler that looks once a second. */
const EPOCHS = 800;
const STUDY_ARGUMENTS = ["tiny", "--seeds", "4", `trainer.epochs=${EPOCHS}`];
const TASKS = 8;
const WAIT_MS = 150_000;

export interface AttemptEnd {
  readonly outcome: string;
  readonly reason?: string;
  readonly epochs: number;
  readonly code: number;
  readonly host: string;
  readonly job?: { readonly id: string };
}

export function attemptsOf(folder: string, trial: string): AttemptEnd[] {
  const attempts = join(folder, "runs/tiny/trials", trial, "attempts");
  return (existsSync(attempts) ? readdirSync(attempts) : [])
    .sort()
    .map((number) => join(attempts, number, "exit.json"))
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, "utf8")) as AttemptEnd);
}

export interface StoredArray {
  readonly trials: readonly string[];
  readonly jobs?: readonly string[];
  readonly name: string;
  readonly notSubmitted?: string;
}

export function arraysOf(folder: string): StoredArray[] {
  const arrays = join(folder, "runs/tiny/arrays");
  return (existsSync(arrays) ? readdirSync(arrays) : [])
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(arrays, name), "utf8")) as StoredArray);
}

/** Trains the study on this machine: what everything must come to. */
export async function trainHere(place: Workplace): Promise<Ended> {
  const ended = await place.exp("run", ...STUDY_ARGUMENTS, "--jobs", "2");
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return ended;
}

/** @param local what `trainHere` gave, and where */
export async function goThrough(
  place: Workplace,
  cluster: Cluster,
  local: { readonly place: Workplace; readonly ended: Ended },
): Promise<void> {
  const exp = (...args: string[]) => place.expWith(cluster.environment, ...args);
  const submitted = await exp(
    "run",
    ...STUDY_ARGUMENTS,
    "--launcher",
    "slurm",
    "launcher.throttle=2",
    ...cluster.launcher,
  );
  expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
  const [array] = arraysOf(place.folder);
  const [job] = array?.jobs ?? [];
  expect(submitted.stdout).toBe(`array 1: 8 trials, job ${job}\n`);
  expect(array?.trials).toHaveLength(TASKS);

  let busiest = 0;
  const trials = (): Trial[] => {
    const all = trialsOf(place.folder);
    busiest = Math.max(busiest, all.filter(({ id }) => isLeased(place, id)).length);
    return all;
  };
  const isTraining = ({ isDone, epochs, state }: Trial) => !isDone && epochs > 0 && state === "running";
  const taskOf = ({ id }: Trial) => `${job}_${array?.trials.indexOf(id)}`;

  /** Does something to a trial in the middle, and again to another should that one have ended just before. */
  const hit = async (act: (task: string) => void, reason: string): Promise<Trial> => {
    const hitBefore = () => trials().find(({ id }) => attemptsOf(place.folder, id)[0]?.reason === reason);
    for (let tries = 0; tries < 20; tries++) {
      const victim = await until(() => trials().find(isTraining), "a trial in the middle", WAIT_MS);
      try {
        act(taskOf(victim));
      } catch {
        // It has ended just now.
      }
      const again = Date.now() + 8000;
      await until(() => hitBefore() !== undefined || Date.now() > again, "a trial to be paused", WAIT_MS);
      const found = hitBefore();
      if (found !== undefined) {
        return found;
      }
    }
    throw new Error(`no trial was paused by ${reason}`);
  };
  const late = await hit(cluster.announceEnd, "SIGUSR2");
  expect(attemptsOf(place.folder, late.id)[0]).toMatchObject({ outcome: "paused", reason: "SIGUSR2", code: 75 });
  expect(attemptsOf(place.folder, late.id)[0]?.epochs).toBeGreaterThan(0);

  const cancelled = array?.trials.at(-1) ?? "";
  const cancel = await exp("cancel", "tiny", cancelled.slice(0, 8));
  expect(cancel, cancel.stderr).toMatchObject({ code: 0 });
  expect(cancel.stdout).toBe("1 trial is cancelled; 1 waited or ran.\n");

  const preempted = await hit(cluster.preempt, "SIGTERM");

  const watched = await exp("watch", "tiny", "--every", "0.5");
  trials();
  expect(watched, watched.stderr).toMatchObject({ code: 1 });
  expect(watched.stderr).toContain("1 cancelled of 8 trials.");
  expect(
    trialsOf(place.folder)
      .filter(({ isDone }) => !isDone)
      .map(({ id }) => id),
  ).toEqual([cancelled]);
  expect(busiest).toBeLessThanOrEqual(2);
  expect(busiest).toBeGreaterThan(0);
  for (const { id } of [late, preempted]) {
    const [first, second] = attemptsOf(place.folder, id);
    expect(second).toMatchObject({ outcome: "done", job: { id: first?.job?.id }, epochs: EPOCHS });
    const log = readFileSync(join(place.folder, "runs/tiny/trials", id, "worker.log"), "utf8");
    // A preempted one may have just begun.
    expect(log).toContain(first?.epochs === 0 ? "" : `goes on after epoch ${first?.epochs}`);
  }

  const resumed = await exp("resume", "tiny");
  expect(resumed, resumed.stderr).toMatchObject({ code: 0 });
  expect(arraysOf(place.folder).map((each) => each.trials)).toEqual([array?.trials, [cancelled]]);
  const ended = await exp("watch", "tiny", "--every", "0.5");
  expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: local.ended.stdout });
  for (const name of ["trial.json", "predictions.csv", "test-probabilities.npz"]) {
    expect(filesOf(place.folder, name)).toEqual(filesOf(local.place.folder, name));
  }
}

function isLeased(place: Workplace, id: string): boolean {
  return existsSync(join(place.folder, "runs/tiny/trials", id, "lease"));
}
