// How many trials run side by side, and on how many threads each: by default as many as cores and memory allow, one
// thread each while trials wait, and the free cores shared among those that start last. Threads change no number, so
// they are no part of a trial.
import { availableParallelism, freemem } from "node:os";
import { MerclabError, type PluginRegistry } from "@merclab/core";
import type { TrialSpec } from "../store/trial-files.ts";
import { createGpuPool, findGpus, type GpuPool } from "./gpus.ts";

/** Share of the available memory that trials are planned into. */
const MEMORY_SHARE = 0.8;

type Planned = Pick<TrialSpec, "config" | "parameters">;

export interface Machine {
  readonly cores: number;
  /** Memory that new processes can have without swapping. */
  readonly availableBytes: number;
  /** Names of GPUs that trials may use; looked for where they are absent and an engine wants to know. */
  readonly gpus?: readonly string[];
}

/** What a user asked for. */
export interface Wishes {
  /** Trials side by side. */
  readonly jobs?: number | undefined;
  /** Threads of each trial. */
  readonly threads?: number | undefined;
  /** GPUs of each trial whose engine uses one: 0.5, 1 or 2, for instance. */
  readonly gpusPerTrial?: number | undefined;
}

/** Cores in use, trials that run, and trials that wait, the one that starts now among them. */
export interface Load {
  readonly coresInUse: number;
  readonly running: number;
  readonly waiting: number;
}

export interface Schedule {
  /** Trials side by side. */
  readonly jobs: number;
  /** What a user should know: what limits the jobs, and wishes beyond what the machine has. */
  readonly notes: readonly string[];
  /** Threads of a trial that starts now. */
  threadsFor(trial: Planned, load: Load): number;
  /** Where a trial takes its share of the GPUs from; undefined where its engine uses none. Absent: nothing is divided. */
  gpusFor?(trial: Planned): GpuPool | undefined;
}

/** Memory of containers is what their limit says, where that is less than what is free. */
export function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  const free = freemem(); // on Linux what is available, caches that can be dropped included
  return { cores: availableParallelism(), availableBytes: limit > 0 ? Math.min(free, limit) : free };
}

/** Rough peak memory of a trial in bytes, from what its engine's plugin says. */
export function trialMemory(trial: Planned, registry: PluginRegistry): number {
  const { memory } = registry.get("engine", trial.config.engine.name);
  return memory.baseBytes + memory.bytesPerParameter * trial.parameters.total;
}

/**
 * @param trials those that are to run
 * @throws MerclabError `config` when threads were asked for that no engine of these trials can use
 */
export function planSchedule(
  trials: readonly Planned[],
  wishes: Wishes,
  registry: PluginRegistry,
  machine: Machine = thisMachine(),
): Schedule {
  const { cores } = machine;
  const usesOne = ({ config }: Planned) => registry.get("engine", config.engine.name).threads === "one";
  const threads = wishes.threads ?? 1;
  refuseUselessThreads(trials, threads, usesOne);
  const gpuPools = planGpus(trials, wishes.gpusPerTrial, registry, machine.gpus);
  const gpusFor = ({ config }: Planned) => gpuPools.get(registry.get("engine", config.engine.name).gpu ?? "none");
  const byGpus = trials.every((trial) => gpusFor(trial) !== undefined)
    ? [...gpuPools.values()].reduce((sum, { size }) => sum + size, 0) || Number.POSITIVE_INFINITY
    : Number.POSITIVE_INFINITY;
  const byCores = Math.max(1, Math.min(byGpus, Math.floor(cores / threads)));
  const largest = Math.max(1, ...trials.map((trial) => trialMemory(trial, registry)));
  const byMemory = Math.max(1, Math.floor((MEMORY_SHARE * machine.availableBytes) / largest));
  const wanted = Math.max(1, Math.min(wishes.jobs ?? byCores, byGpus, trials.length));
  const jobs = wishes.jobs === undefined ? Math.min(wanted, byMemory) : wanted;
  return {
    jobs,
    notes: [
      ...coreNotes(wishes, wanted * threads, cores),
      ...gpuNotes(wishes, byGpus),
      ...memoryNotes(wishes, wanted, byMemory, largest, machine.availableBytes),
    ],
    gpusFor,
    threadsFor: (trial, { coresInUse, running, waiting }) => {
      if (usesOne(trial)) {
        return 1;
      }
      const starting = Math.max(1, Math.min(waiting, jobs - running));
      return wishes.threads ?? Math.max(1, Math.floor((cores - coresInUse) / starting));
    },
  };
}

/** A pool for each way in which engines of these trials come to a GPU. */
function planGpus(
  trials: readonly Planned[],
  perTrial: number | undefined,
  registry: PluginRegistry,
  gpus: readonly string[] | undefined,
): ReadonlyMap<string, GpuPool> {
  const ways = new Set(trials.flatMap(({ config }) => registry.get("engine", config.engine.name).gpu ?? []));
  if (perTrial !== undefined && trials.length > 0 && ways.size === 0) {
    const engines = [...new Set(trials.map(({ config }) => config.engine.name))];
    throw new MerclabError("config", `engine ${engines.join(", ")} uses no GPU`, {
      where: `command line: --gpus-per-trial ${perTrial}`,
      hint: "Leave --gpus-per-trial out, or choose an engine that uses one.",
    });
  }
  return new Map(
    [...ways].map(
      (way) => [way, createGpuPool(way === "visible" ? (gpus ?? findGpus()) : undefined, perTrial ?? 1)] as const,
    ),
  );
}

function gpuNotes({ jobs }: Wishes, byGpus: number): string[] {
  return jobs !== undefined && jobs > byGpus
    ? [`${byGpus} at a time, not --jobs ${jobs}: so many have a GPU (--gpus-per-trial 0.5 lets two share one).`]
    : [];
}

function refuseUselessThreads(trials: readonly Planned[], threads: number, usesOne: (trial: Planned) => boolean): void {
  if (threads > 1 && trials.length > 0 && trials.every(usesOne)) {
    const engines = [...new Set(trials.map(({ config }) => config.engine.name))];
    throw new MerclabError("config", `engine ${engines.join(", ")} runs a trial on one thread, not on ${threads}`, {
      where: `command line: --threads ${threads}`,
      hint: "Leave --threads out: trials run side by side, one per core; or choose an engine that uses several.",
    });
  }
}

/** Wishes are kept, but what they cost is said. */
function coreNotes({ jobs, threads }: Wishes, wanted: number, cores: number): string[] {
  if (wanted <= cores) {
    return [];
  }
  const asked = [
    ...(jobs === undefined ? [] : [`--jobs ${jobs}`]),
    ...(threads === undefined ? [] : [`--threads ${threads}`]),
  ].join(" ");
  return [`${asked} keeps ${wanted} threads busy on ${cores} cores: trials will hold one another up.`];
}

function memoryNotes({ jobs }: Wishes, wanted: number, byMemory: number, each: number, available: number): string[] {
  if (wanted <= byMemory) {
    return [];
  }
  const size = `a trial takes about ${gigabytes(each)}, and ${gigabytes(available)} of memory are available`;
  return [
    jobs === undefined
      ? `Memory allows ${byMemory} at a time where there is work for ${wanted}: ${size}.`
      : `--jobs ${jobs} may take more memory than there is: ${size}.`,
  ];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
