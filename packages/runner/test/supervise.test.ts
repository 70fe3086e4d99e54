// What a supervisor makes of the ways in which a trainer can end. The trainers are scripts that do just that.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readAttempts } from "../src/supervisor/attempts.ts";
import { readCancelled, requestCancel, withdrawCancel } from "../src/supervisor/cancel-requests.ts";
import { takeLease } from "../src/supervisor/lease.ts";
import { arrayIndex, schedulerJob } from "../src/supervisor/scheduler-job.ts";
import { type SupervisorOptions, superviseTrial } from "../src/supervisor/supervise.ts";
import { temporaryFolder, write } from "./support.ts";

interface Setting extends Partial<SupervisorOptions> {
  /** Body of the trainer; `folder`, `paused` (a promise), `put(file, value)` and `tell(message)` are there. */
  readonly trainer: string;
  /** A study's folder whose trial was tried before. */
  readonly study?: string;
}

const PRELUDE = `
import { writeFileSync } from "node:fs";
import { join } from "node:path";
const folder = process.argv.at(-1);
const put = (file, value) => writeFileSync(join(folder, file), JSON.stringify(value) + "\\n");
const tell = (message) => new Promise((done) => process.send(message, done));
const paused = new Promise((done) => process.on("message", ({ type }) => type === "pause" && done()));
process.on("disconnect", () => process.exit(143));
put("status.json", { state: "running", attempt: 1, pid: process.pid, startedAt: "2026-01-01" });
const epochs = (count) =>
  writeFileSync(join(folder, "journal.jsonl"), '{"t":"m","s":1,"ts":0,"v":{}}\\n'.repeat(count));
const pause = () => { put("status.json", { state: "cancelled", attempt: 1 }); process.exit(0); };
setTimeout(() => process.exit(99), 20000).unref();
`;

async function supervise({ trainer, study = temporaryFolder(), ...options }: Setting) {
  const folder = join(study, "trials", "abc");
  write(study, { "trials/abc/trial.json": JSON.stringify({ id: "abc" }), "trainer.mjs": PRELUDE + trainer });
  const notes: string[] = [];
  const end = await superviseTrial(folder, {
    trainerCommand: [join(study, "trainer.mjs"), folder],
    job: undefined,
    deadline: undefined,
    graceSeconds: 1,
    pause: new AbortController().signal,
    stop: new AbortController().signal,
    note: (text) => notes.push(text),
    ...options,
  });
  const attempts = await readAttempts(folder);
  const file = join(folder, "status.json");
  const status = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { state: string; error?: string })
    : undefined;
  expect(existsSync(join(folder, "lease"))).toBe(false);
  expect(existsSync(join(folder, "heartbeat"))).toBe(false);
  return { code: end.code, end: attempts.at(-1), status, notes, folder, study };
}

const DONE = `put("result.json", {}); process.exit(0);`;
const asked = (reason: string) => AbortSignal.abort(reason);

test.each([
  ["a result", DONE, 0, { outcome: "done" }],
  ["nothing", `process.exit(0);`, 1, { outcome: "failed", exit: "0" }],
  ["kill -9", `process.kill(process.pid, "SIGKILL");`, 1, { outcome: "failed", exit: "SIGKILL" }],
  [
    "a full heap",
    `process.stderr.write("FATAL ERROR: JavaScript heap out of memory\\n", () => process.abort());`,
    76,
    { outcome: "out of memory", exit: "SIGABRT" },
  ],
  [
    "a buffer that cannot be had",
    `await tell({ type: "failed", message: "Array buffer allocation failed" }); process.exit(1);`,
    76,
    { outcome: "out of memory", reason: "Array buffer allocation failed" },
  ],
  [
    "a loss that is not finite",
    `await tell({ type: "failed", code: "diverged", message: "the loss became NaN" }); process.exit(1);`,
    1,
    { outcome: "failed", reason: "the loss became NaN" },
  ],
  [
    "changed code",
    `await tell({ type: "failed", code: "config", message: "the code changed" }); process.exit(1);`,
    78,
    { outcome: "failed" },
  ],
  [
    "data that are not there",
    `await tell({ type: "failed", code: "data", message: "no such folder" }); process.exit(1);`,
    79,
    { outcome: "failed" },
  ],
  ["an error without a word", `throw new Error("why");`, 1, { outcome: "failed", exit: "1" }],
])("a trainer that ends with %s", async (_, trainer, code, end) => {
  const seen = await supervise({ trainer });
  expect(seen.code).toBe(code);
  expect(seen.end).toMatchObject({ attempt: 1, code, ...end });
  expect(seen.status?.state).toBe(code === 0 ? "done" : "failed");
  expect(readdirSync(join(seen.folder, "attempts/1")).sort()).toEqual(["exit.json", "stderr.log", "stdout.log"]);
});

