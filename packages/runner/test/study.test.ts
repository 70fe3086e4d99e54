// The scheduler, with workers that are small scripts: what runs, what is kept, what is told.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  experimentFolder,
  type Load,
  readStudy,
  readTrials,
  runStudy,
  type Schedule,
  type StudyEvent,
  type StudyOptions,
  type StudyPlan,
  TRIAL_FILES,
  type TrialSpec,
} from "../src/index.ts";
import { createGpuPool } from "../src/study/gpus.ts";
import { createBench, errorOf, SMALL, write } from "./support.ts";

/** For each trial: logs its beginning and end, says an epoch, and leaves a result that holds its seed. */
const WORKER = `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
const studyFolder = process.argv.at(-1);
const threads = process.argv.at(-2);
const log = (text) => appendFileSync(studyFolder + "/log", text + "\\n");
const send = (message) => new Promise((resolve) => process.send(message, resolve));
process.on("disconnect", () => process.exit());
process.on("message", async ({ type, folder }) => {
  if (type === "end") {
    process.exit();
  }
  const { id, seed } = JSON.parse(readFileSync(folder + "/trial.json", "utf8"));
  const earlier = existsSync(folder + "/status.json") ? JSON.parse(readFileSync(folder + "/status.json", "utf8")) : {};
  const attempt = (earlier.attempt ?? 0) + 1;
  const status = (state) =>
    writeFileSync(folder + "/status.json", JSON.stringify({ state, attempt, pid: process.pid, threads }));
  let isReusable = true;
  log("begin " + seed);
  status("running");
  await send({ type: "epoch", epoch: 1, epochs: 1, seconds: 1, loss: 1, valid: 1 });
  BODY
  writeFileSync(folder + "/result.json", JSON.stringify({ id, seed }));
  status("done");
  log("end " + seed);
  await send({ type: "ended", isReusable });
});
`;

const atATime = (jobs: number): Schedule => ({ jobs, notes: [], threadsFor: () => 1 });

async function bench(body = "", seeds = 4) {
  const { folder, plan } = createBench({ "worker.mjs": WORKER.replace("BODY", body) });
  const study = await plan(`datasets: [synthetic]${SMALL}seeds: ${seeds}`);
  const runsFolder = join(folder, "runs");
  const events: StudyEvent[] = [];
  const stop = new AbortController();
  const run = (change: Partial<StudyOptions> = {}, which: StudyPlan = study) =>
    runStudy(which, {
      runsFolder,
      schedule: atATime(2),
      workerCommand: [join(folder, "worker.mjs")],
      onEvent: (event) => events.push(event),
      signal: stop.signal,
      command: "exp run study",
      ...change,
    });
  const log = () =>
    readFileSync(join(experimentFolder(runsFolder, "study"), "log"), "utf8")
      .trim()
      .split("\n");
  const told = () => events.map(({ type, spec }) => `${type} ${spec.seed}`);
  return { folder, runsFolder, study, run, stop, events, log, told };
}

test("every trial runs once, no more than `jobs` at a time, and a second call finds them all", async () => {
  // The first trial waits for a second one to begin, however slow the machine is; alone it would wait in vain.
  const { run, log, told, events, runsFolder } = await bench(`
    const until = Date.now() + 20_000;
    while (readFileSync(studyFolder + "/log", "utf8").split("begin").length < 3 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }`);
  expect(await run()).toMatchObject({ done: 4, failed: 0, cancelled: 0 });
  expect([...log()].sort()).toEqual([0, 1, 2, 3].flatMap((seed) => [`begin ${seed}`, `end ${seed}`]).sort());
  let running = 0;
  let most = 0;
  for (const line of log()) {
    running += line.startsWith("begin") ? 1 : -1;
    most = Math.max(most, running);
  }
  expect(most).toBe(2);
  for (const seed of [0, 1, 2, 3]) {
    expect(told().filter((each) => each.endsWith(` ${seed}`))).toEqual([
      `started ${seed}`,
      `epoch ${seed}`,
      `done ${seed}`,
    ]);
  }
  const results = (await readTrials(runsFolder, "study")).map(({ spec, result }) => [spec.seed, result?.seed]);
  expect(results.every(([a, b]) => a === b)).toBe(true);
  events.length = 0;
  expect(await run()).toMatchObject({ done: 4, failed: 0, cancelled: 0 });
  expect(told()).toEqual(["found 0", "found 1", "found 2", "found 3"]);
  expect(log()).toHaveLength(8);
});

