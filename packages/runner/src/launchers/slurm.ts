// Slurm: one job array for up to MaxArraySize trials, one task each.
import { MerclabError } from "@merclab/core";
import { z } from "zod";
import { call } from "./call.ts";
import { jobLines } from "./job-script.ts";
import { defineLauncher, type JobTemplate, type Launcher } from "./launcher.ts";
import { indexText, pollSlurm } from "./slurm-queue.ts";
import { slurmSeconds } from "./slurm-time.ts";

/** What Slurm allows by default: indices from 0 to 1000. */
const DEFAULT_MAX_ARRAY_SIZE = 1001;
const MISSING = "Submit from a machine of the cluster, where sbatch is, or choose another launcher.";

const line = z.string().regex(/^[^\n]+$/, "expected one line of text");

const options = z.strictObject({
  partition: line.optional(),
  account: line.optional(),
  qos: line.optional(),
  constraint: line.optional(),
  /** Limit of a task, as sbatch takes it: minutes, hours:minutes:seconds, days-hours. */
  time: z
    .union([z.string(), z.int().positive()])
    .transform(String)
    .refine((text) => slurmSeconds(text) !== undefined, 'expected a time such as 90 (minutes), "4:00:00" or "1-12"')
    .optional(),
  /** Cores of a task, and threads of its trial where the engine uses several. */
  cpus: z.int().positive().default(1),
  mem: z
    .string()
    .regex(/^\d+[KMGT]?$/, 'expected memory such as "8G"')
    .optional(),
  gpus: z.int().nonnegative().default(0),
  /** Tasks that run at a time; all when absent. */
  throttle: z.int().positive().optional(),
  /** Seconds before the limit at which a task is asked to pause; Slurm may be up to 60 s early. */
  grace: z.int().min(1).default(180),
  /** A task whose time is up goes back into the queue. */
  requeue: z.boolean().default(true),
  setup: z.array(line).default([]),
  node: line.optional(),
  /** Further options of sbatch, as they are written there. */
  extra: z.array(line.startsWith("--", 'expected an option of sbatch such as "--exclude=node3"')).default([]),
  /** Largest array; asked of Slurm when absent. */
  maxArraySize: z.int().positive().optional(),
});

export const slurmLauncher = defineLauncher({
  name: "slurm",
  options,
  create: (given): Launcher => ({
    extension: "sh",
    maxArraySize: async () => given.maxArraySize ?? (await askMaxArraySize()),
    render: (template) => render(template, given),
    submit: async (_array, file) => {
      // "12", or "12;cluster"
      const id = (await call("sbatch", ["--parsable", file], MISSING)).trim().split(";")[0] ?? "";
      if (!/^\d+$/.test(id)) {
        throw new MerclabError("config", `sbatch answered "${id}", which is no job id`);
      }
      return { jobs: [id], failures: [] };
    },
    find: async (arrays) => {
      const known = await pollSlurm(arrays.map(({ name }) => name));
      return new Map([...known].map(([name, { job }]) => [name, [job]] as const));
    },
    poll: async (arrays) => {
      const known = await pollSlurm(arrays.map(({ name }) => name));
      return { tasks: new Map([...known].map(([name, { tasks }]) => [name, tasks] as const)), silent: [] };
    },
    setThrottle: async ({ jobs = [] }, tasks) => {
      for (const job of jobs) {
        await call("scontrol", ["update", `JobId=${job}`, `ArrayTaskThrottle=${tasks}`], MISSING);
      }
    },
    cancel: async (tasks) => {
      const ids = tasks.flatMap(({ array, indices }) =>
        (array.jobs ?? []).map((job) => (indices === "all" ? job : `${job}_[${indexText(indices)}]`)),
      );
      if (ids.length > 0) {
        // Quiet about what has ended meanwhile.
        await call("scancel", ["--quiet", ...ids], MISSING);
      }
    },
  }),
});

function render(template: JobTemplate, given: z.output<typeof options>): string {
  const { array, path } = template;
  const throttle = given.throttle === undefined ? "" : `%${given.throttle}`;
  const seconds = given.time === undefined ? undefined : slurmSeconds(given.time);
  const lines: readonly (readonly [string, string | number | undefined])[] = [
    ["job-name", array.name],
    ["array", `0-${array.trials.length - 1}${throttle}`],
    // What the job script itself prints; trainers write into their trials' folders.
    ["output", `"${path.replaceAll("%", "%%")}-%a.out"`],
    ["open-mode", "append"],
    ["signal", `B:USR2@${given.grace}`],
    ["partition", given.partition],
    ["account", given.account],
    ["qos", given.qos],
    ["constraint", given.constraint],
    ["time", given.time],
    ["nodes", 1],
    ["ntasks", 1],
    ["cpus-per-task", given.cpus],
    ["mem", given.mem],
    ["gres", given.gpus === 0 ? undefined : `gpu:${given.gpus}`],
  ];
  return [
    "#!/bin/bash",
    ...lines.flatMap(([name, value]) => (value === undefined ? [] : [`#SBATCH --${name}=${value}`])),
    `#SBATCH --${given.requeue ? "requeue" : "no-requeue"}`,
    ...given.extra.map((text) => `#SBATCH ${text}`),
    ...jobLines(template, {
      setup: given.setup,
      node: given.node,
      arguments: [
        "--grace",
        String(given.grace),
        ...(seconds === undefined || seconds === Number.POSITIVE_INFINITY ? [] : ["--time-limit", String(seconds)]),
        ...(given.requeue ? ["--requeue"] : []),
      ],
    }),
    "",
  ].join("\n");
}

async function askMaxArraySize(): Promise<number> {
  const config = await call("scontrol", ["show", "config"], MISSING);
  return Number(/^MaxArraySize\s*=\s*(\d+)/m.exec(config)?.[1] ?? DEFAULT_MAX_ARRAY_SIZE);
}