test("what the trainer prints is kept with its attempt", async () => {
  const { folder } = await supervise({ trainer: `console.log("out"); console.error("err"); ${DONE}` });
  expect(readFileSync(join(folder, "attempts/1/stdout.log"), "utf8")).toBe("out\n");
  expect(readFileSync(join(folder, "attempts/1/stderr.log"), "utf8")).toBe("err\n");
});

test.each([
  ["SIGUSR2", 75],
  ["SIGTERM", 75],
  ["SIGINT", 130],
] as const)("%s pauses the trainer: exit code %i", async (signal, code) => {
  const seen = await supervise({ trainer: `await paused; epochs(2); pause();`, pause: asked(signal) });
  expect(seen).toMatchObject({
    code,
    end: { outcome: "paused", reason: signal, epochs: 2 },
    status: { state: "cancelled" },
  });
});

test("a trainer that is done in spite of a signal is done", async () => {
  expect(await supervise({ trainer: `await paused; ${DONE}`, pause: asked("SIGTERM") })).toMatchObject({ code: 0 });
});

test("a second signal ends a trainer that does not listen, with all that it started", async () => {
  const trainer = `
    const { spawn } = await import("node:child_process");
    put("child", spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)"], { stdio: "ignore" }).pid);
    for (const until = Date.now() + 15000; Date.now() < until; );`;
  const stop = new AbortController();
  const study = temporaryFolder();
  const file = join(study, "trials/abc/child");
  const timer = setInterval(() => existsSync(file) && stop.abort(), 50);
  const seen = await supervise({ trainer, study, pause: asked("SIGTERM"), stop: stop.signal });
  clearInterval(timer);
  expect(seen).toMatchObject({ code: 75, end: { outcome: "paused", exit: "SIGKILL" }, status: { state: "cancelled" } });
  const child = Number(readFileSync(file, "utf8"));
  await expect.poll(() => isRunning(child)).toBe(false);
});

test("before its time is over the trainer is paused, without a signal", async () => {
  const startedAt = Date.now();
  const seen = await supervise({ trainer: `await paused; epochs(1); pause();`, deadline: startedAt + 5000 });
  expect(seen).toMatchObject({ code: 75, end: { outcome: "paused", reason: "time limit" } });
  expect(Date.now() - startedAt).toBeGreaterThan(2000);
});

test("three pauses in a row without an epoch are a failure; an epoch in between is progress", async () => {
  const study = temporaryFolder();
  const attempt = (epochs: number) =>
    supervise({ study, trainer: `await paused; epochs(${epochs}); pause();`, pause: asked("SIGUSR2") });
  for (const epochs of [1, 1, 2, 2]) {
    expect(await attempt(epochs)).toMatchObject({ code: 75 });
  }
  expect(await attempt(2)).toMatchObject({
    code: 1,
    end: { attempt: 5, outcome: "failed" },
    status: { state: "failed" },
  });
});

