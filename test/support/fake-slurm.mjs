// A Slurm for tests: sbatch, squeue, sacct, scontrol and scancel on one machine, with what launchers depend on: arrays,
// throttle, time limits with an early signal, requeue, preemption, accounting, ids that come again. State lies in the
// folder FAKE_SLURM; a controller process per array runs its tasks. What Slurm has and this lacks: nodes, priorities,
// resources. Beyond Slurm's own commands: `preempt ID_INDEX` and `oom ID_INDEX`.
//
// FAKE_SLURM_FAULTS, separated by commas: `refuse` (sbatch), `crash` (sbatch kills its caller after it has the job),
// `silent` (squeue fails), `no-accounting` (sacct fails). FAKE_SLURM_MINUTE_MS: length of a minute of time limits.
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const FOLDER = process.env.FAKE_SLURM;
const FAULTS = (process.env.FAKE_SLURM_FAULTS ?? "").split(",");
const MINUTE_MS = Number(process.env.FAKE_SLURM_MINUTE_MS ?? 60_000);
const KILL_WAIT_MS = 5000;
const REQUEUE_DELAY_MS = 500;
const [command, ...args] = process.argv.slice(2);

const file = (...parts) => join(FOLDER, ...parts);
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
/** Makes no folder: a controller ends when its test has removed the state. */
const writeJson = (path, value) => {
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(value));
  renameSync(`${path}.${process.pid}`, path);
};
const fail = (message) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};
const option = (name) => args.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
const jobs = () =>
  (existsSync(file("jobs")) ? readdirSync(file("jobs")) : [])
    .filter((name) => name.endsWith(".json"))
    .map((name) => readJson(file("jobs", name)));

const COMMANDS = { sbatch, squeue, sacct, scontrol, scancel, controller, preempt: requestOf, oom: requestOf };
await COMMANDS[command]();

function sbatch() {
  if (FAULTS.includes("refuse")) {
    fail("sbatch: error: Batch job submission failed: Invalid partition name specified");
  }
  const script = args.at(-1);
  const options = Object.fromEntries(
    [...readFileSync(script, "utf8").matchAll(/^#SBATCH --([\w-]+)(?:=(.*))?$/gm)].map(([, name, value]) => [
      name,
      value?.replace(/^"(.*)"$/, "$1") ?? true,
    ]),
  );
  const [, last, throttle] = /^0-(\d+)(?:%(\d+))?$/.exec(options.array);
  const id = existsSync(file("next-id")) ? Number(readFileSync(file("next-id"), "utf8")) : 100;
  mkdirSync(file("jobs"), { recursive: true });
  writeFileSync(file("next-id"), String(id + Number(last) + 2));
  const tasks = Array.from({ length: Number(last) + 1 }, (_, index) => ({
    index,
    state: "PENDING",
    reason: "Resources",
    restarts: 0,
    exit: "0:0",
    begin: 0,
  }));
  writeJson(file("jobs", `${id}.json`), {
    id,
    name: options["job-name"],
    script,
    options,
    throttle: Number(throttle ?? tasks.length),
    tasks,
  });
  const { FAKE_SLURM_FAULTS: _, ...environment } = process.env;
  spawn(process.execPath, [import.meta.filename, "controller", String(id)], {
    detached: true,
    stdio: "ignore",
    env: environment,
  }).unref();
  if (FAULTS.includes("crash")) {
    process.kill(process.ppid, "SIGKILL"); // the wrapper on PATH has replaced itself by this process
    process.exit(1);
  }
  process.stdout.write(`${id}\n`);
}

function squeue() {
  if (FAULTS.includes("silent")) {
    fail("slurm_load_jobs error: Unable to contact slurm controller (connect failure)");
  }
  const names = option("name").split(",");
  for (const { id, name, tasks } of jobs().filter((job) => names.includes(job.name))) {
    for (const { index, state, reason } of tasks) {
      process.stdout.write(`${id}|${index}|${state}|${reason}|${name}\n`);
    }
  }
}

function sacct() {
  if (FAULTS.includes("no-accounting")) {
    fail("Slurm accounting storage is disabled");
  }
  const names = option("name").split(",");
  const records = existsSync(file("accounting")) ? readFileSync(file("accounting"), "utf8").trim().split("\n") : [];
  for (const record of records.filter((each) => names.includes(each.split("|")[1]))) {
    process.stdout.write(`${record}\n`);
  }
}

function scontrol() {
  if (args[0] === "show") {
    process.stdout.write(`MaxArraySize            = ${process.env.FAKE_SLURM_MAX_ARRAY ?? 1001}\n`);
  } else if (args[0] === "update") {
    const { JobId: id, ArrayTaskThrottle: throttle } = Object.fromEntries(args.slice(1).map((each) => each.split("=")));
    if (!jobs().some((job) => String(job.id) === id)) {
      fail("slurm_update error: Invalid job id specified");
    }
    request(Number(id), { type: "throttle", index: 0, throttle: Number(throttle) });
  } else {
    // By the id of the task's own job, as SLURM_JOB_ID has it.
    const job = jobs().find(({ id, tasks }) => Number(args[1]) > id && Number(args[1]) <= id + tasks.length);
    request(job.id, { type: "requeue", index: Number(args[1]) - job.id - 1 });
  }
}

