// Anything that a shell command can start: other schedulers, or hosts behind ssh. Each job is a worker that goes through
// the trials of the array and trains those that no other one has, so that a few jobs do for many trials.
import { MerclabError } from "@merclab/core";
import { z } from "zod";
import type { ArrayFile } from "./array-file.ts";
import { call } from "./call.ts";
import { jobLines } from "./job-script.ts";
import { defineLauncher, type Launcher, type TaskState } from "./launcher.ts";
import { shellWord } from "./shell.ts";

/** {name}, but not ${name}, which is the shell's. */
const PLACEHOLDER = /(?<!\$)\{(\w+)\}/g;

const template = (names: readonly string[]) =>
  z
    .string()
    .min(1)
    .refine((text) => placeholders(text).every((name) => names.includes(name)), {
      error: (issue) =>
        `{${placeholders(String(issue.input)).find((name) => !names.includes(name))}} is unknown here; known: ${names.map((name) => `{${name}}`).join(", ")}`,
    });

const options = z
  .strictObject({
    /** Starts a worker and returns; prints the job's id. */
    submit: template(["script", "name", "log", "host", "worker"]),
    /** Finds the id in what `submit` prints: its first group, else all of it. */
    job: z.string().default("(\\S+)$").refine(isRegularExpression, "expected a regular expression"),
    /** Prints the ids of those jobs that still wait or run, among anything else. */
    poll: template(["jobs", "host"]).optional(),
    /** Which lines of `poll` count: those that this regular expression finds something in. */
    alive: z.string().default("").refine(isRegularExpression, "expected a regular expression"),
    cancel: template(["jobs", "host"]).optional(),
    /** Workers are dealt to them in turn. */
    hosts: z
      .array(z.string().regex(/^[\w.@:-]+$/, "expected the name of a host"))
      .min(1)
      .optional(),
    /** Jobs; one per host when absent. */
    workers: z.int().positive().optional(),
    /** Threads of a trial, where its engine uses several. */
    cpus: z.int().positive().default(1),
    setup: z.array(z.string()).default([]),
    node: z.string().optional(),
    /** Seconds that a worker may take; no limit when absent. */
    timeLimit: z.int().positive().optional(),
  })
  .refine(({ submit, hosts }) => hosts !== undefined || !placeholders(submit).includes("host"), {
    path: ["submit"],
    error: "{host} needs launcher.hosts, a list such as [node1, node2]",
  });

type Options = z.output<typeof options>;

export const commandLauncher = defineLauncher({
  name: "command",
  options,
  create: (given): Launcher => ({
    extension: "sh",
    maxArraySize: async () => Number.MAX_SAFE_INTEGER,
    render: (job) =>
      [
        "#!/bin/sh",
        ...jobLines(job, {
          setup: given.setup,
          node: given.node,
          arguments: ["--all", ...(given.timeLimit === undefined ? [] : ["--time-limit", String(given.timeLimit)])],
        }),
        "",
      ].join("\n"),
    submit: (array, file) => submit(array, file, given),
    ...(given.poll === undefined ? {} : { poll: (arrays) => poll(arrays, given.poll ?? "", given) }),
    ...(given.cancel === undefined
      ? {}
      : {
          cancel: async (tasks) => {
            // A worker has many trials: it ends when all of its array are cancelled; single ones are skipped by it.
            const jobs = tasks.flatMap(({ array, indices }) => (indices === "all" ? (array.jobs ?? []) : []));
            for (const [host, ids] of byHost(jobs)) {
              await shell(given.cancel ?? "", { jobs: ids.join(" "), host });
            }
          },
        }),
  }),
});

async function submit(array: ArrayFile, file: string, given: Options): Promise<string[]> {
  const hosts = given.hosts ?? [""];
  const workers = Math.min(array.trials.length, given.workers ?? hosts.length);
  const jobs: string[] = [];
  for (let worker = 0; worker < workers; worker++) {
    const host = hosts[worker % hosts.length] ?? "";
    const log = file.replace(/\.sh$/, `-${worker}.out`);
    const values = { script: file, name: array.name, log, host, worker: String(worker) };
    const printed = (await shell(given.submit, values)).trim();
    const match = new RegExp(given.job).exec(printed);
    const id = match?.[1] ?? match?.[0];
    if (id === undefined || id === "") {
      throw new MerclabError(
        "config",
        `no job id in what the command printed: ${JSON.stringify(printed.slice(0, 200))}`,
        {
          where: `launcher.submit: ${given.submit}`,
          hint: `launcher.job, a regular expression, says where it stands; it is ${given.job}`,
        },
      );
    }
    jobs.push(host === "" ? id : `${host} ${id}`);
  }
  return jobs;
}

/** While a worker of an array lives, it may take any trial of it. */
async function poll(arrays: readonly ArrayFile[], command: string, given: Options) {
  const alive = new Set<string>();
  for (const [host, ids] of byHost(arrays.flatMap(({ jobs = [] }) => jobs))) {
    const lines = (await shell(command, { jobs: ids.join(" "), host })).split("\n");
    const words = lines.filter((line) => new RegExp(given.alive).test(line)).flatMap((line) => line.split(/\s+/));
    for (const id of ids.filter((each) => words.includes(each))) {
      alive.add(host === "" ? id : `${host} ${id}`);
    }
  }
  return new Map(
    arrays.map(({ name, jobs = [], trials }) => {
      const living = jobs.filter((job) => alive.has(job));
      const task: TaskState =
        living.length === 0
          ? { state: "ended", detail: "its workers have ended", job: jobs.join(", ") }
          : { state: "waiting", detail: `for one of ${living.length} workers`, job: living.join(", ") };
      return [name, new Map(trials.map((_, index) => [index, task] as const))] as const;
    }),
  );
}

/** Jobs as they are stored, `<host> <id>` or `<id>`, by host. */
function byHost(jobs: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const job of jobs) {
    const [host, id] = job.includes(" ") ? (job.split(" ") as [string, string]) : ["", job];
    found.set(host, [...(found.get(host) ?? []), id]);
  }
  return found;
}

function shell(command: string, values: Readonly<Record<string, string>>): Promise<string> {
  // Ids stay separate words.
  const word = (name: string) => (name === "jobs" ? (values.jobs ?? "") : shellWord(values[name] ?? ""));
  return call("sh", ["-c", command.replaceAll(PLACEHOLDER, (_, name: string) => word(name))]);
}

function placeholders(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => match[1] ?? "");
}

function isRegularExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
