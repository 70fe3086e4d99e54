// kill -9 at random moments: of the command, of its workers, of all of them together; and the command started again.
import { execFileSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { drawUniform, keyFromSeed } from "@merclab/core";
import type { Running, Workplace } from "./cli.ts";

const VICTIMS = ["runner", "worker", "group"] as const;
type Victim = (typeof VICTIMS)[number];

/** Longest life of a command, and of a pair of workers, before the kill. Some kills hit what is still loading. */
const LONGEST_MS = { runner: 3000, group: 3000, worker: 800 } as const satisfies Record<Victim, number>;

export interface Disturbance {
  readonly kills: Readonly<Record<Victim, number>>;
  /** Exit codes of the runs that came to their end all the same, in order. */
  readonly codes: readonly (number | string | null)[];
}

/**
 * Runs studies until so many kills are done; after each kill of the command it is started again.
 *
 * @param seed of what is killed, and when
 * @param nextRun arguments of the command; called again whenever a run came to its end, with the number of kills so far
 */
export async function disturb(
  place: Workplace,
  environment: NodeJS.ProcessEnv,
  count: number,
  seed: number,
  nextRun: (killed: number) => readonly string[],
): Promise<Disturbance> {
  const draws = drawUniform(keyFromSeed(seed), 3 * count, 0, 1);
  const kills = { runner: 0, worker: 0, group: 0 };
  const codes: Disturbance["codes"][number][] = [];
  let args = nextRun(0);
  let run: Running | undefined;
  for (let killed = 0; killed < count; ) {
    run ??= place.startWith(environment, ...args);
    const [when = 0, what = 0, which = 0] = draws.subarray(3 * killed);
    const victim = VICTIMS[what < 0.12 ? 0 : what < 0.9 ? 1 : 2] as Victim;
    const { child } = run;
    const pid = child.pid ?? Number.NaN;
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    const waited = async () => {
      while (victim === "worker" && workersOf(pid).length === 0 && !isOver()) {
        await pause(50);
      }
      await pause(when * LONGEST_MS[victim]);
      return undefined;
    };
    const over = await Promise.race([run.ended, waited()]);
    if (over !== undefined) {
      codes.push(over.code);
      args = nextRun(killed);
      run = undefined;
      continue;
    }
    if (!killOne(victim, pid, which)) {
      continue; // it ended just now
    }
    kills[victim] += 1;
    killed += 1;
    if (victim !== "worker") {
      await run.ended;
      run = undefined;
    }
  }
  if (run !== undefined) {
    codes.push((await run.ended).code);
  }
  return { kills, codes };
}

/** @returns whether there was something to kill */
function killOne(victim: Victim, runner: number, which: number): boolean {
  try {
    if (victim === "worker") {
      const workers = workersOf(runner);
      const worker = workers[Math.floor(which * workers.length)];
      return worker !== undefined && process.kill(worker, "SIGKILL");
    }
    return process.kill(victim === "group" ? -runner : runner, "SIGKILL");
  } catch {
    return false;
  }
}

function workersOf(runner: number): number[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8", maxBuffer: 1e8 })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, ...args]) => Number(parent) === runner && args.includes("work"))
    .map(([pid]) => Number(pid));
}