test("a trial that was killed after its result keeps nothing of who trained it, but for one who lives", async () => {
  const { run, runsFolder } = await bench();
  await run();
  const [dead, living] = await readTrials(runsFolder, "study");
  const owner = { host: hostname(), token: "theirs", at: new Date().toISOString() };
  const ended = spawnSync("true").pid;
  for (const [trial, pid] of [
    [dead, ended],
    [living, process.pid],
  ] as const) {
    write(trial?.folder ?? "", {
      "lease/owner.json": JSON.stringify({ ...owner, pid }),
      heartbeat: JSON.stringify({ token: owner.token, at: owner.at }),
    });
  }
  expect(await run()).toMatchObject({ done: 4 });
  const left = (trial: typeof dead) =>
    readdirSync(trial?.folder ?? "").filter((name) => /^(lease|heartbeat)/.test(name));
  expect([left(dead), left(living)]).toEqual([[], ["heartbeat", "lease"]]);
});

test("a failing trial says why; the others are finished; the next call passes it over, or repeats it when asked to", async () => {
  const say = `await send({ type: "failed", message: "the loss became NaN", where: "x.npy:3", hint: "Try less." });`;
  const { run, log, told, events, folder } = await bench(`if (seed === 1) { ${say} process.exit(1); }`);
  expect(await run()).toMatchObject({ done: 3, failed: 1, cancelled: 0 });
  expect(events.find(({ type }) => type === "failed")).toMatchObject({
    spec: { seed: 1 },
    message: "the loss became NaN (x.npy:3)",
    hint: "Try less.",
  });
  expect(log().filter((each) => each.startsWith("end"))).toHaveLength(3);
  writeFileSync(join(folder, "worker.mjs"), WORKER.replace("BODY", ""));
  events.length = 0;
  expect(await run()).toEqual({ done: 3, failed: 0, cancelled: 0, passedOver: 1, unstarted: 0 });
  expect(events.filter(({ type }) => type !== "found")).toEqual([
    expect.objectContaining({ type: "passed over", message: "the loss became NaN (x.npy:3)" }),
  ]);
  events.length = 0;
  expect(await run({ retryFailed: true })).toEqual({ done: 4, failed: 0, cancelled: 0, passedOver: 0, unstarted: 0 });
  expect(told().filter((each) => !each.startsWith("found"))).toEqual(["started 1", "epoch 1", "done 1"]);
});

test.each([
  ["process.exit(0);", /^the worker ended with 0 and left no result$/, /worker\.log/],
  ['throw new Error("broken");', /^the worker ended with 1 and left no result$/, /worker\.log/],
  ['process.kill(process.pid, "SIGKILL");', /^the worker ended with SIGKILL/, /killed it; the same command goes on/],
])("a worker that ends with %s is a failure that says where to look", async (body, message, hint) => {
  const { run, events, runsFolder } = await bench(body, 1);
  expect(await run()).toMatchObject({ done: 0, failed: 1, cancelled: 0 });
  const failed = events.find((event) => event.type === "failed");
  expect(failed?.message).toMatch(message);
  expect(failed?.hint).toMatch(hint);
  const [trial] = await readTrials(runsFolder, "study");
  expect(trial?.status).toMatchObject({ state: "failed", error: failed?.message });
});

test("what a worker prints is kept in its log", async () => {
  const { run, runsFolder } = await bench('throw new Error("broken here");', 1);
  await run();
  const [trial] = await readTrials(runsFolder, "study");
  expect(readFileSync(join(trial?.folder ?? "", TRIAL_FILES.log), "utf8")).toMatch("broken here");
});

const pidsBySeed = async (runsFolder: string) => {
  const trials = await readTrials(runsFolder, "study");
  return trials.sort((a, b) => a.spec.seed - b.spec.seed).map(({ status }) => status?.pid);
};

test("a worker takes trial after trial, and all are gone at the end", async () => {
  const { run, runsFolder } = await bench();
  expect(await run({ schedule: atATime(1) })).toMatchObject({ done: 4, failed: 0, cancelled: 0 });
  const pids = await pidsBySeed(runsFolder);
  expect(new Set(pids).size).toBe(1);
  expect(() => process.kill(pids[0] ?? Number.NaN, 0)).toThrow("ESRCH");
});

test("no more workers than trials at a time", async () => {
  const { run, runsFolder } = await bench("", 6);
  await run({ schedule: atATime(2) });
  expect(new Set(await pidsBySeed(runsFolder)).size).toBe(2);
});

test("a worker that failed, died or left something behind is followed by a fresh one, and loses one trial", async () => {
  const { run, runsFolder } = await bench(
    `
    if (seed === 1 && attempt === 1) { process.kill(process.pid, "SIGKILL"); }
    if (seed === 3) { await send({ type: "failed", message: "diverged" }); process.exit(1); }
    isReusable = seed !== 5;`,
    8,
  );
  expect(await run({ schedule: atATime(1) })).toMatchObject({ done: 7, failed: 1, cancelled: 0 });
  const [zero, one, two, three, four, five, six, seven] = await pidsBySeed(runsFolder);
  // Seed 1 went on in a second worker, which the next ones share.
  expect([two, three, five, seven]).toEqual([one, one, four, six]);
  expect(new Set([zero, one, four, six]).size).toBe(4);
});

