// What becomes of trials that fail: what is tried again, what ends a study, and what a cause is recognised by.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readTrials, runStudy, type StudyEvent, type StudyOptions } from "../src/index.ts";
import { classifyFailure, type Evidence, nextTry } from "../src/study/failures.ts";
import { createGuard } from "../src/study/guard.ts";
import { countMemoryKills, memoryLimit, parseMemoryKills, residentBytes } from "../src/study/memory-use.ts";
import { createBench, errorOf, SMALL } from "./support.ts";

const NOTHING: Evidence = {
  exit: undefined,
  failure: undefined,
  residentShare: undefined,
  printed: "",
  systemKilled: false,
};
const cause = (evidence: Partial<Evidence>) => classifyFailure({ ...NOTHING, ...evidence }, "worker.log").cause;
const said = (message: string, code?: "engine" | "diverged" | "storage" | "data") =>
  cause({ exit: "1", failure: { type: "failed", message, code } });

test.each([
  ["Array buffer allocation failed", "memory"],
  ["engine onnx: there is not enough memory: Failed to allocate memory for requested buffer of size 12", "memory"],
  ["CUDA error 2: out of memory", "memory"],
  ["vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY", "memory"],
  ["CUBLAS_STATUS_ALLOC_FAILED", "memory"],
  ["ENOSPC: no space left on device, write", "storage"],
  ["memory bank: x is undefined", "error"],
  ["boom", "error"],
] as const)("what a worker says is recognised: %s", (message, expected) => {
  expect(said(message)).toBe(expected);
});

test("a code outweighs words, and data or engines may be usable another day", () => {
  expect(said("the loss became NaN", "diverged")).toBe("diverged");
  expect(said("it does not start", "engine")).toBe("machine");
  expect(said("there is not enough memory", "engine")).toBe("memory");
  expect(said("no such folder", "data")).toBe("machine");
  expect(said("cannot write", "storage")).toBe("storage");
});

test("how a process ended is recognised", () => {
  const heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
  expect(cause({ exit: "SIGABRT", printed: heap })).toBe("heap");
  expect(cause({ exit: "SIGABRT" })).toBe("killed");
  expect(cause({ exit: "SIGABRT", printed: "terminate called after throwing 'std::bad_alloc'" })).toBe("memory");
  expect(cause({ exit: "SIGKILL" })).toBe("killed");
  expect(cause({ exit: "SIGKILL", systemKilled: true })).toBe("memory");
  expect(cause({ exit: "SIGKILL", residentShare: 0.95 })).toBe("memory");
  expect(cause({ exit: "SIGKILL", residentShare: 0.5 })).toBe("killed");
  expect(cause({ exit: "1" })).toBe("error");
  // A message of an ended trial that printed the words is no proof.
  expect(cause({ exit: "0", printed: heap })).toBe("error");
});

test("a kill is tried again once, want of memory once and alone, anything else never", () => {
  expect(nextTry("killed", [], false)).toBe("again");
  expect(nextTry("killed", ["killed"], false)).toBe("none");
  expect(nextTry("heap", [], false)).toBe("alone");
  expect(nextTry("memory", ["killed"], false)).toBe("alone");
  expect(nextTry("memory", ["memory"], true)).toBe("none");
  expect(nextTry("killed", ["memory"], true)).toBe("again");
  for (const each of ["error", "diverged", "storage", "machine"] as const) {
    expect(nextTry(each, [], false)).toBe("none");
  }
});

describe("memory", () => {
  test.skipIf(process.platform !== "linux")("of this process is known, and so is what it may have", () => {
    const { rss } = process.memoryUsage();
    expect(residentBytes(process.pid)).toBeGreaterThan(rss / 2);
    expect(residentBytes(process.pid)).toBeLessThan(rss * 2);
    expect(memoryLimit()).toBeGreaterThan(rss);
  });

  test("of a process that is gone is not known", async () => {
    const child = spawn(process.execPath, ["--version"]);
    await new Promise((resolve) => child.on("close", resolve));
    expect(residentBytes(child.pid ?? Number.NaN)).toBeUndefined();
  });

  test("kills are read from both versions of control groups", () => {
    expect(parseMemoryKills("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")).toBe(2);
    expect(parseMemoryKills("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")).toBe(7);
    expect(parseMemoryKills("oom_kill_disable 0\nunder_oom 0\n")).toBeUndefined();
    expect([undefined, 0]).toContain(Math.min(countMemoryKills() ?? 0, 0));
  });
});

