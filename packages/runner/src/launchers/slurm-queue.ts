// What Slurm knows of job arrays: squeue for what waits, runs, or ended some minutes ago, and sacct, where there is
// accounting, for what ended before. Jobs are asked for by name, since ids come again.
import { call } from "./call.ts";
import type { TaskState } from "./launcher.ts";

export interface KnownArray {
  readonly job: string;
  readonly tasks: ReadonlyMap<number, TaskState>;
}

/** States (squeue(1), "JOB STATE CODES") in which a task holds or will hold a node; all others are final. */
const RUNNING = new Set(["RUNNING", "COMPLETING", "SUSPENDED", "SIGNALING", "STOPPED", "STAGE_OUT"]);
const WAITING = new Set([
  "PENDING",
  "CONFIGURING",
  "REQUEUED",
  "REQUEUE_FED",
  "REQUEUE_HOLD",
  "RESIZING",
  "SPECIAL_EXIT",
  "RESV_DEL_HOLD",
]);

/**
 * @param names of arrays
 * @returns by name, those that Slurm knows
 * @throws MerclabError `config` when Slurm does not answer
 */
export async function pollSlurm(names: readonly string[]): Promise<Map<string, KnownArray>> {
  const known = new Map<string, { job: string; tasks: Map<number, TaskState> }>();
  if (names.length === 0) {
    return known;
  }
  const add = (name: string, job: string, indices: readonly number[], state: string, detail: string) => {
    const array = known.get(name) ?? { job, tasks: new Map() };
    known.set(name, array);
    for (const index of indices) {
      array.tasks.set(index, { state: kindOf(state), detail, job: `${job}_${index}` });
    }
  };
  const wanted = new Set(names);
  // Of a requeued task accounting has several records, the last one last; what the queue says is newer than all.
  for (const [id = "", name = "", state = "", exit = ""] of await accounting(names)) {
    const [job = "", index] = id.split("_");
    if (index !== undefined && wanted.has(name)) {
      const plain = state.split(" ")[0] ?? ""; // "CANCELLED by 1000"
      add(
        name,
        job,
        parseIndices(index),
        plain,
        plain === "FAILED" ? `FAILED, exit code ${exit.split(":")[0]}` : plain,
      );
    }
  }
  const queue = await call("squeue", [
    "--noheader",
    "--array",
    "--states=all",
    `--name=${names.join(",")}`,
    "--format=%F|%K|%T|%r|%j",
  ]);
  for (const [job = "", index = "", state = "", reason = "", name = ""] of rows(queue)) {
    if (wanted.has(name)) {
      add(name, job, parseIndices(index), state, kindOf(state) === "waiting" ? `${state} (${reason})` : state);
    }
  }
  return known;
}

/** "4", "[4-9%2]", "1,3,5-7", "0-8:2"; none for what is no list */
export function parseIndices(text: string): number[] {
  return text
    .replace(/^\[|\]$|%\d+\]?$/g, "")
    .split(",")
    .flatMap((part) => {
      const match = /^(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(part);
      if (match === null) {
        return [];
      }
      const [first = 0, last = first, step = 1] = match.slice(1).map((each) => each && Number(each)) as number[];
      return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
    });
}

/** "0,2-5": the shortest list for sorted indices. */
export function indexText(indices: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const index of [...indices].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) {
      last[1] = index;
    } else {
      ranges.push([index, index]);
    }
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}

function kindOf(state: string): TaskState["state"] {
  return RUNNING.has(state) ? "running" : WAITING.has(state) ? "waiting" : "ended";
}

/** Many clusters have none, and some answer late: the queue is what counts. */
async function accounting(names: readonly string[]): Promise<string[][]> {
  try {
    return rows(
      await call("sacct", [
        "--noheader",
        "--parsable2",
        "--allocations",
        "--duplicates",
        "--starttime=now-90days",
        `--name=${names.join(",")}`,
        "--format=JobID,JobName,State,ExitCode",
      ]),
    );
  } catch {
    return [];
  }
}

function rows(text: string): string[][] {
  return text
    .split("\n")
    .filter((row) => row.trim() !== "")
    .map((row) => row.trim().split("|"));
}
