// Anything that a shell command can start: other schedulers, or hosts behind ssh. Each job is a worker that goes through
// the trials of the array and trains those that no other one has, so that a few jobs do for many trials.
import { MerclabError } from "@merclab/core";
import { z } from "zod";
import type { ArrayFile } from "./array-file.ts";
import { call } from "./call.ts";
import { jobLines } from "./job-script.ts";
import { defineLauncher, type Launcher, type Poll, type SubmittedJobs, type TaskState } from "./launcher.ts";
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
    ...(given.poll === undefined ? {} : { poll: (arrays) => poll(arrays, given) }),
    ...(given.cancel === undefined
      ? {}
      : {
          cancel: async (tasks) => {
            // A worker has many trials: it ends when all of its array are cancelled; single ones are skipped by it.
            const jobs = tasks.flatMap(({ array, indices }) => (indices === "all" ? (array.jobs ?? []) : []));
            const failed = await eachHost(jobs, (host, ids) => shell("cancel", given, { jobs: ids.join(" "), host }));
            if (failed.size > 0) {
              throw new MerclabError("config", [...failed.values()].map(({ message }) => message).join("; "));
            }
          },
        }),
  }),
});

async function submit(array: ArrayFile, file: string, given: Options): Promise<SubmittedJobs> {
  const hosts = given.hosts ?? [""];
  const workers = Math.min(array.trials.length, given.workers ?? hosts.length);
  const jobs: string[] = [];
  const failures: MerclabError[] = [];
  for (let worker = 0; worker < workers; worker++) {
    const host = hosts[worker % hosts.length] ?? "";
    const log = file.replace(/\.sh$/, `-${worker}.out`);
    const values = { script: file, name: array.name, log, host, worker: String(worker) };
    try {
      jobs.push(jobOf(host, jobIdIn(await shell("submit", given, values), given)));
    } catch (error) {
      failures.push(error as MerclabError);
      // Another host may answer; what cannot be read, or one scheduler that refuses, is the same for all.
      if (error instanceof UnreadableAnswer || host === "") {
        break;
      }
    }
  }
  if (jobs.length === 0 && failures[0] !== undefined) {
    throw failures[0];
  }
  return { jobs, failures };
}

/** A job was started, and nobody knows its id. */
class UnreadableAnswer extends MerclabError {}

function jobIdIn(answer: string, given: Options): string {
  const printed = answer.trim();
  const match = new RegExp(given.job).exec(printed);
  const id = match?.[1] ?? match?.[0];
  if (id === undefined || id === "") {
    const shown = JSON.stringify(printed.slice(0, 200));
    throw new UnreadableAnswer("config", `no job id in what the command printed: ${shown}`, {
      where: `launcher.submit: ${given.submit}`,
      hint: `launcher.job, a regular expression, says where it stands; it is ${given.job}`,
    });
  }
  return id;
}

/** While a worker of an array lives, it may take any trial of it. */
async function poll(arrays: readonly ArrayFile[], given: Options): Promise<Poll> {
  const alive = new Set<string>();
  const silent = await eachHost(
    arrays.flatMap(({ jobs = [] }) => jobs),
    async (host, ids) => {
      const lines = (await shell("poll", given, { jobs: ids.join(" "), host })).split("\n");
      const words = lines.filter((line) => new RegExp(given.alive).test(line)).flatMap((line) => line.split(/\s+/));
      for (const id of ids.filter((each) => words.includes(each))) {
        alive.add(jobOf(host, id));
      }
    },
  );
  const stateOf = (jobs: readonly string[]): TaskState => {
    const living = jobs.filter((job) => alive.has(job));
    if (living.length > 0) {
      const detail = living.length === 1 ? "for its worker" : `for one of ${living.length} workers`;
      return { state: "waiting", detail, job: living.join(", ") };
    }
    const job = jobs.join(", ");
    return [...byHost(jobs).keys()].some((host) => silent.has(host))
      ? { state: "unknown", detail: "its workers' host does not answer", job }
      : { state: "ended", detail: "its workers have ended", job };
  };
  const tasks = arrays.map(({ name, jobs = [], trials }) => {
    const state = stateOf(jobs);
    return [name, new Map(trials.map((_, index) => [index, state] as const))] as const;
  });
  return { tasks: new Map(tasks), silent: [...silent.values()] };
}

/** All at once: one that does not answer takes its time. */
async function eachHost(jobs: readonly string[], use: (host: string, ids: readonly string[]) => Promise<unknown>) {
  const failed = new Map<string, MerclabError>();
  await Promise.all(
    [...byHost(jobs)].map(([host, ids]) =>
      use(host, ids).catch((error: unknown) => failed.set(host, error as MerclabError)),
    ),
  );
  return failed;
}

/** As it is stored. */
function jobOf(host: string, id: string): string {
  return host === "" ? id : `${host} ${id}`;
}

function byHost(jobs: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const job of jobs) {
    const [host, id] = job.includes(" ") ? (job.split(" ") as [string, string]) : ["", job];
    found.set(host, [...(found.get(host) ?? []), id]);
  }
  return found;
}

function shell(option: "submit" | "poll" | "cancel", given: Options, values: Readonly<Record<string, string>>) {
  // Ids stay separate words.
  const word = (name: string) => (name === "jobs" ? (values.jobs ?? "") : shellWord(values[name] ?? ""));
  const command = (given[option] ?? "").replaceAll(PLACEHOLDER, (_, name: string) => word(name));
  const name = values.host === "" ? `launcher.${option}` : `launcher.${option} on ${values.host}`;
  return call("sh", ["-c", command], undefined, name);
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