describe("the guard", () => {
  const failure = (message: string, of: "error" | "diverged" = "error") => ({ cause: of, message, hint: undefined });
  const halts = (options: Parameters<typeof createGuard>[0], ...ends: (string | undefined)[]) => {
    const told: string[] = [];
    const guard = createGuard(options, (reason) => told.push(reason));
    for (const message of ends) {
      guard.trialEnded(message === undefined ? undefined : failure(message));
    }
    expect(told).toEqual(guard.reason === undefined ? [] : [guard.reason]);
    return guard.reason;
  };
  const three = { onError: "continue", failFast: 3 } as const;

  test("halts when the first trials fail alike, but for numbers", () => {
    expect(halts(three, "bad at step 1", "bad at step 22", "bad at step 0.5")).toMatch(
      /^The first 3 trials to end failed alike.*bad at step 1$/,
    );
    expect(halts(three, "a", "a")).toBeUndefined();
  });

  test("does not halt once one was done, or failed otherwise", () => {
    expect(halts(three, "a", undefined, "a", "a", "a", "a")).toBeUndefined();
    expect(halts(three, "a", "b", "a", "a", "a")).toBeUndefined();
    expect(halts({ ...three, failFast: 0 }, "a", "a", "a", "a", "a", "a")).toBeUndefined();
  });

  test("takes no notice of trials that diverge", () => {
    const guard = createGuard(three, () => undefined);
    for (let i = 0; i < 9; i++) {
      guard.trialEnded(failure("the loss became NaN", "diverged"));
    }
    expect(guard.reason).toBeUndefined();
  });

  test("halts at once where that was asked for", () => {
    expect(halts({ onError: "stop", failFast: 5 }, undefined, "a")).toMatch("--on-error stop");
  });
});

/** Leaves a result, unless BODY does something else; notes who runs beside it. */
const WORKER = `
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
const studyFolder = process.argv.at(-1);
const log = (text) => appendFileSync(studyFolder + "/log", text + "\\n");
const send = (message) => new Promise((resolve) => process.send(message, resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const statuses = () => readdirSync(studyFolder + "/trials").map((id) => studyFolder + "/trials/" + id + "/status.json");
const untilOneFailed = async () => {
  for (let left = 500; left > 0 && !statuses().some((file) => existsSync(file) && readFileSync(file, "utf8").includes('"cause"')); left--) {
    await pause(20);
  }
  await pause(100);
};
process.on("disconnect", () => process.exit());
process.on("message", async ({ type, folder }) => {
  if (type === "end") process.exit();
  const { id, seed } = JSON.parse(readFileSync(folder + "/trial.json", "utf8"));
  const earlier = existsSync(folder + "/status.json") ? JSON.parse(readFileSync(folder + "/status.json", "utf8")) : {};
  const attempt = (earlier.attempt ?? 0) + 1;
  const fail = async (message, code) => { await send({ type: "failed", message, code }); process.exit(1); };
  writeFileSync(folder + "/status.json", JSON.stringify({ state: "running", attempt, pid: process.pid }));
  log("begin " + seed + " " + process.execArgv.filter((each) => each.includes("old-space")).join());
  BODY
  writeFileSync(folder + "/result.json", JSON.stringify({ id, seed }));
  log("end " + seed);
  await send({ type: "ended", isReusable: true });
});
`;

async function bench(body: string, seeds: number) {
  const { folder, plan } = createBench({ "worker.mjs": WORKER.replace("BODY", body) });
  const study = await plan(`datasets: [synthetic]${SMALL}seeds: ${seeds}`);
  const runsFolder = join(folder, "runs");
  const events: StudyEvent[] = [];
  const run = (change: Partial<StudyOptions> = {}) =>
    runStudy(study, {
      runsFolder,
      schedule: { jobs: 2, notes: [], threadsFor: () => 1 },
      workerCommand: [join(folder, "worker.mjs")],
      onEvent: (event) => events.push(event),
      signal: new AbortController().signal,
      command: "exp run study",
      ...change,
    });
  const log = () =>
    readFileSync(join(runsFolder, "study", "log"), "utf8")
      .trim()
      .split("\n");
  const status = async (seed: number) =>
    (await readTrials(runsFolder, "study")).find(({ spec }) => spec.seed === seed)?.status;
  const texts = (type: "note" | "failed") =>
    events.flatMap((event) =>
      event.type === type
        ? [`${event.spec.seed} ${"text" in event ? event.text : "message" in event ? event.message : ""}`]
        : [],
    );
  return { run, events, log, status, texts, folder, runsFolder };
}

