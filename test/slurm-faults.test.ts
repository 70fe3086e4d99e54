// What can go wrong between a study and Slurm: nothing is trained twice, nothing is lost, and the user is told.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createWorkplace, type Ended, trialsOf, until, type Workplace } from "./support/cli.ts";
import { createFakeSlurm, type FakeSlurm } from "./support/fake-slurm.ts";
import { arraysOf, attemptsOf } from "./support/slurm-acceptance.ts";

const TIMEOUT_MS = 180_000;
const SUBMIT = ["run", "tiny", "--seeds", "1", "--launcher", "slurm"];
/** So many epochs that a trial ends only when it is told to. */
const ENDLESS = "trainer.epochs=1000000";

interface Bench {
  readonly place: Workplace;
  readonly slurm: FakeSlurm;
  exp(...args: string[]): Promise<Ended>;
  /** With faults, as the fake Slurm has them. */
  expWith(faults: string, ...args: string[]): Promise<Ended>;
}

const benches: Bench[] = [];
afterEach(async () => {
  for (const { place, slurm } of benches.splice(0)) {
    for (const { jobs = [] } of arraysOf(place.folder)) {
      slurm.call("scancel", ...jobs);
    }
    await until(() => !place.processes().some((line) => line.includes("trial ")), "all tasks to end");
    place.remove();
  }
});

function createBench(without: readonly string[] = []): Bench {
  const place = createWorkplace();
  const slurm = createFakeSlurm(join(place.folder, "slurm"), without);
  const bench: Bench = {
    place,
    slurm,
    exp: (...args) => place.expWith(slurm.environment, ...args),
    expWith: (faults, ...args) => place.expWith({ ...slurm.environment, FAKE_SLURM_FAULTS: faults }, ...args),
  };
  benches.push(bench);
  return bench;
}

const inTheMiddle = ({ folder }: Workplace) =>
  until(() => trialsOf(folder).find(({ epochs, state }) => epochs > 0 && state === "running"), "a trial in the middle");

test(
  "killed between submission and record, the next call finds the job by its name and submits nothing",
  async () => {
    const { place, exp, expWith } = createBench();
    expect((await expWith("crash", ...SUBMIT)).code).toBe("SIGKILL");
    expect(arraysOf(place.folder)).toEqual([expect.not.objectContaining({ jobs: expect.anything() })]);
    const again = await exp(...SUBMIT);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(arraysOf(place.folder)).toEqual([expect.objectContaining({ jobs: ["100"] })]);
    const watched = await exp("watch", "tiny", "--every", "0.3");
    expect(watched, watched.stderr).toMatchObject({ code: 0 });
    for (const { id } of trialsOf(place.folder)) {
      expect(attemptsOf(place.folder, id)).toMatchObject([
        { outcome: "done", job: { id: expect.stringMatching(/^100_/) } },
      ]);
    }
  },
  TIMEOUT_MS,
);

test(
  "what sbatch refuses is told in its words, and submitted anew, in arrays no larger than Slurm allows",
  async () => {
    const { place, slurm, exp, expWith } = createBench();
    const refused = await expWith("refuse", ...SUBMIT);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(
      "error sbatch failed: sbatch: error: Batch job submission failed: Invalid partition",
    );
    expect(arraysOf(place.folder)).toMatchObject([{ notSubmitted: expect.stringContaining("Invalid partition") }]);
    const submitted = await place.expWith({ ...slurm.environment, FAKE_SLURM_MAX_ARRAY: "1" }, ...SUBMIT, ENDLESS);
    expect(submitted.stdout).toBe("array 2: 1 trial, job 100\narray 3: 1 trial, job 102\n");

    // Alive: left alone by the launcher, and by a run on this machine.
    await until(() => trialsOf(place.folder).filter(({ epochs }) => epochs > 0).length === 2, "both trials to run");
    const again = await exp("resume", "tiny");
    expect(again).toMatchObject({ code: 0, stdout: "" });
    expect(again.stderr).toContain("2 of 2 trials wait or run already; they are left alone.");
    const silent = await expWith("silent", "resume", "tiny");
    expect(silent).toMatchObject({ code: 0, stdout: "" });
    expect(silent.stderr).toMatch(/^unknown squeue failed: .*Unable to contact slurm controller/m);
    expect(silent.stderr).toContain("2 of 2 trials wait or run already; they are left alone.");
    const asJson = await expWith("silent", ...SUBMIT, ENDLESS, "--json");
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      submitted: [],
      silent: [expect.stringMatching(/^squeue failed: /)],
    });
    expect(arraysOf(place.folder)).toHaveLength(3);
    const local = await exp("run", "tiny", "--seeds", "1", ENDLESS);
    expect(local.code).toBe(1);
    expect(local.stderr).toMatch(/· folder {2}sdt {2}seed 0 {2}is being trained by Slurm job 100_0 on /);
    expect(local.stderr).toContain("2 of 2 trials are being trained elsewhere");
  },
  TIMEOUT_MS,
);