test("a cancelled trial is not begun, a running one ends, and asked for again it runs", async () => {
  const study = temporaryFolder();
  await requestCancel(study, ["abc"]);
  expect([...(await readCancelled(study))]).toEqual(["abc"]);
  expect(await supervise({ study, trainer: DONE })).toMatchObject({
    code: 0,
    end: undefined,
    notes: ["abc  cancelled"],
  });
  await withdrawCancel(study, ["abc"]);
  const request = setTimeout(() => void requestCancel(study, ["abc"]), 1000);
  const seen = await supervise({ study, trainer: `await paused; epochs(1); pause();` });
  clearTimeout(request);
  expect(seen).toMatchObject({ code: 0, end: { outcome: "cancelled" }, status: { state: "cancelled" } });
  await withdrawCancel(study, ["abc"]);
  expect(await supervise({ study, trainer: DONE })).toMatchObject({ code: 0, end: { outcome: "done", attempt: 2 } });
});

test("a trial that somebody trains is left to them, and one that is done is done", async () => {
  const study = temporaryFolder();
  write(study, { "trials/abc/trial.json": JSON.stringify({ id: "abc" }) });
  const folder = join(study, "trials/abc");
  const taken = takeLease(folder);
  const notes: string[] = [];
  const options: SupervisorOptions = {
    trainerCommand: ["/nowhere"],
    job: undefined,
    deadline: undefined,
    graceSeconds: 1,
    pause: new AbortController().signal,
    stop: new AbortController().signal,
    note: (text) => notes.push(text),
  };
  expect(await superviseTrial(folder, options)).toEqual({ code: 0, pausedBy: undefined });
  expect(notes).toEqual([expect.stringMatching(`^abc  already running: process ${process.pid} on `)]);
  expect("lease" in taken && taken.lease.isHeld()).toBe(true);
  if ("lease" in taken) {
    taken.lease.release();
  }
  writeFileSync(join(folder, "result.json"), "{}");
  expect(await superviseTrial(folder, options)).toEqual({ code: 0, pausedBy: undefined });
  expect(notes.at(-1)).toBe("abc  done already");
});

test("who was taken over stops, and leaves status and lease alone", async () => {
  const study = temporaryFolder();
  const owner = join(study, "trials/abc/lease/owner.json");
  const timer = setInterval(() => {
    if (existsSync(owner)) {
      writeFileSync(owner, '{"token":"another","host":"elsewhere","pid":1,"at":"2026-01-01T00:00:00Z"}');
      clearInterval(timer);
    }
  }, 20);
  const folder = join(study, "trials/abc");
  await expect(supervise({ study, trainer: `await paused;` })).rejects.toThrow(); // the lease is still there
  expect(await readAttempts(folder)).toMatchObject([{ outcome: "taken over", code: 79, exit: "SIGKILL" }]);
  expect(JSON.parse(readFileSync(join(folder, "status.json"), "utf8"))).toMatchObject({ state: "running" });
});

test("what schedulers say of a job", () => {
  expect(schedulerJob({})).toBeUndefined();
  expect(schedulerJob({ SLURM_JOB_ID: "15", SLURM_ARRAY_JOB_ID: "12", SLURM_ARRAY_TASK_ID: "3" })).toEqual({
    scheduler: "Slurm",
    id: "12_3",
    restart: 0,
    slurmId: "15",
  });
  expect(schedulerJob({ SLURM_JOB_ID: "15", SLURM_RESTART_COUNT: "2", SLURM_JOB_END_TIME: "1700000000" })).toEqual({
    scheduler: "Slurm",
    id: "15",
    restart: 2,
    slurmId: "15",
    endsAt: 1_700_000_000_000,
  });
  expect(schedulerJob({ JOB_COMPLETION_INDEX: "4", HOSTNAME: "pod-4" })).toMatchObject({ scheduler: "Kubernetes" });
  expect(arrayIndex({ SLURM_ARRAY_TASK_ID: "3" })).toBe("3");
  expect(arrayIndex({ JOB_COMPLETION_INDEX: "4" })).toBe("4");
});

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