describe("a study", () => {
  test("goes on with a trial whose worker was killed, once", async () => {
    const { run, texts, status } = await bench(
      'if (seed === 1 && attempt === 1 || seed === 2) process.kill(process.pid, "SIGKILL");',
      4,
    );
    expect(await run()).toMatchObject({ done: 3, failed: 1 });
    expect(texts("note").sort()).toEqual([
      "1 the worker ended with SIGKILL and left no result; it goes on in a new worker",
      "2 the worker ended with SIGKILL and left no result; it goes on in a new worker",
    ]);
    expect(texts("failed")).toEqual(["2 the worker ended with SIGKILL and left no result"]);
    expect(await status(2)).toMatchObject({ state: "failed", attempt: 2, cause: "killed" });
    // What was killed is no fault of the trial: the next command tries again.
    expect(await run()).toMatchObject({ done: 3, failed: 1, passedOver: 0 });
    expect(await status(2)).toMatchObject({ attempt: 4 });
  });

  test("runs a trial that ran out of memory once more, with no other beside it, and says so when that fails", async () => {
    const { run, texts, log, status } = await bench(
      `await pause(seed === 0 ? 0 : 150);
       if (seed === 0 && attempt < 3) await fail("Array buffer allocation failed");`,
      4,
    );
    expect(await run()).toMatchObject({ done: 3, failed: 1 });
    expect(texts("note")).toEqual([
      "0 Array buffer allocation failed; it runs again later, with no other trial beside it",
    ]);
    expect(texts("failed")).toEqual(["0 Array buffer allocation failed"]);
    expect(log().at(-1)?.trim()).toBe("begin 0");
    expect(await status(0)).toMatchObject({ cause: "memory", attempt: 2 });
    expect(await run()).toMatchObject({ done: 4, failed: 0 });
  });

  test("gives the second try more heap where heap was wanting", async () => {
    const { run, log } = await bench(
      `if (seed === 1 && attempt === 1) {
         console.error("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory");
         process.abort();
       }`,
      2,
    );
    expect(await run()).toMatchObject({ done: 2, failed: 0 });
    const [, megabytes] = /^begin 1 --max-old-space-size=(\d+)$/.exec(log().at(-2) ?? "") ?? [];
    expect(Number(megabytes)).toBeGreaterThan(500);
  });

  test("stops when its first trials fail alike: the message once, nothing finished lost, the next run goes on", async () => {
    const { run, log, folder, events } = await bench(
      'if (!existsSync(studyFolder + "/mended")) await fail("cannot find module x");',
      9,
    );
    const reasons: string[] = [];
    const schedule = { jobs: 1, notes: [], threadsFor: () => 1 };
    const first = await run({ schedule, onHalt: (reason) => reasons.push(reason) });
    expect(first).toEqual({ done: 0, failed: 5, cancelled: 0, passedOver: 0, unstarted: 4 });
    expect(reasons).toEqual([
      "The first 5 trials to end failed alike, and no further one starts (--fail-fast): cannot find module x",
    ]);
    expect(log()).toHaveLength(5);
    writeFileSync(join(folder, "runs/study/mended"), "");
    events.length = 0;
    expect(await run({ schedule })).toEqual({ done: 4, failed: 0, cancelled: 0, passedOver: 5, unstarted: 0 });
    expect(await run({ schedule, retryFailed: true })).toMatchObject({ done: 9, passedOver: 0 });
  });

  test("with --on-error stop, lets those that run end and starts no further one", async () => {
    const { run } = await bench('if (seed === 0) await fail("boom"); await untilOneFailed();', 5);
    expect(await run({ guard: { onError: "stop", failFast: 5 } })).toEqual({
      done: 1,
      failed: 1,
      cancelled: 0,
      passedOver: 0,
      unstarted: 3,
    });
  });

  test("that cannot store a trial starts no further one, lets those that run end, and says what to do", async () => {
    const { run, folder, log, runsFolder } = await bench(
      'if (seed === 0) await fail("ENOSPC: no space left on device, write"); await untilOneFailed();',
      5,
    );
    expect(await errorOf(run, folder)).toMatch(
      /^storage \| DIR\/runs\/study \| trials cannot be stored: ENOSPC.*\| Make room.*the same command goes on/,
    );
    expect(log().filter((each) => each.startsWith("end"))).toEqual(["end 1"]);
    expect(existsSync(join(runsFolder, "study/run.lock"))).toBe(false);
  });

  test("takes no earlier attempt's word for what became of a worker that died while it was loading", async () => {
    const { run, folder } = await bench("", 1);
    const body = 'writeFileSync(folder + "/status.json", JSON.stringify({ state: "cancelled", attempt }));';
    writeFileSync(join(folder, "worker.mjs"), WORKER.replace("BODY", `${body} process.exit(0);`));
    expect(await run()).toMatchObject({ cancelled: 1 });
    writeFileSync(join(folder, "worker.mjs"), 'process.kill(process.pid, "SIGKILL");');
    expect(await run()).toMatchObject({ cancelled: 0, failed: 1 });
  });
});