test("trials of another engine or number of threads get a worker of their own", async () => {
  const { run, runsFolder, study } = await bench("", 4);
  const threadsFor: Schedule["threadsFor"] = (_, { waiting }) => (waiting === 1 ? 2 : 1);
  const trials = study.trials.map((spec) => ({
    ...spec,
    config: { ...spec.config, engine: { name: spec.seed < 2 ? "cpu" : "wasm", options: {} } },
  }));
  await run({ schedule: { ...atATime(1), threadsFor } }, { ...study, trials });
  const [zero, one, two, three] = await pidsBySeed(runsFolder);
  expect(one).toBe(zero);
  expect(new Set([zero, two, three]).size).toBe(3);
  const threads = (await readTrials(runsFolder, "study")).map(
    ({ spec, status }) => `${spec.seed} ${(status as unknown as { threads: string }).threads}`,
  );
  expect(threads.sort()).toEqual(["0 1", "1 1", "2 1", "3 2"]);
});

test("a trial sees the GPUs of its share, and one without a share none", async () => {
  const { run, log } = await bench('log("gpus " + seed + " [" + process.env.CUDA_VISIBLE_DEVICES + "]");', 3);
  const pool = createGpuPool(["4"], 1);
  const gpusFor: Schedule["gpusFor"] = (trial) => ((trial as unknown as TrialSpec).seed === 0 ? undefined : pool);
  await run({ schedule: { ...atATime(2), gpusFor } });
  expect(
    log()
      .filter((line) => line.startsWith("gpus"))
      .sort(),
  ).toEqual(["gpus 0 []", "gpus 1 [4]", "gpus 2 [4]"]);
  // One GPU, one trial at a time on it.
  const [first, second] = log()
    .filter((line) => /^(begin|end) [12]/.test(line))
    .map((line) => line.split(" ")[0]);
  expect([first, second]).toEqual(["begin", "end"]);
});

test("cores are counted: threads of a trial that starts follow from those that run and wait", async () => {
  const { run } = await bench("", 3);
  const loads: Load[] = [];
  const threadsFor: Schedule["threadsFor"] = (_, load) => {
    loads.push({ ...load });
    return 3;
  };
  await run({ schedule: { jobs: 2, notes: [], threadsFor } });
  expect(loads).toEqual([
    { coresInUse: 0, running: 0, waiting: 3 },
    { coresInUse: 3, running: 1, waiting: 2 },
    { coresInUse: 3, running: 1, waiting: 1 },
  ]);
});

test("what a worker prints goes to the log of the trial that it has", async () => {
  const { run, runsFolder } = await bench(`
    console.log("out " + seed);
    process.stderr.write("x".repeat(200_000) + " err " + seed);`);
  await run({ schedule: atATime(1) });
  for (const { folder, spec } of await readTrials(runsFolder, "study")) {
    const log = readFileSync(join(folder, TRIAL_FILES.log), "utf8");
    expect(log.match(/out \d|err \d/g)?.sort()).toEqual([`err ${spec.seed}`, `out ${spec.seed}`]);
    expect(log.length).toBeGreaterThan(200_000);
  }
});

test("a log that cannot be written stops the study", async () => {
  const { run, folder } = await bench(`
    const { rmSync, mkdirSync } = await import("node:fs");
    rmSync(folder + "/worker.log");
    mkdirSync(folder + "/worker.log");
    console.log("lost");`);
  expect(await errorOf(run, folder)).toMatch(/^storage \| - \| cannot write DIR\/.*worker.log: EISDIR/);
});

test("stopping ends the workers, keeps what is done, starts nothing more, and the next call goes on", async () => {
  const { run, stop, told, folder, runsFolder } = await bench(
    "if (seed > 0) { await new Promise(() => setInterval(() => 1, 1000)); }",
  );
  const outcome = await run({
    schedule: atATime(1),
    onEvent: (event) => {
      if (event.type === "epoch" && event.spec.seed === 1) {
        stop.abort();
      }
    },
  });
  expect(outcome).toMatchObject({ done: 1, failed: 0, cancelled: 3 });
  const states = (await readTrials(runsFolder, "study")).map(({ spec, status }) => `${spec.seed} ${status?.state}`);
  expect(states.sort()).toEqual(["0 done", "1 cancelled", "2 undefined", "3 undefined"]);
  expect(existsSync(join(runsFolder, "study", "run.lock"))).toBe(false);
  writeFileSync(join(folder, "worker.mjs"), WORKER.replace("BODY", ""));
  expect(await run({ signal: new AbortController().signal })).toMatchObject({ done: 4, failed: 0, cancelled: 0 });
  expect(told().filter((each) => each.startsWith("found"))).toEqual(["found 0"]);
});

