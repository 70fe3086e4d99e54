// kill -9 at random moments, of everything that has a part in a study: `exp run` and its workers, the supervisors that
// launchers start and their trainers, and what ships beside them; and each of them started again.
import { execFileSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { drawUniform, keyFromSeed } from "@merclab/core";
import type { Running, Workplace } from "./cli.ts";

/**
 * Shares of the kills, once there was one of each. `group` is `exp run` with its workers, `node` are all supervisors
 * with their trainers; what is the shipper's falls to the last one where nothing ships.
 */
const VICTIMS = {
  run: { shipper: 0.06, runner: 0.12, group: 0.12, worker: 0.7 },
  supervised: { shipper: 0.1, supervisor: 0.3, node: 0.25, trainer: 0.35 },
} as const;
type Way = keyof typeof VICTIMS;
export type Victim = { [way in Way]: keyof (typeof VICTIMS)[way] }[Way];

/** Longest life before the kill: of a command, and of a process that trains. Some kills hit what is still loading. */
const LONGEST_MS = { command: 3000, trainer: 800 } as const;
const SUPERVISORS = 2;

export interface Disturbance {
  readonly kills: Readonly<Record<Victim, number>>;
  /** Exit codes of the commands that came to their end all the same, in order. */
  readonly codes: readonly (number | string | null)[];
}

/** Command lines of one study, for each way to train it. */
export type Commands = Readonly<Record<Way, readonly string[]>>;

/**
 * Trains studies in both ways in turns until so many kills are done. What was killed is started again: `exp run` and
 * whole nodes as the other way, a supervisor and a shipper as they were.
 *
 * @param seed of what is killed, and when
 * @param shipper what ships meanwhile, if anything
 * @param nextStudy called whenever commands came to their end or were killed
 */
export async function disturb(
  place: Workplace,
  environment: NodeJS.ProcessEnv,
  count: number,
  seed: number,
  shipper: readonly string[] | undefined,
  nextStudy: () => Promise<Commands>,
): Promise<Disturbance> {
  const draws = drawUniform(keyFromSeed(seed), 3 * count, 0, 1);
  const kills = { runner: 0, worker: 0, group: 0, supervisor: 0, trainer: 0, node: 0, shipper: 0 };
  const codes: Disturbance["codes"][number][] = [];
  const start = (args: readonly string[]) => place.startWith(environment, ...args);
  let shipping = shipper === undefined ? undefined : start(shipper);
  let way: Way = "supervised";
  let crew: Running[] = [];
  let args: readonly string[] = [];
  for (let killed = 0; killed < count; ) {
    if (crew.length === 0) {
      way = way === "run" ? "supervised" : "run";
      args = (await nextStudy())[way];
      crew = Array.from({ length: way === "run" ? 1 : SUPERVISORS }, () => start(args));
    }
    const [when = 0, what = 0, which = 0] = draws.subarray(3 * killed);
    const victim = chooseVictim(way, what, shipping !== undefined, kills);
    const ended = Promise.all(crew.map((each) => each.ended));
    const over = await Promise.race([ended, momentOf(victim, when, crew)]);
    if (over !== undefined) {
      codes.push(...over.map(({ code }) => code));
      crew = [];
      continue;
    }
    const living = crew.filter(isAlive);
    const chosen = living[Math.floor(which * living.length)];
    if (victim === "shipper" && shipping !== undefined && shipper !== undefined) {
      killAll([shipping]);
      await shipping.ended;
      shipping = start(shipper);
    } else if (victim === "worker" || victim === "trainer") {
      const trainers = trainersOf(crew);
      const trainer = trainers[Math.floor(which * trainers.length)];
      if (trainer === undefined || !kill(trainer)) {
        continue; // it ended just now
      }
    } else if (victim === "supervisor") {
      if (chosen === undefined) {
        continue;
      }
      killAll([chosen]);
      await chosen.ended;
      crew = [...crew.filter((each) => each !== chosen), start(args)];
    } else {
      const trainers = victim === "runner" ? [] : trainersOf(crew);
      killAll(crew);
      trainers.forEach(kill);
      await ended;
      crew = [];
    }
    kills[victim] += 1;
    killed += 1;
  }
  codes.push(...(await Promise.all(crew.map((each) => each.ended))).map(({ code }) => code));
  shipping?.child.kill();
  await shipping?.ended;
  return { kills, codes };
}

function chooseVictim(way: Way, what: number, isShipped: boolean, kills: Disturbance["kills"]): Victim {
  const all = Object.entries(VICTIMS[way]) as [Victim, number][];
  const shares = all.filter(([victim]) => victim !== "shipper" || isShipped);
  const spared = shares.filter(([victim]) => kills[victim] === 0);
  const first = spared[Math.floor(what * spared.length)];
  if (first !== undefined) {
    return first[0];
  }
  let upTo = 0;
  for (const [victim, share] of shares) {
    upTo += share;
    if (what < upTo) {
      return victim;
    }
  }
  return way === "run" ? "worker" : "trainer";
}

async function momentOf(victim: Victim, when: number, crew: readonly Running[]): Promise<undefined> {
  const isTrainer = victim === "worker" || victim === "trainer";
  while (isTrainer && trainersOf(crew).length === 0 && crew.some(isAlive)) {
    await pause(50);
  }
  await pause(when * LONGEST_MS[isTrainer ? "trainer" : "command"]);
}

function isAlive({ child }: Running): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function killAll(commands: readonly Running[]): void {
  for (const { child } of commands.filter(isAlive)) {
    kill(child.pid ?? Number.NaN);
  }
}

/** @returns whether there was something to kill */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

/** Numbers of the processes that train for these commands: workers of a run, trainers of supervisors. */
function trainersOf(commands: readonly Running[]): number[] {
  const parents = new Set(commands.map(({ child }) => child.pid));
  return execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8", maxBuffer: 1e8 })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, ...words]) => parents.has(Number(parent)) && words.includes("work"))
    .map(([pid]) => Number(pid));
}