function scancel() {
  const signal = option("signal");
  for (const target of args.filter((each) => !each.startsWith("--"))) {
    const [id, list] = target.split("_");
    const all = jobs()
      .find((job) => job.id === Number(id))
      .tasks.map(({ index }) => index);
    const indices = (list?.replace(/[[\]]/g, "").split(",") ?? all).flatMap((part) => {
      const [from, to = from] = String(part).split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
    for (const index of indices) {
      request(Number(id), signal === undefined ? { type: "cancel", index } : { type: "signal", index, signal });
    }
  }
}

function requestOf() {
  const [id, index] = args[0].split("_").map(Number);
  request(id, { type: command, index });
}

function request(id, content) {
  mkdirSync(file("requests", String(id)), { recursive: true });
  writeJson(file("requests", String(id), `${Date.now()}-${process.pid}-${content.index}.json`), content);
}

async function controller() {
  const id = Number(args[0]);
  const path = file("jobs", `${id}.json`);
  const job = readJson(path);
  const running = new Map();
  const [, signal, early] = /^B:(\w+)@(\d+)$/.exec(job.options.signal) ?? [];
  const limitMs = job.options.time === undefined ? undefined : Number(job.options.time) * MINUTE_MS;
  let idleSince = Date.now();
  while (existsSync(FOLDER) && Date.now() - idleSince < 2000) {
    for (const content of takeRequests(id)) {
      obey(content);
    }
    for (const [index, process_] of running) {
      const age = Date.now() - process_.startedAt;
      if (process_.exit !== undefined) {
        running.delete(index);
        settle(job.tasks[index], process_);
      } else if (limitMs !== undefined && age > limitMs) {
        end(index, "TIMEOUT");
      } else if (
        limitMs !== undefined &&
        signal &&
        !process_.warned &&
        age > limitMs - Number(early) * (MINUTE_MS / 60)
      ) {
        process_.warned = true;
        process_.child.kill(`SIG${signal}`);
      }
      if (process_.killAt !== undefined && Date.now() > process_.killAt) {
        everyProcess(process_.child.pid, "SIGKILL");
      }
    }
    for (const task of job.tasks) {
      if (task.state === "PENDING") {
        if (running.size < job.throttle && Date.now() >= task.begin) {
          start(task);
        } else {
          task.reason = Date.now() < task.begin ? "BeginTime" : "JobArrayTaskLimit";
        }
      }
    }
    if (running.size > 0 || job.tasks.some(({ state }) => state === "PENDING")) {
      idleSince = Date.now();
    }
    if (existsSync(FOLDER)) {
      writeJson(path, job);
    }
    await sleep(50);
  }
  for (const { child } of running.values()) {
    everyProcess(child.pid, "SIGKILL");
  }

  function start(task) {
    task.state = "RUNNING";
    task.reason = "None";
    const output = openSync(job.options.output.replaceAll("%%", "%").replace("%a", String(task.index)), "a");
    const child = spawn("/bin/bash", [job.script], {
      detached: true,
      stdio: ["ignore", output, output],
      env: {
        ...process.env,
        SLURM_JOB_ID: String(id + 1 + task.index),
        SLURM_ARRAY_JOB_ID: String(id),
        SLURM_ARRAY_TASK_ID: String(task.index),
        ...(task.restarts === 0 ? {} : { SLURM_RESTART_COUNT: String(task.restarts) }),
      },
    });
    const process_ = { child, startedAt: Date.now() };
    child.on("exit", (code, by) => {
      process_.exit = by === null ? `${code}:0` : `0:${by}`;
    });
    running.set(task.index, process_);
  }

  /** As at a time limit, a preemption and scancel: SIGTERM to all processes, and later SIGKILL. */
  function end(index, state) {
    const process_ = running.get(index);
    if (process_ !== undefined && process_.ending === undefined) {
      process_.ending = state;
      process_.killAt = Date.now() + KILL_WAIT_MS;
      everyProcess(process_.child.pid, "SIGTERM");
    }
  }

  function obey({ type, index, signal: sent, throttle }) {
    if (type === "throttle") {
      job.throttle = throttle;
      return;
    }
    const task = job.tasks[index];
    const process_ = running.get(index);
    if (type === "cancel" && task.state === "PENDING") {
      settle(task, { exit: "0:0", ending: "CANCELLED" });
    } else if (process_ === undefined) {
      return;
    } else if (type === "signal") {
      process_.child.kill(`SIG${sent}`);
    } else if (type === "oom") {
      process_.ending = "OUT_OF_MEMORY";
      everyProcess(process_.child.pid, "SIGKILL");
    } else {
      end(index, { cancel: "CANCELLED", requeue: "REQUEUED", preempt: "PREEMPTED" }[type]);
    }
  }

  function settle(task, { exit, ending }) {
    task.exit = exit;
    task.state = ending ?? (exit === "0:0" ? "COMPLETED" : "FAILED");
    const state = task.state === "CANCELLED" ? "CANCELLED by 0" : task.state;
    appendFileSync(file("accounting"), `${id}_${task.index}|${job.name}|${state}|${exit}\n`);
    if (ending === "REQUEUED" || ending === "PREEMPTED") {
      Object.assign(task, { state: "PENDING", reason: "BeginTime", begin: Date.now() + REQUEUE_DELAY_MS });
      task.restarts += 1;
    }
  }
}

function takeRequests(id) {
  const folder = file("requests", String(id));
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return names.sort().map((name) => {
    const content = readJson(join(folder, name));
    rmSync(join(folder, name));
    return content;
  });
}

/** A task's processes: the script's and all that it started, whatever groups they are in. */
function everyProcess(root, signal) {
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((row) => row.trim().split(/\s+/).map(Number));
  const found = [root];
  for (const parent of found) {
    found.push(...rows.filter(([, ppid]) => ppid === parent).map(([pid]) => pid));
  }
  for (const pid of found) {
    try {
      process.kill(pid, signal);
    } catch {
      // gone
    }
  }
}