test("a worker that Ctrl-C reached before its runner is cancelled, not failed", async () => {
  const { run, told } = await bench(
    'process.kill(process.pid, "SIGINT"); await new Promise(() => setInterval(() => 1, 1000));',
    1,
  );
  expect(await run()).toMatchObject({ done: 0, failed: 0, cancelled: 1 });
  expect(told()).toEqual(["started 0", "epoch 0", "cancelled 0"]);
});

test("a runner that cannot go on stops its workers, releases the lock, and says why", async () => {
  const wait = "await new Promise(() => setInterval(() => 1, 1000));";
  const { run, log, runsFolder, folder } = await bench(`
    if (seed === 0) {
      writeFileSync(folder + "/result.json", "torn");
      process.exit(0);
    }
    ${wait}`);
  expect(await errorOf(run, folder)).toMatch(/^storage \| - \| DIR\/runs\/study\/trials\/.*result.json is no JSON/);
  expect(log().filter((each) => each.startsWith("end"))).toEqual([]);
  expect(log().filter((each) => each.startsWith("begin")).length).toBeLessThanOrEqual(2);
  expect(readdirSync(join(runsFolder, "study"))).not.toContain("run.lock");
  const pids = (
    await Promise.all(
      readdirSync(join(runsFolder, "study", "trials")).map((id) => {
        const file = join(runsFolder, "study", "trials", id, TRIAL_FILES.status);
        return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { pid: number }).pid : undefined;
      }),
    )
  ).filter((pid) => pid !== undefined);
  expect(pids.length).toBeGreaterThan(0);
  for (const pid of pids) {
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  }
});

test("a second runner is refused and changes nothing of the first one's study", async () => {
  const { run, study, runsFolder } = await bench("", 2);
  let begun = () => {};
  const running = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = run({ command: "exp run first", onEvent: () => begun() });
  await running;
  const second = errorOf(() => run({ command: "exp run second" }, { ...study, trials: [] }));
  expect(await second).toMatch(/^storage .*is running this experiment/);
  await first;
  const stored = await readStudy(runsFolder, "study");
  expect(stored.command).toBe("exp run first");
  expect(stored.trials).toHaveLength(2);
});

test("a runs folder that cannot be written is refused before anything starts", async () => {
  const { run, folder, events } = await bench("", 1);
  write(folder, { file: "" });
  expect(await errorOf(() => run({ runsFolder: join(folder, "file") }), folder)).toMatch(
    /^storage \| - \| cannot write in DIR\/file\/study: ENOTDIR.*--runs DIR/,
  );
  expect(events).toEqual([]);
});

test("a trial that somebody else trains is left to them, and no lease stays behind", async () => {
  const { run, log, events, study, runsFolder } = await bench("", 3);
  const [first] = study.trials;
  const folder = join(experimentFolder(runsFolder, "study"), "trials", first?.id ?? "");
  write(folder, {
    "lease/owner.json": JSON.stringify({
      token: "theirs",
      host: "node7",
      pid: 1,
      job: { scheduler: "Slurm", id: "12_0", restart: 0 },
      at: new Date().toISOString(),
    }),
  });
  expect(await run()).toEqual({ done: 2, failed: 0, cancelled: 0, passedOver: 0, unstarted: 0 });
  expect(events.find(({ type }) => type === "elsewhere")).toMatchObject({
    spec: { seed: first?.seed },
    owner: "Slurm job 12_0 on node7",
  });
  expect(log().filter((each) => each.startsWith("begin"))).toHaveLength(2);
  expect(existsSync(join(folder, "lease"))).toBe(true);
  for (const { id } of study.trials.slice(1)) {
    expect(existsSync(join(experimentFolder(runsFolder, "study"), "trials", id, "lease"))).toBe(false);
  }
});

test("trials that are cancelled meanwhile do not begin; the next call asks for them again", async () => {
  const { run, log, study, runsFolder } = await bench("", 3);
  const cancelRest = (event: StudyEvent) =>
    event.type === "started" &&
    write(
      experimentFolder(runsFolder, "study"),
      Object.fromEntries(study.trials.map(({ id }) => [`control/cancel/${id}`, "{}"])),
    );
  expect(await run({ schedule: atATime(1), onEvent: cancelRest })).toEqual({
    done: 1,
    failed: 0,
    cancelled: 2,
    passedOver: 0,
    unstarted: 0,
  });
  expect(log()).toHaveLength(2);
  expect(await run()).toEqual({ done: 3, failed: 0, cancelled: 0, passedOver: 0, unstarted: 0 });
});