test(
  "an array that waits runs more tasks at a time when exp resume says so",
  async () => {
    const { place, exp, expWith } = createBench();
    expect((await exp(...SUBMIT, ENDLESS, "launcher.throttle=1")).stdout).toBe("array 1: 2 trials, job 100\n");
    await inTheMiddle(place);
    expect(trialsOf(place.folder).filter(({ epochs }) => epochs > 0)).toHaveLength(1);
    const silent = await expWith("silent", "resume", "tiny", "launcher.throttle=2");
    expect(silent).toMatchObject({ code: 2, stdout: "" });
    expect(silent.stderr).toMatch(/the scheduler is silent: squeue failed: .*Unable to contact slurm controller/);
    const resumed = await exp("resume", "tiny", "launcher.throttle=2");
    expect(resumed, resumed.stderr).toMatchObject({ code: 0, stdout: "" });
    expect(resumed.stderr).toContain("array 1, job 100, runs now 2 at a time.\n");
    await until(() => trialsOf(place.folder).filter(({ epochs }) => epochs > 0).length === 2, "both trials to run");
    expect(arraysOf(place.folder)).toMatchObject([{ jobs: ["100"], launcher: { options: { throttle: 2 } } }]);
  },
  TIMEOUT_MS,
);

test(
  "a time limit pauses a trial early enough, and puts it back into the queue; exp cancel ends it",
  async () => {
    const { place, slurm } = createBench();
    // A minute of 12 seconds: the signal comes after six.
    const environment = { ...slurm.environment, FAKE_SLURM_MINUTE_MS: "12000", FAKE_SLURM_FAULTS: "no-accounting" };
    const submitted = await place.expWith(
      environment,
      ...SUBMIT,
      ENDLESS,
      "fusion=sdt",
      "launcher.time=1",
      "launcher.grace=30",
    );
    expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
    const [{ id } = { id: "" }] = trialsOf(place.folder);
    const [first] = await until(() => {
      const ends = attemptsOf(place.folder, id);
      return ends.length > 1 && ends;
    }, "two attempts to end");
    expect(first).toMatchObject({ outcome: "paused", reason: "SIGUSR2", code: 75, job: { id: "100_0" } });
    const cancelled = await place.expWith(environment, "cancel", "tiny", "--json");
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ cancelled: [{ id }], failures: [] });
    const watched = await place.expWith(environment, "watch", "tiny", "--every", "0.3", "--json");
    expect(watched.code).toBe(1);
    expect(JSON.parse(watched.stdout)).toMatchObject({ trials: [{ id, state: "cancelled" }] });
  },
  TIMEOUT_MS,
);

test(
  "out of memory is a failure that says so, and goes on with more; without scontrol a paused trial is submitted anew",
  async () => {
    const { place, slurm, exp } = createBench(["scontrol"]);
    const study = [...SUBMIT, "fusion=sdt", "launcher.maxArraySize=9", "trainer.epochs=800"];
    expect((await exp(...study)).stdout).toBe("array 1: 1 trial, job 100\n");
    const { id, pid } = await inTheMiddle(place);
    slurm.call("oom", "100_0");
    const failed = await exp("watch", "tiny", "--every", "0.3");
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/✗ folder {2}sdt {2}seed 0 {2}OUT_OF_MEMORY/);
    const more = await exp("resume", "tiny", "launcher.mem=16G");
    expect(more.stdout).toBe("array 2: 1 trial, job 102\n");
    expect(readFileSync(join(place.folder, "runs/tiny/arrays/2.sh"), "utf8")).toContain("#SBATCH --mem=16G\n");
    await until(
      () => trialsOf(place.folder).some((trial) => trial.epochs > 0 && trial.pid !== pid),
      "the trial to be trained again",
    );
    slurm.call("scancel", "--batch", "--signal=USR2", "102_0");
    const watched = await exp("watch", "tiny", "--every", "0.3", "--resubmit");
    expect(watched, watched.stderr).toMatchObject({ code: 0 });
    expect(arraysOf(place.folder).map(({ jobs }) => jobs)).toEqual([["100"], ["102"], ["104"]]);
    expect(attemptsOf(place.folder, id).map(({ outcome }) => outcome)).toEqual(["paused", "done"]);
  },
  TIMEOUT_MS,
);
