// Launchers other than Slurm, and what one task of theirs does, as processes.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createWorkplace, trialsOf, until, type Workplace } from "./support/cli.ts";
import { arraysOf, attemptsOf } from "./support/slurm-acceptance.ts";

const TIMEOUT_MS = 180_000;
const SHELL = [
  "launcher.submit='sh {script} > {log} 2>&1 < /dev/null & echo $!'",
  "launcher.poll='for job in {jobs}; do kill -0 $job 2> /dev/null && echo $job; done; true'",
  "launcher.cancel='kill {jobs}'",
];
const ENDLESS = "trainer.epochs=1000000";

let place: Workplace;
afterEach(async () => {
  const { processes, remove } = place; // the next test's is another
  await until(() => processes().length === 0, "all processes to end");
  remove();
}, TIMEOUT_MS);

test(
  "command: a few workers share the trials, and exp cancel ends them all",
  async () => {
    place = createWorkplace();
    const submitted = await place.exp("run", "tiny", "--launcher", "command", ...SHELL, "launcher.workers=2");
    expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
    const [array] = arraysOf(place.folder);
    expect(submitted.stdout).toBe(`array 1: 4 trials, job ${array?.jobs?.join(", ")}\n`);
    const watched = await place.exp("watch", "tiny", "--every", "0.3");
    expect(watched, watched.stderr).toMatchObject({ code: 0 });
    const trials = trialsOf(place.folder);
    expect(trials.filter(({ isDone }) => isDone)).toHaveLength(4);
    expect(trials.map(({ id }) => attemptsOf(place.folder, id).length)).toEqual([1, 1, 1, 1]);

    const more = await place.exp("run", "tiny", ENDLESS, "--launcher", "command", ...SHELL, "launcher.workers=2");
    expect(more.stdout).toMatch(/^array 2: 4 trials, job \d+, \d+\n$/);
    await until(() => trialsOf(place.folder).filter(({ epochs }) => epochs > 3).length === 2, "two trials to run");
    const cancelled = await place.exp("cancel", "tiny");
    expect(cancelled).toMatchObject({ code: 0, stdout: "4 trials are cancelled; 4 waited or ran.\n" });
    await until(() => place.processes().length === 0, "the workers to end");
    const states = JSON.parse((await place.exp("watch", "tiny", "--once", "--json")).stdout) as {
      trials: { state: string }[];
    };
    expect(states.trials.map(({ state }) => state)).toEqual(["cancelled", "cancelled", "cancelled", "cancelled"]);
  },
  TIMEOUT_MS,
);

test(
  "Kubernetes: the manifest on stdout; a pod trains its index; kill -9 of a supervisor loses a trial, which goes on",
  async () => {
    place = createWorkplace();
    const kubernetes = ["--launcher", "kubernetes", "launcher.image=lab", "launcher.claim=c", "launcher.mount=/runs"];
    const rendered = await place.exp("run", "tiny", "trainer.epochs=400", ...kubernetes);
    expect(rendered, rendered.stderr).toMatchObject({ code: 0 });
    expect(rendered.stdout).toMatch(/^apiVersion: batch\/v1\nkind: Job\n[\s\S]*\n {2}completions: 4\n/);
    const file = join(place.folder, "runs/tiny/arrays/1.yaml");
    expect(readFileSync(file, "utf8")).toBe(rendered.stdout);

    const array = join(place.folder, "runs/tiny/arrays/1.json");
    const id = arraysOf(place.folder)[0]?.trials[1] ?? "";
    const view = () => trialsOf(place.folder).find((trial) => trial.id === id);
    const { child, ended } = place.start("trial", "run", "--from-array", array, "--index", "1");
    await until(() => (view()?.epochs ?? 0) > 0, "the trial in the middle");
    const second = await place.exp("trial", "run", "--from-array", array, "--index", "1");
    expect(second.code).toBe(0);
    expect(second.stderr).toContain(`${id}  already running: process ${child.pid} on `);
    const trainer = view()?.pid ?? Number.NaN;
    process.kill(trainer, "SIGSTOP");
    try {
      // Not at the first look, perhaps: it has to stand still for as long as twenty of its epochs, too.
      await expect
        .poll(async () => (await place.exp("watch", "tiny", "--once", "--stalled-after", "0.1")).stderr, {
          timeout: 60_000,
        })
        .toMatch(/^stalled folder {2}\w+ {2}seed \d {2}no progress since \d+ s, after epoch \d+: /m);
    } finally {
      process.kill(trainer, "SIGCONT");
    }
    child.kill("SIGKILL");
    expect((await ended).code).toBe("SIGKILL");
    await until(() => place.processes().length === 0, "the trainer to end with its supervisor");
    expect(existsSync(join(place.folder, "runs/tiny/trials", id, "lease"))).toBe(true);
    const states = await place.exp("watch", "tiny", "--once");
    expect(states.stdout).toMatch(new RegExp(`${id} .*lost`));

    const again = await place.expWith({ JOB_COMPLETION_INDEX: "1" }, "trial", "run", "--from-array", array);
    expect(again, again.stderr).toMatchObject({ code: 0, stdout: "" });
    expect(view()?.isDone).toBe(true);
    expect(trialsOf(place.folder).filter(({ isDone }) => isDone)).toHaveLength(1);
    expect(existsSync(join(place.folder, "runs/tiny/trials", id, "lease"))).toBe(false);
  },
  TIMEOUT_MS,
);

test(
  "a run on this machine is watched, cancelled and resumed by the same commands",
  async () => {
    place = createWorkplace();
    const { child, ended } = place.start("run", "tiny", "fusion=sdt", ENDLESS, "--jobs", "1");
    await until(() => trialsOf(place.folder).some(({ epochs }) => epochs > 0), "a trial in the middle");
    const states = await place.exp("watch", "tiny", "--once");
    expect(states.stdout).toMatch(/running +\d+\/1000000 +1 +– +process \d+ on /);
    const cancelled = await place.exp("cancel", "tiny");
    expect(cancelled.stdout).toBe("2 trials are cancelled; 1 waited or ran.\n");
    expect(cancelled.stderr).toContain(`exp run, process ${child.pid}, ends after the epochs that run.`);
    expect((await ended).code).toBe(130);
    expect(trialsOf(place.folder).filter(({ isDone }) => isDone)).toEqual([]);
    const pids = trialsOf(place.folder).map(({ pid }) => pid);
    const resumed = place.start("resume", "tiny");
    await until(
      () => trialsOf(place.folder).some(({ pid, epochs }) => !pids.includes(pid) && epochs > 0),
      "a trial to go on",
    );
    resumed.child.kill("SIGINT");
    const { code, stderr } = await resumed.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/seed 0 {2}goes on after epoch \d+/);
  },
  TIMEOUT_MS,
);

test(
  "what cannot be meant is refused, and nothing is submitted",
  async () => {
    place = createWorkplace();
    const cases: [string[], RegExp][] = [
      [["trial", "run"], /needs the folder of a trial, or --from-array FILE/],
      [
        ["run", "tiny", "--launcher", "slurm", "--jobs", "2"],
        /--jobs is for local runs, and launcher slurm was chosen/,
      ],
      [["run", "tiny", "--dry-run"], /--dry-run is for launchers/],
      [["plan", "tiny", "launcher.time=5"], /unknown group "launcher"/],
      [["resume", "tiny", "fusion=lmam"], /"fusion=lmam" would make another study/],
      [["watch", "tiny"], /experiment "tiny" has no stored runs/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await place.exp(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(message);
    }
    expect(existsSync(join(place.folder, "runs"))).toBe(false);
  },
  TIMEOUT_MS,
);
